#pragma once

// Compresses one message once for all its hearers (RFC 7692 §7.2.1): the server negotiates
// server_no_context_takeover with everybody, so the bytes do not depend on what a hearer was sent
// before. One per shard; not thread-safe.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/shared_bytes.h"
#include "proto/ws/opcode.h"

struct z_stream_s;

namespace uproar::ws {

// zlib writes raw DEFLATE with windows of 2^9 to 2^15 bytes; 2^8 is never agreed to
// (deflate_offer.h).
inline constexpr int kWindowBitsMin = 9;
inline constexpr int kWindowBitsMax = 15;

// True when a message of this size, compressed with any window, can be read by a hearer that agreed
// to `window_bits`: no distance in it is longer than the message. So one compression serves nearly
// all hearers, and the few with a small window get long messages uncompressed (or compressed for
// their window).
constexpr bool fits_window(std::size_t payload_bytes, int window_bits) {
  return payload_bytes <= (std::size_t{1} << window_bits);
}

class Deflater {
 public:
  struct Options {
    int level = 1;  // zlib level 1 (fastest) .. 9
  };

  explicit Deflater(Options options);
  Deflater() : Deflater(Options{}) {}
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // A whole compressed frame (RSV1 set), or empty bytes when that would not be shorter than the
  // plain one: send plain then. The first use of a window size allocates its stream (160 KiB at 15
  // bits), which stays. REQUIRES: opcode is kText or kBinary; kWindowBitsMin <= window_bits <=
  // kWindowBitsMax; payload <= kMessageBytesMaxCeiling.
  [[nodiscard]] SharedBytes compress(Opcode opcode, ByteView payload,
                                     int window_bits = kWindowBitsMax);

  // The compressed payload alone, without 00 00 FF FF; never empty. Valid until the next call.
  [[nodiscard]] ByteView compress_payload(ByteView payload, int window_bits = kWindowBitsMax);

 private:
  [[nodiscard]] z_stream_s& stream_for(int window_bits);

  const Options options_;
  std::array<std::unique_ptr<z_stream_s>, kWindowBitsMax - kWindowBitsMin + 1> streams_;
  std::vector<std::byte> scratch_;
};

}  // namespace uproar::ws
