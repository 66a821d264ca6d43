#pragma once

// Where clients connect from: 127.0.0.1 to 127.0.0.63, ports away from the ephemeral ones, which other programs are given.

#include <cstdint>

namespace uproar::bench {

inline constexpr std::uint32_t kSourceAddresses = 63;
inline constexpr std::uint32_t kFirstSourcePort = 10'000;
inline constexpr std::uint32_t kSourcePorts = 22'000;
inline constexpr std::uint32_t kClientsMax = kSourceAddresses * kSourcePorts;

}  // namespace uproar::bench
