#include "proto/ws/deflate.h"

#include <cstring>

#include <zlib.h>

#include "proto/base/check.h"
#include "proto/ws/frame_writer.h"
#include "proto/ws/limits.h"

namespace uproar::ws {
namespace {

// 32 KiB of hash tables and 16 KiB of symbols: 9 % faster on 512 bytes than zlib's default of 8
// (less to clear between messages), and the same size on the events of bench/proto/ws.
constexpr int kMemLevel = 6;
constexpr std::size_t kTailBytes = 4;  // 00 00 FF FF, which RFC 7692 §7.2.1 takes off
// What a flush may add over deflateBound(), which speaks of Z_FINISH: the open block's end, one
// empty stored block.
constexpr std::size_t kFlushBytes = 16;

}  // namespace

Deflater::Deflater(Options options) : options_(options) {
  UPROAR_CHECK(options_.level >= 1 && options_.level <= 9, options_.level);
}

Deflater::~Deflater() {
  for (auto& stream : streams_) {
    if (stream != nullptr) deflateEnd(stream.get());
  }
}

z_stream_s& Deflater::stream_for(int window_bits) {
  UPROAR_CHECK(window_bits >= kWindowBitsMin && window_bits <= kWindowBitsMax, window_bits);
  auto& stream = streams_[static_cast<std::size_t>(window_bits - kWindowBitsMin)];
  if (stream == nullptr) {
    stream = std::make_unique<z_stream>();  // zeroed: default allocators
    const int result = deflateInit2(stream.get(), options_.level, Z_DEFLATED, -window_bits,
                                    kMemLevel, Z_DEFAULT_STRATEGY);
    UPROAR_CHECK(result == Z_OK, result);
  } else {
    deflateReset(stream.get());  // no context takeover: every message starts afresh
  }
  return *stream;
}

ByteView Deflater::compress_payload(ByteView payload, int window_bits) {
  UPROAR_CHECK(payload.size() <= kMessageBytesMaxCeiling, payload.size());
  z_stream& stream = stream_for(window_bits);
  const std::size_t bound = deflateBound(&stream, static_cast<uLong>(payload.size())) + kFlushBytes;
  if (scratch_.capacity() > kDeflateScratchBytesMax && bound <= kDeflateScratchBytesMax) {
    std::vector<std::byte>().swap(scratch_);  // one large message must not keep its memory for ever
  }
  if (scratch_.size() < bound) scratch_.resize(bound);

  static std::byte nothing{};  // zlib refuses a null input
  auto* input =
      const_cast<std::byte*>(payload.empty() ? &nothing : payload.data());  // zlib reads only
  stream.next_in = reinterpret_cast<Bytef*>(input);
  stream.avail_in = static_cast<uInt>(payload.size());
  stream.next_out = reinterpret_cast<Bytef*>(scratch_.data());
  stream.avail_out = static_cast<uInt>(scratch_.size());
  const int result = deflate(&stream, Z_SYNC_FLUSH);
  UPROAR_CHECK(result == Z_OK, result);
  UPROAR_CHECK(stream.avail_in == 0 && stream.avail_out != 0,
               payload.size());  // the flush is whole

  const std::size_t written = scratch_.size() - stream.avail_out;
  UPROAR_CHECK(written > kTailBytes, written);
  return ByteView(scratch_).first(written - kTailBytes);
}

SharedBytes Deflater::compress(Opcode opcode, ByteView payload, int window_bits) {
  UPROAR_CHECK(opcode == Opcode::kText || opcode == Opcode::kBinary, opcode);
  const ByteView compressed = compress_payload(payload, window_bits);
  if (compressed.size() >= payload.size()) return {};
  return frame(opcode, compressed, /*compressed=*/true);
}

}  // namespace uproar::ws
