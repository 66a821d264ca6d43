#pragma once

// What a measuring program asks of the system for itself.

#include <cstdint>
#include <string>

namespace uproar::bench {

// Ends the program: half a run is of no use to anybody.
[[noreturn]] void die(const std::string& what);

void pin_to_core(int core);
// Soft limit of descriptors up to the hard one; returns it.
std::uint64_t raise_descriptor_limit();

[[nodiscard]] std::int64_t monotonic_ns();

}  // namespace uproar::bench
