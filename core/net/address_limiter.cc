#include "core/net/address_limiter.h"

namespace uproar::net {

bool AddressLimiter::allow(const PeerAddress& address, std::uint32_t second,
                           std::uint32_t per_second_max) {
  if (per_second_max == 0) return true;
  const std::uint64_t key = address.limit_key();
  const std::uint64_t mixed = (key ^ (key >> 29U)) * 0x9E3779B97F4A7C15ULL;
  Entry& entry = entries_[(mixed >> 40U) & (kAddressEntries - 1)];
  if (entry.key != key || entry.second != second)
    entry = {.key = key, .second = second, .count = 0};
  return ++entry.count <= per_second_max;
}

}  // namespace uproar::net
