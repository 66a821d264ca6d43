#include "proto/base/weakness.h"

#ifdef UPROAR_WEAKEN

#include <array>
#include <cstdlib>
#include <string_view>

#include "proto/base/check.h"

namespace uproar {
namespace {

constexpr std::array kNames = {
#define UPROAR_WEAKNESS(constant, name) std::string_view(name),
    UPROAR_WEAKNESSES(UPROAR_WEAKNESS)
#undef UPROAR_WEAKNESS
};
constexpr int kNone = -1;

// UPROAR_WEAKEN is the name, or "environment": the variable is asked, and without it nothing is weakened.
int chosen() {
  std::string_view wanted = UPROAR_WEAKEN;
  if (wanted == "environment") {
    const char* value = std::getenv("WEAKEN_UPROAR");
    if (value == nullptr) return kNone;
    wanted = value;
  }
  for (int i = 0; i < static_cast<int>(kNames.size()); ++i)
    if (kNames[static_cast<std::size_t>(i)] == wanted) return i;
  UPROAR_CHECK(false, wanted, "is no weakness of proto/base/weakness.h");
  return kNone;
}

}  // namespace

bool weakened(Weakness weakness) {
  static const int kChosen = chosen();
  return static_cast<int>(weakness) == kChosen;
}

}  // namespace uproar

#endif
