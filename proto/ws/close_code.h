#pragma once

// Close codes (RFC 6455 §7.4, and ours) and the one table from each mistake of a peer to the code
// and words it gets.

#include <cstdint>
#include <string_view>

namespace uproar::ws {

// The advice is in the range: 4000-4099 final, 4100-4199 get a new token first, 4200-4299 retry
// with backoff, 4300-4399 reconnect elsewhere within the stated spread.
enum class CloseCode : std::uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kUnsupportedData = 1003,
  kNoStatus = 1005,  // never on the wire: "the close frame had no body"
  kAbnormal = 1006,  // never on the wire: "the connection ended without a close frame"
  kInvalidPayload = 1007,
  kPolicyViolation = 1008,
  kTooBig = 1009,
  kInternalError = 1011,

  kForbidden = 4003,
  kVersion = 4006,  // reserved, never sent: who offers no version of ours is refused by HTTP
  kTooManyConnections = 4009,
  kTokenExpired = 4101,
  kTokenRevoked = 4102,
  kOverloaded = 4200,
  kSlowReader = 4201,
  kRateLimited = 4202,
  kHeartbeatTimeout = 4208,
  kDraining = 4300,
  kUnauthorized = 4401,
};

// True for codes that a peer may send: 1000-1003, 1007-1014, 3000-4999 (RFC 6455 §7.4.1 and the
// IANA registry).
constexpr bool may_be_received(std::uint16_t code) {
  if (code >= 1000 && code <= 1003) return true;
  if (code >= 1007 && code <= 1014) return true;
  return code >= 3000 && code <= 4999;
}

// One value per rule that a client can break on an open connection.
enum class ProtocolError : std::uint8_t {
  kNone = 0,
  // Frame header (RFC 6455 §5.2, §5.5)
  kReservedBits,       // RSV set that no extension defines for this frame
  kReservedOpcode,     // 0x3-0x7, 0xB-0xF
  kControlFragmented,  // control frame without FIN
  kUnmasked,           // client frame without a mask
  kControlTooLong,     // control frame over 125 bytes
  kLengthTopBit,       // 64-bit length with the top bit set
  kLengthNotMinimal,   // 16-bit length below 126, 64-bit length below 65,536
  kTooBig,             // frame, message or inflated message over the limit
  // Sequence of frames (§5.4)
  kOrphanContinuation,  // continuation with no message open
  kInterleavedMessage,  // text or binary frame while a message is open
  kTooManyFrames,       // more than kMessageFramesMax in one message
  // Content
  kInvalidUtf8,  // text message or close reason (§8.1)
  kBadDeflate,  // compressed payload that is not DEFLATE, or ends inside a block (RFC 7692 §7.2.2)
  kCloseBodyOneByte,  // close body of 1 byte (§5.5.1)
  kCloseCodeInvalid,  // close code that may not be sent (§7.4)
  // Not the client's doing
  kOverloaded,  // the shard's memory for partial messages is used up
  kLast = kOverloaded,
};

struct CloseAdvice {
  CloseCode code;
  std::string_view reason;  // static text, at most 123 bytes, ASCII
};

// The close frame that a connection with this error gets. REQUIRES: error != kNone.
[[nodiscard]] CloseAdvice close_advice(ProtocolError error);

}  // namespace uproar::ws
