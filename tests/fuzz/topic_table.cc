// TopicTable beside a naive model; three bytes are one step (operation, member, topic).

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/base/check.h"
#include "tests/core/net/topic_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 30'000) return 0;  // a longer story says nothing new and takes seconds
  const std::string wrong =
      uproar::net::TopicModel::run({reinterpret_cast<const char*>(data), size});
  UPROAR_CHECK(wrong.empty(), std::string_view(wrong));
  return 0;
}
