#pragma once

// Which server of a cluster has which of the 16,384 hash slots (Redis cluster specification, "Key distribution model").

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/redis/redis_url.h"
#include "storage/redis/resp.h"

namespace uproar::storage::redis {

inline constexpr std::uint16_t kSlots = 16384;

// CRC16 (XMODEM) of the key, or of what stands between its first '{' and the next '}' if that is not empty.
[[nodiscard]] std::uint16_t slot_of(std::string_view key);

// "MOVED 3999 127.0.0.1:6381" and "ASK 3999 127.0.0.1:6381", also without a host: then it is that of the server which
// said so.
struct Redirect {
  bool is_ask = false;
  std::uint16_t slot = 0;
  RedisAddress address;
};
[[nodiscard]] std::optional<Redirect> parse_redirect(std::string_view error,
                                                     const RedisAddress& from);

class SlotMap {
 public:
  using ServerIndex = std::uint16_t;

  SlotMap();  // nobody has any slot

  // The answer to CLUSTER SLOTS, given by `from`. False, and nothing changes: it is not one.
  [[nodiscard]] bool read(const RedisValue& answer, const RedisAddress& from);
  void assign(std::uint16_t slot, const RedisAddress& server);
  // Slots that nobody has get whom they have in `older`.
  void fill_from(const SlotMap& older);
  void clear();

  // nullptr: nobody has it.
  [[nodiscard]] const RedisAddress* server_of(std::uint16_t slot) const;
  // Those of the last answer, and those that redirects named since.
  [[nodiscard]] const std::vector<RedisAddress>& servers() const { return servers_; }
  // False while slots have no server: what hashes to them goes nowhere.
  [[nodiscard]] bool is_complete() const;
  // The same servers, in whatever order, with the same slots.
  friend bool operator==(const SlotMap& a, const SlotMap& b);

 private:
  static constexpr ServerIndex kNobody = 0xFFFF;
  [[nodiscard]] ServerIndex index_of(const RedisAddress& server);

  std::vector<RedisAddress> servers_;
  std::array<ServerIndex, kSlots> owner_;
};

}  // namespace uproar::storage::redis
