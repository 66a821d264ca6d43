#pragma once

// 128-bit ids (RFC 9562). Ids that the server makes are version 7: they sort by creation time.

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace uproar {

struct Uuid {
  std::uint64_t high = 0;  // big-endian reading of bytes 0..7
  std::uint64_t low = 0;   // big-endian reading of bytes 8..15

  static constexpr std::size_t kTextBytes = 36;
  static constexpr std::size_t kBinaryBytes = 16;

  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
  [[nodiscard]] constexpr bool is_nil() const { return high == 0 && low == 0; }

  // Accepts the 36-character form in either case; anything else is nullopt.
  [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);
  // Writes exactly kTextBytes lower-case characters, no terminator.
  void write_text(char* out) const;
  [[nodiscard]] std::string text() const;

  [[nodiscard]] static Uuid from_bytes(const void* bytes16);
  void write_bytes(void* out16) const;

  // Version 7 from Unix milliseconds and 74 bits of randomness (bits of `random` that the layout has no room
  // for are ignored).
  [[nodiscard]] static Uuid v7(std::uint64_t unix_ms, std::uint64_t random_a,
                               std::uint64_t random_b);
  // Version 8 (application-defined) from 16 digest bytes.
  [[nodiscard]] static Uuid v8(const void* digest16);
};

// A Uuid that cannot be mixed up with another kind of id.
template <class Tag>
class StrongId {
 public:
  constexpr StrongId() = default;
  explicit constexpr StrongId(Uuid uuid) : uuid_(uuid) {}

  [[nodiscard]] static std::optional<StrongId> parse(std::string_view text) {
    auto uuid = Uuid::parse(text);
    if (!uuid) return std::nullopt;
    return StrongId(*uuid);
  }
  [[nodiscard]] constexpr const Uuid& uuid() const { return uuid_; }
  [[nodiscard]] std::string text() const { return uuid_.text(); }
  [[nodiscard]] constexpr bool is_nil() const { return uuid_.is_nil(); }
  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;

  // absl containers; ids made by others may not be random, so the container's own mixing is relied on.
  template <class H>
  friend H AbslHashValue(H h, const StrongId& id) {
    return H::combine(std::move(h), id.uuid_.high, id.uuid_.low);
  }

 private:
  Uuid uuid_;
};

template <class H>
H AbslHashValue(H h, const Uuid& uuid) {
  return H::combine(std::move(h), uuid.high, uuid.low);
}

}  // namespace uproar

template <>
struct std::hash<uproar::Uuid> {
  std::size_t operator()(const uproar::Uuid& uuid) const noexcept {
    return static_cast<std::size_t>(uuid.high ^ (uuid.low * 0x9E3779B97F4A7C15ULL));
  }
};

template <class Tag>
struct std::hash<uproar::StrongId<Tag>> {
  std::size_t operator()(const uproar::StrongId<Tag>& id) const noexcept {
    return std::hash<uproar::Uuid>{}(id.uuid());
  }
};
