#pragma once

// The only clock reads below tools. A shard reads once per turn; everything else is given Now.

#include <cstdint>

#include "proto/base/now.h"

namespace uproar::runtime {

[[nodiscard]] Now read_clock();
[[nodiscard]] std::int64_t monotonic_us();

}  // namespace uproar::runtime
