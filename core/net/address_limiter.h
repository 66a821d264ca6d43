#pragma once

// Handshakes per address and second, in a table of fixed size: 4,096 entries, no allocation, O(1). Two addresses that
// share an entry take turns in it, so a collision lets people in rather than keeping them out.

#include <array>
#include <cstdint>

#include "core/net/limits.h"
#include "core/net/peer_address.h"

namespace uproar::net {

class AddressLimiter {
 public:
  // Counts one handshake of `address` in `second`. False: it is one more than `per_second_max` (0: no limit).
  [[nodiscard]] bool allow(const PeerAddress& address, std::uint32_t second,
                           std::uint32_t per_second_max);

 private:
  struct Entry {
    std::uint64_t key = 0;
    std::uint32_t second = 0;
    std::uint32_t count = 0;
  };
  static_assert(sizeof(Entry) == 16);
  static_assert((kAddressEntries & (kAddressEntries - 1)) == 0);

  std::array<Entry, kAddressEntries> entries_{};
};

}  // namespace uproar::net
