#pragma once

// Counts every operator new of the program it is linked into.

#include <cstdint>

namespace uproar::net {

[[nodiscard]] std::uint64_t allocations_so_far();

}  // namespace uproar::net
