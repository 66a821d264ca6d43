#include "storage/redis/slot_map.h"

#include <algorithm>

#include "proto/base/parse_number.h"
#include "storage/redis/limits.h"

namespace uproar::storage::redis {
namespace {

constexpr std::array<std::uint16_t, 256> kCrcTable = [] {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc & 0x8000U) != 0 ? ((crc << 1) ^ 0x1021U) & 0xFFFFU : (crc << 1) & 0xFFFFU;
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}();

std::string_view next_word(std::string_view& text) {
  const auto space = text.find(' ');
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  return word;
}

bool is_slot(std::optional<std::int64_t> value) {
  return value && *value >= 0 && *value < kSlots;
}

}  // namespace

std::uint16_t slot_of(std::string_view key) {
  if (const auto open = key.find('{'); open != std::string_view::npos) {
    const auto close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1)
      key = key.substr(open + 1, close - open - 1);
  }
  unsigned crc = 0;
  for (const char byte : key)
    crc =
        ((crc << 8) & 0xFFFFU) ^ kCrcTable[((crc >> 8) ^ static_cast<unsigned char>(byte)) & 0xFFU];
  return static_cast<std::uint16_t>(crc % kSlots);
}

std::optional<Redirect> parse_redirect(std::string_view error, const RedisAddress& from) {
  const std::string_view word = next_word(error);
  if (word != "MOVED" && word != "ASK") return std::nullopt;
  const auto slot = parse_number<std::uint16_t>(next_word(error));
  if (!slot || *slot >= kSlots) return std::nullopt;
  const std::string_view where = next_word(error);
  const bool is_port_alone = where.rfind(':') == 0;
  auto address = is_port_alone ? parse_redis_address(from.host + std::string(where))
                               : parse_redis_address(where);
  if (!address.ok()) return std::nullopt;
  return Redirect{.is_ask = word == "ASK", .slot = *slot, .address = std::move(address).value()};
}

// In this file: in the header the compiler works out all 16,384 of them wherever a map is made, for up to a minute.
SlotMap::SlotMap() {
  owner_.fill(kNobody);
}

bool SlotMap::read(const RedisValue& answer, const RedisAddress& from) {
  if (!answer.is_array()) return false;
  // [first slot, last slot, [host, port, id, …] of the primary, [host, port, …] of each replica …]
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const RedisValue range = answer[i];
    if (range.size() < 3 || range[2].size() < 2) return false;
    if (!is_slot(range[0].integer()) || !is_slot(range[1].integer())) return false;
    const auto port = range[2][1].integer();
    if (!port || *port <= 0 || *port > 65535) return false;
  }
  clear();
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const RedisValue range = answer[i];
    // A server that does not know its own name says nothing, or "?": the one we asked it by will do.
    const std::string_view host = range[2][0].text();
    const RedisAddress server{.host = host.empty() || host == "?" ? from.host : std::string(host),
                              .port = static_cast<std::uint16_t>(*range[2][1].integer())};
    const ServerIndex index = index_of(server);
    for (std::int64_t slot = *range[0].integer(); slot <= *range[1].integer(); ++slot)
      owner_[static_cast<std::size_t>(slot)] = index;
  }
  return true;
}

void SlotMap::assign(std::uint16_t slot, const RedisAddress& server) {
  owner_[slot] = index_of(server);
}

void SlotMap::fill_from(const SlotMap& older) {
  for (std::uint16_t slot = 0; slot < kSlots; ++slot) {
    if (owner_[slot] != kNobody) continue;
    if (const RedisAddress* server = older.server_of(slot)) owner_[slot] = index_of(*server);
  }
}

bool operator==(const SlotMap& a, const SlotMap& b) {
  if (a.servers_.size() != b.servers_.size()) return false;
  std::vector<SlotMap::ServerIndex> index_in_b;
  for (const RedisAddress& server : a.servers_) {
    const auto found = std::find(b.servers_.begin(), b.servers_.end(), server);
    if (found == b.servers_.end()) return false;
    index_in_b.push_back(static_cast<SlotMap::ServerIndex>(found - b.servers_.begin()));
  }
  return std::equal(a.owner_.begin(), a.owner_.end(), b.owner_.begin(),
                    [&](SlotMap::ServerIndex in_a, SlotMap::ServerIndex in_b) {
                      return (in_a == SlotMap::kNobody ? in_a : index_in_b[in_a]) == in_b;
                    });
}

void SlotMap::clear() {
  servers_.clear();
  owner_.fill(kNobody);
}

const RedisAddress* SlotMap::server_of(std::uint16_t slot) const {
  const ServerIndex index = owner_[slot];
  return index == kNobody ? nullptr : &servers_[index];
}

bool SlotMap::is_complete() const {
  return std::find(owner_.begin(), owner_.end(), kNobody) == owner_.end();
}

SlotMap::ServerIndex SlotMap::index_of(const RedisAddress& server) {
  const auto found = std::find(servers_.begin(), servers_.end(), server);
  if (found != servers_.end()) return static_cast<ServerIndex>(found - servers_.begin());
  if (servers_.size() >= kClusterNodesMax) return kNobody;
  servers_.push_back(server);
  return static_cast<ServerIndex>(servers_.size() - 1);
}

}  // namespace uproar::storage::redis
