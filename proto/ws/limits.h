#pragma once

// Every bound of proto/ws, with the arithmetic that chose it.

#include <cstddef>
#include <cstdint>

namespace uproar::ws {

// RFC 6455 §5.2: 2 + 8 (64-bit length) + 4 (mask).
inline constexpr std::size_t kClientHeaderBytesMax = 14;
// Server frames carry no mask: 2 + 8.
inline constexpr std::size_t kServerHeaderBytesMax = 10;

// RFC 6455 §5.5: the payload of ping, pong and close fits the 7-bit length.
inline constexpr std::size_t kControlPayloadBytesMax = 125;
// 2 bytes of close code leave 123 for the reason.
inline constexpr std::size_t kCloseReasonBytesMax = kControlPayloadBytesMax - 2;

// Largest message a configuration may allow (--message-bytes-max): 16 MiB. A compressed message may
// be a little longer on the wire than what it inflates to, and a frame of twice this must still fit
// 32 bits: 2 * 16 MiB << 4 GiB.
inline constexpr std::uint32_t kMessageBytesMaxCeiling = 16U << 20;
inline constexpr std::uint32_t kMessageBytesMaxDefault = 64U << 10;

// Readable bytes after every assembled payload, so that a reader may load whole vectors past the
// end (simdjson: 64).
inline constexpr std::size_t kPayloadPaddingBytes = 64;

// deflate may expand: a stored block costs 5 bytes for each 64 KiB - 1 (0.008 %), small messages at
// most some 16 bytes, and encoders that flush often cut smaller blocks. 1/256 and 64 bytes over the
// limit cover honest encoders.
constexpr std::uint32_t compressed_bytes_max(std::uint32_t message_bytes_max) {
  return message_bytes_max + message_bytes_max / 256 + 64;
}
static_assert(compressed_bytes_max(kMessageBytesMaxCeiling) < 2 * kMessageBytesMaxCeiling);

// What a shard holds for messages that are not complete yet. 256 MiB = 16 messages at the 16 MiB
// ceiling, 4,096 at the default of 64 KiB. Above: the connection that asks for more is closed with
// 4200 (ProtocolError::kOverloaded).
inline constexpr std::size_t kPartialBytesMaxDefault = 256U << 20;

// Frames of one message. Who streams a message of the ceiling in pieces of 16 KiB needs 1,024. Above:
// 1008. Without a bound, empty frames never end a message and cost nothing but the reader's time.
inline constexpr std::uint16_t kMessageFramesMax = 1024;

// Compressed messages that are open across reads own an inflate stream (7 KiB + 32 KiB window): 256
// * 39 KiB = 10 MiB a shard. Above: compressed bytes are kept until the last fragment, so a mistake
// in the text is found there instead of at once.
inline constexpr std::uint32_t kInflateStreamsMaxDefault = 256;
// One stream: 7 KiB and its window of 32 KiB.
inline constexpr std::uint32_t kInflateStreamBytes = 39U << 10;

// Kept ready between messages, so that steady traffic allocates nothing: 4 * (64 KiB + 0.3 KiB) + 2
// * 39 KiB = 335 KiB a shard.
inline constexpr std::uint32_t kSparePartialsMax = 4;
inline constexpr std::uint32_t kSpareBufferBytesMax = 64U << 10;
inline constexpr std::uint32_t kSpareStreamsMax = 2;

// First buffer of a partial message; it doubles from here.
inline constexpr std::uint32_t kPartialBytesMin = 1024;

// Compressor output kept between messages; larger ones are freed after use.
inline constexpr std::size_t kDeflateScratchBytesMax = 256U << 10;

// Handshake header lines looked at: Sec-WebSocket-Protocol and Sec-WebSocket-Extensions may each be
// split over this many lines; later lines are ignored, which can only mean an offer not taken.
inline constexpr std::size_t kHandshakeListLinesMax = 4;

}  // namespace uproar::ws
