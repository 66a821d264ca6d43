#pragma once

// What the assemblers of one shard share: buffers for messages that are not complete yet and
// inflate streams for compressed ones. An idle connection holds neither. Not thread-safe: one per
// shard; outlives every MessageAssembler that used it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/ws/close_code.h"
#include "proto/ws/limits.h"
#include "proto/ws/opcode.h"
#include "proto/ws/utf8.h"

struct z_stream_s;

namespace uproar::ws {

class AssemblerPool;

// One raw-DEFLATE reader with a 32 KiB window, which reads what any smaller window wrote. 7 KiB,
// and 32 KiB from the first byte on.
class InflateStream {
 public:
  InflateStream();
  ~InflateStream();
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;

  void reset();  // forget everything: the next byte starts a message

  struct Progress {
    bool ok = true;        // false: not DEFLATE; what was written before stands
    bool blocked = false;  // output full, more may follow without further input
    std::size_t consumed = 0;
    std::size_t written = 0;
  };
  // REQUIRES: !output.empty().
  [[nodiscard]] Progress inflate(ByteView input, MutableBytes output);

  // True when the bytes so far end a block at a byte boundary, as a whole message followed by its
  // 00 00 FF FF does, or end a block that says it is the last (BFINAL, RFC 7692 §7.2.3.4).
  [[nodiscard]] bool at_block_end() const;
  [[nodiscard]] bool at_final_end() const { return ended_; }

 private:
  std::unique_ptr<z_stream_s> stream_;
  bool ended_ = false;
};

// A growing byte buffer whose capacity is charged to its pool.
class PartialBuffer {
 public:
  explicit PartialBuffer(AssemblerPool& pool) : pool_(pool) {}
  ~PartialBuffer();
  PartialBuffer(const PartialBuffer&) = delete;
  PartialBuffer& operator=(const PartialBuffer&) = delete;

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] ByteView view() const { return {data_, size_}; }
  [[nodiscard]] ByteView tail(std::size_t from) const { return view().subspan(from); }

  // Room for at least `bytes` more and never more than `total_max` in all (+ padding); false: the
  // pool's budget is used up. REQUIRES: size() + bytes <= total_max.
  [[nodiscard]] bool reserve(std::size_t bytes, std::size_t total_max);
  [[nodiscard]] MutableBytes room() const { return {data_ + size_, capacity_ - size_}; }
  void commit(std::size_t bytes) { size_ += bytes; }
  [[nodiscard]] bool append(ByteView bytes, std::size_t total_max);

  // The payload, with kPayloadPaddingBytes zeroed readable bytes after its end.
  [[nodiscard]] ByteView padded_view();
  void clear() { size_ = 0; }
  void trim(std::size_t capacity_max);  // frees a buffer that is larger
  void swap(PartialBuffer& other);

 private:
  AssemblerPool& pool_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;  // without the padding
};

// A message, a control frame or both that began in an earlier input.
struct PartialMessage {
  explicit PartialMessage(AssemblerPool& owner) : pool(owner), bytes(owner) {}

  AssemblerPool& pool;
  PartialBuffer
      bytes;  // the payload so far; compressed bytes when `compressed` and no stream was to be had
  std::unique_ptr<InflateStream> stream;  // `compressed` only
  Utf8Validator utf8;
  Opcode opcode = Opcode::kContinuation;  // kText or kBinary while a message is open
  bool compressed = false;
  std::uint32_t compressed_bytes = 0;  // on the wire, of all fragments whose header was seen
  std::uint16_t frames = 0;            // of the open message, whose headers were seen
  std::uint8_t control_bytes = 0;
  std::array<std::byte, kControlPayloadBytesMax> control;

  [[nodiscard]] bool message_open() const { return opcode != Opcode::kContinuation; }
};

struct ReturnPartial {
  void operator()(PartialMessage* partial) const;
};
using PartialPtr = std::unique_ptr<PartialMessage, ReturnPartial>;

class AssemblerPool {
 public:
  struct Options {
    std::size_t partial_bytes_max = kPartialBytesMaxDefault;
    std::uint32_t inflate_streams_max = kInflateStreamsMaxDefault;
  };

  explicit AssemblerPool(Options options);
  AssemblerPool() : AssemblerPool(Options{}) {}
  ~AssemblerPool();  // REQUIRES: every partial came back
  AssemblerPool(const AssemblerPool&) = delete;
  AssemblerPool& operator=(const AssemblerPool&) = delete;

  // For metrics: bytes of buffers held now, spares included; partial messages and inflate streams
  // lent now.
  [[nodiscard]] std::size_t bytes_held() const { return bytes_held_; }
  [[nodiscard]] std::uint32_t partials_lent() const { return partials_lent_; }
  [[nodiscard]] std::uint32_t streams_lent() const { return streams_lent_; }

  // All bytes that inflating has written since the pool was made: the difference over a step() is what that step cost.
  [[nodiscard]] std::uint64_t inflated_bytes() const { return inflated_bytes_; }

  // The rest is for MessageAssembler.
  void count_inflated(std::size_t bytes) { inflated_bytes_ += bytes; }
  [[nodiscard]] PartialPtr take_partial();
  [[nodiscard]] std::unique_ptr<InflateStream> take_stream();  // reset; null when all are lent
  void return_stream(std::unique_ptr<InflateStream> stream);
  [[nodiscard]] InflateStream& spare_stream();  // reset; for use within one call

 private:
  friend class PartialBuffer;
  friend struct ReturnPartial;

  [[nodiscard]] bool charge(std::size_t bytes);
  void discharge(std::size_t bytes) { bytes_held_ -= bytes; }
  void give_back(PartialMessage* partial);

  const Options options_;
  std::size_t bytes_held_ = 0;
  std::uint64_t inflated_bytes_ = 0;
  std::uint32_t partials_lent_ = 0;
  std::uint32_t streams_lent_ = 0;
  std::vector<std::unique_ptr<PartialMessage>> spare_partials_;
  std::vector<std::unique_ptr<InflateStream>> spare_streams_;
  std::unique_ptr<InflateStream> scratch_stream_;
};

}  // namespace uproar::ws
