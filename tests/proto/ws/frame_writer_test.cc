#include "proto/ws/frame_writer.h"

#include <string>

#include <gtest/gtest.h>

#include "proto/ws/utf8.h"

namespace uproar::ws {
namespace {

using namespace std::string_literals;

std::string bytes_of(const SharedBytes& bytes) {
  return std::string(as_text(bytes.view()));
}
std::string bytes_of(const ControlFrame& frame) {
  return std::string(as_text(frame.view()));
}

TEST(FrameWriter, WritesTheExamplesOfTheStandard) {  // RFC 6455 §5.7
  EXPECT_EQ(bytes_of(text_frame("Hello")), "\x81\x05Hello");
  EXPECT_EQ(bytes_of(control_frame(Opcode::kPing, as_bytes("Hello"))), "\x89\x05Hello");
  const std::string b256(256, 'b');
  EXPECT_EQ(bytes_of(frame(Opcode::kBinary, as_bytes(b256))), "\x82\x7E\x01\x00"s.append(b256));
  const std::string b64k(65536, 'b');
  EXPECT_EQ(bytes_of(frame(Opcode::kBinary, as_bytes(b64k))),
            "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"s.append(b64k));
}

TEST(FrameWriter, ChoosesTheShortestLengthAtEveryBoundary) {
  const struct {
    std::size_t payload;
    std::string header;
  } rows[] = {
      {0, "\x82\x00"s},
      {1, "\x82\x01"s},
      {125, "\x82\x7D"s},
      {126, "\x82\x7E\x00\x7E"s},
      {127, "\x82\x7E\x00\x7F"s},
      {65535, "\x82\x7E\xFF\xFF"s},
      {65536, "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"s},
  };
  for (const auto& row : rows) {
    const std::string payload(row.payload, 'p');
    EXPECT_EQ(header_bytes(row.payload), row.header.size());
    EXPECT_EQ(bytes_of(frame(Opcode::kBinary, as_bytes(payload))), row.header + payload)
        << row.payload;
  }
}

TEST(FrameWriter, SetsTheFirstReservedBitForCompressedMessages) {
  EXPECT_EQ(bytes_of(frame(Opcode::kText, as_bytes("x"), true)), "\xC1\x01x");
}

TEST(FrameWriter, WritesCloseFrames) {
  EXPECT_EQ(bytes_of(close_frame(CloseCode::kNormal)), "\x88\x02\x03\xE8"s);
  EXPECT_EQ(bytes_of(close_frame(CloseCode::kDraining, "bye")),
            "\x88\x05\x10\xCC"
            "bye"s);
  EXPECT_EQ(bytes_of(close_frame(CloseCode::kNoStatus, "unsaid")), "\x88\x00"s);
  EXPECT_EQ(bytes_of(close_frame(ProtocolError::kTooBig)), "\x88\x11\x03\xF1message too big"s);
}

TEST(FrameWriter, CutsALongReasonBeforeTheCharacterThatDoesNotFit) {
  for (std::size_t before = 118; before <= 126; ++before) {
    const std::string reason = std::string(before, 'r') + "\xF0\x9F\x98\x80\xF0\x9F\x98\x80";
    const ControlFrame frame = close_frame(CloseCode::kInternalError, reason);
    const std::string kept = bytes_of(frame).substr(4);
    EXPECT_LE(kept.size(), kCloseReasonBytesMax);
    EXPECT_GT(kept.size() + 4, kCloseReasonBytesMax);
    EXPECT_TRUE(is_utf8(as_bytes(kept))) << before;
    EXPECT_TRUE(reason.starts_with(kept));
  }
}

TEST(FrameWriter, HoldsTheLongestControlPayload) {
  const std::string longest(kControlPayloadBytesMax, 'c');
  EXPECT_EQ(bytes_of(control_frame(Opcode::kPong, as_bytes(longest))), "\x8A\x7D" + longest);
  EXPECT_DEATH((void)control_frame(Opcode::kPong, as_bytes(longest + "c")), "size");
}

}  // namespace
}  // namespace uproar::ws
