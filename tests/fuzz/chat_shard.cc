// ChatShard in any interleaving: byte 0 = one shard or two and the limits, every further byte a choice of the simulation
// (tests/core/chat/simulation.h): which link, read or commit moves, whether a commit fails or only its answer is lost,
// how far time goes, who connects, leaves, says what. The oracle of the simulation judges, then all comes to rest.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/base/check.h"
#include "tests/core/chat/simulation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using uproar::chat::testing::Plant;
  using uproar::chat::testing::Simulation;
  if (size < 2 || size > 4'000) return 0;  // a longer story says nothing new and takes seconds
  const std::string_view choices(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto result =
      Simulation(1 + (data[0] & 1), data[0] / 2, Plant::kNone, choices).run_choices();
  UPROAR_CHECK(result.violations.empty(), std::string_view(result.violations.front()));
  return 0;
}
