#include "proto/ws/close_code.h"

#include <cstddef>
#include <iterator>

#include "proto/base/check.h"

namespace uproar::ws {
namespace {

struct Row {
  ProtocolError error;
  CloseAdvice advice;
};

using enum ProtocolError;

// In the order of the enum, so that a row is found by its number.
constexpr Row kTable[] = {
    {kNone, {CloseCode::kNormal, ""}},
    {kReservedBits, {CloseCode::kProtocolError, "reserved bit set"}},
    {kReservedOpcode, {CloseCode::kProtocolError, "reserved opcode"}},
    {kControlFragmented, {CloseCode::kProtocolError, "fragmented control frame"}},
    {kUnmasked, {CloseCode::kProtocolError, "client frame is not masked"}},
    {kControlTooLong, {CloseCode::kProtocolError, "control frame over 125 bytes"}},
    {kLengthTopBit, {CloseCode::kProtocolError, "frame length has its top bit set"}},
    {kLengthNotMinimal, {CloseCode::kProtocolError, "frame length is not minimal"}},
    {kTooBig, {CloseCode::kTooBig, "message too big"}},
    {kOrphanContinuation, {CloseCode::kProtocolError, "continuation without a message"}},
    {kInterleavedMessage, {CloseCode::kProtocolError, "new message inside a message"}},
    {kTooManyFrames, {CloseCode::kPolicyViolation, "too many frames in one message"}},
    {kInvalidUtf8, {CloseCode::kInvalidPayload, "invalid UTF-8"}},
    {kBadDeflate, {CloseCode::kInvalidPayload, "invalid compressed data"}},
    {kCloseBodyOneByte, {CloseCode::kProtocolError, "close body of one byte"}},
    {kCloseCodeInvalid, {CloseCode::kProtocolError, "invalid close code"}},
    {kOverloaded, {CloseCode::kOverloaded, "server overloaded"}},
};
static_assert(std::size(kTable) == static_cast<std::size_t>(kLast) + 1);

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(kTable); ++i) {
    if (static_cast<std::size_t>(kTable[i].error) != i) return false;
    if (kTable[i].advice.reason.size() > 123) return false;
  }
  return true;
}
static_assert(in_order(), "a row is found by its number, and its reason fits a close frame");

}  // namespace

CloseAdvice close_advice(ProtocolError error) {
  UPROAR_CHECK(error != kNone);
  return kTable[static_cast<std::size_t>(error)].advice;
}

}  // namespace uproar::ws
