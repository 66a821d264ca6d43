#pragma once

// Builds client frames byte by byte and feeds them to the assembler in pieces. Every piece is copied
// into a heap block of just its size, so that one byte too many trips the address sanitizer.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/ws/message_assembler.h"

namespace uproar::ws::testing {

using namespace std::string_literals;       // NOLINT: tests only
using namespace std::string_view_literals;  // NOLINT: tests only

inline constexpr std::uint8_t kFin = 0x80;
inline constexpr std::uint8_t kRsv1 = 0x40;
inline constexpr char kMaskBytes[] = "\x37\xfa\x21\x3d";  // of RFC 6455 §5.7

inline std::string masked(std::string_view payload) {
  std::string out(payload);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<char>(out[i] ^ kMaskBytes[i % 4]);
  return out;
}

inline std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

// Header of a masked frame that says `length`, in the shortest form.
inline std::string client_header(int first_byte, std::uint64_t length) {
  std::string out(1, static_cast<char>(first_byte));
  if (length <= 125) {
    out += static_cast<char>(0x80 | length);
  } else if (length <= 0xFFFF) {
    out += "\xFE";
    out += big_endian(length, 2);
  } else {
    out += "\xFF";
    out += big_endian(length, 8);
  }
  return out + std::string(kMaskBytes, 4);
}

inline std::string client_frame(int first_byte, std::string_view payload) {
  return client_header(first_byte, payload.size()) + masked(payload);
}

inline std::string text(std::string_view payload) {
  return client_frame(0x81, payload);
}
inline std::string close_body(int code, std::string_view reason = {}) {
  return big_endian(static_cast<std::uint64_t>(code), 2) + std::string(reason);
}

// One event, kept; payloads are copied out.
struct Seen {
  EventKind kind;
  ProtocolError error;
  int close_code;
  std::string payload;
  friend bool operator==(const Seen&, const Seen&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Seen& seen) {
    out << "{kind " << static_cast<int>(seen.kind) << ", error " << static_cast<int>(seen.error)
        << ", code " << seen.close_code << ", " << seen.payload.size() << " bytes";
    if (seen.payload.size() <= 80) out << " '" << seen.payload << "'";
    return out << "}";
  }
};

inline Seen seen_text(std::string_view payload) {
  return {EventKind::kText, ProtocolError::kNone, 1005, std::string(payload)};
}
inline Seen seen_binary(std::string_view payload) {
  return {EventKind::kBinary, ProtocolError::kNone, 1005, std::string(payload)};
}
inline Seen seen_ping(std::string_view payload) {
  return {EventKind::kPing, ProtocolError::kNone, 1005, std::string(payload)};
}
inline Seen seen_pong(std::string_view payload) {
  return {EventKind::kPong, ProtocolError::kNone, 1005, std::string(payload)};
}
inline Seen seen_close(int code, std::string_view reason = {}) {
  return {EventKind::kClose, ProtocolError::kNone, code, std::string(reason)};
}
inline Seen seen_error(ProtocolError error) {
  return {EventKind::kError, error, 1005, {}};
}

class Feeder {
 public:
  explicit Feeder(MessageAssembler::Options options, AssemblerPool::Options pool = {})
      : pool_(pool), assembler_(options) {}

  // One input of the assembler, to its end; an error or close ends everything.
  void feed(std::string_view bytes) {
    std::unique_ptr<std::byte[]> block(new std::byte[bytes.size()]);
    if (!bytes.empty()) std::memcpy(block.get(), bytes.data(), bytes.size());
    MutableBytes rest(block.get(), bytes.size());
    for (;;) {
      const AssemblerEvent event = assembler_.step(rest, pool_);
      rest = rest.subspan(event.consumed);
      if (event.kind == EventKind::kNeedMore) return;
      if (ended_) return;
      events_.push_back({event.kind, event.error, static_cast<int>(event.close_code),
                         std::string(as_text(event.payload))});
      ended_ = event.kind == EventKind::kError || event.kind == EventKind::kClose;
    }
  }

  [[nodiscard]] const std::vector<Seen>& events() const { return events_; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] MessageAssembler& assembler() { return assembler_; }
  [[nodiscard]] AssemblerPool& pool() { return pool_; }

 private:
  AssemblerPool pool_;  // outlives the assembler
  MessageAssembler assembler_;
  std::vector<Seen> events_;
  bool ended_ = false;
};

inline std::vector<Seen> run_pieces(const std::vector<std::string_view>& pieces,
                                    MessageAssembler::Options options,
                                    AssemblerPool::Options pool = {}) {
  Feeder feeder(options, pool);
  for (const auto piece : pieces) feeder.feed(piece);
  return feeder.events();
}

inline std::vector<std::string_view> chunks(std::string_view bytes, std::size_t size) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < bytes.size(); at += size) out.push_back(bytes.substr(at, size));
  return out;
}

}  // namespace uproar::ws::testing
