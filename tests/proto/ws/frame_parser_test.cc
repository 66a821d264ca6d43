// The parser alone; what it is for is tested through message_assembler_test.cc.

#include "proto/ws/frame_parser.h"

#include <optional>

#include <gtest/gtest.h>

#include "tests/proto/ws/wire.h"

namespace uproar::ws {
namespace {

using namespace testing;

struct Frame {
  FrameHeader header;
  std::string payload;
  bool ended = false;
};

struct Outcome {
  std::vector<Frame> frames;
  ProtocolError error = ProtocolError::kNone;
  std::size_t bytes_read = 0;  // of the input, up to and including the byte that decided
};

Outcome parse(const std::vector<std::string_view>& pieces, FrameParser::Options options) {
  FrameParser parser(options);
  Outcome outcome;
  for (const auto piece : pieces) {
    std::string block(piece);
    std::span<std::byte> rest(reinterpret_cast<std::byte*>(block.data()), block.size());
    for (;;) {
      const FrameStep step = parser.step(rest);
      rest = rest.subspan(step.consumed);
      if (step.status == FrameStatus::kError) {
        outcome.error = step.error;
        outcome.bytes_read += piece.size();
        return outcome;
      }
      if (step.status == FrameStatus::kNeedMore) {
        EXPECT_TRUE(rest.empty());
        break;
      }
      if (step.is_first) outcome.frames.push_back({step.frame, {}, false});
      outcome.frames.back().payload += as_text(step.payload);
      outcome.frames.back().ended = step.is_last;
    }
    outcome.bytes_read += piece.size();
  }
  return outcome;
}

TEST(FrameParser, ReadsTheExamplesOfTheStandardHoweverTheyAreSplit) {  // RFC 6455 §5.7
  const std::string hello = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s;
  for (std::size_t size = 1; size <= hello.size(); ++size) {
    const Outcome outcome = parse(chunks(hello, size), {});
    ASSERT_EQ(outcome.error, ProtocolError::kNone);
    ASSERT_EQ(outcome.frames.size(), 1U);
    EXPECT_EQ(outcome.frames[0].payload, "Hello");
    EXPECT_TRUE(outcome.frames[0].ended);
    EXPECT_TRUE(outcome.frames[0].header.fin);
    EXPECT_EQ(outcome.frames[0].header.opcode, Opcode::kText);
    EXPECT_EQ(outcome.frames[0].header.payload_bytes, 5U);
  }
}

TEST(FrameParser, AcceptsEveryKnownOpcodeAndRefusesTheRest) {  // 0x0-0x2, 0x8-0xA: RFC 6455 §11.8
  for (int opcode = 0; opcode <= 0xF; ++opcode) {
    const bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
    const std::string bytes = client_frame(kFin | opcode, "ab");
    for (std::size_t size : {std::size_t{1}, bytes.size()}) {
      const Outcome outcome = parse(chunks(bytes, size), {});
      EXPECT_EQ(outcome.error, known ? ProtocolError::kNone : ProtocolError::kReservedOpcode)
          << opcode;
      EXPECT_EQ(outcome.frames.size(), known ? 1U : 0U) << opcode;
    }
  }
}

TEST(FrameParser, AllowsRsv1OnlyOnTheFirstDataFrameAndOnlyWithDeflate) {
  for (int rsv = 0x10; rsv <= 0x70; rsv += 0x10) {
    for (int opcode : {0, 1, 2, 8, 9, 10}) {
      for (bool deflate : {false, true}) {
        const bool allowed = deflate && rsv == kRsv1 && (opcode == 1 || opcode == 2);
        const Outcome outcome =
            parse({client_frame(kFin | rsv | opcode, "")}, {.deflate = deflate});
        EXPECT_EQ(outcome.error, allowed ? ProtocolError::kNone : ProtocolError::kReservedBits)
            << rsv << " " << opcode << " " << deflate;
      }
    }
  }
}

TEST(FrameParser, ReadsEveryBoundaryLength) {
  for (std::size_t length : {0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 65537}) {
    const std::string payload(length, 'q');
    const std::string bytes = client_frame(0x82, payload);
    for (std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, bytes.size()}) {
      const Outcome outcome = parse(chunks(bytes, size), {.payload_bytes_max = 70000});
      ASSERT_EQ(outcome.error, ProtocolError::kNone) << length;
      ASSERT_EQ(outcome.frames.size(), 1U) << length;
      EXPECT_EQ(outcome.frames[0].payload, payload) << length;
      EXPECT_TRUE(outcome.frames[0].ended) << length;
    }
  }
}

TEST(FrameParser, FallsAtTheByteThatDecides) {
  const std::string mask(kMaskBytes, 4);
  const struct {
    std::string bytes;
    std::size_t decides;  // bytes needed for the verdict
    ProtocolError error;
  } rows[] = {
      {"\x91\x80"s + mask, 1, ProtocolError::kReservedBits},
      {"\x83\x80"s + mask, 1, ProtocolError::kReservedOpcode},
      {"\x09\x80"s + mask, 1, ProtocolError::kControlFragmented},
      {"\x81\x05Hello"s, 2, ProtocolError::kUnmasked},
      {"\x89\xFE\x00\x7E"s + mask, 2, ProtocolError::kControlTooLong},
      {"\x82\xE5"s + mask, 2, ProtocolError::kTooBig},  // 101 > 100
      {"\x82\xFE\x00\x7D"s + mask, 4, ProtocolError::kLengthNotMinimal},
      {"\x82\xFE\x00\x7E"s + mask, 4, ProtocolError::kTooBig},
      {"\x82\xFF\x80\x00\x00\x00\x00\x00\x00\x01"s + mask, 10, ProtocolError::kLengthTopBit},
      {"\x82\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF"s + mask, 10, ProtocolError::kLengthNotMinimal},
      {"\x82\xFF\x00\x00\x00\x00\x00\x01\x00\x00"s + mask, 10, ProtocolError::kTooBig},
      {"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s + mask, 10, ProtocolError::kTooBig},
  };
  for (const auto& row : rows) {
    const Outcome by_byte = parse(chunks(row.bytes, 1), {.payload_bytes_max = 100});
    EXPECT_EQ(by_byte.error, row.error);
    EXPECT_EQ(by_byte.bytes_read, row.decides);
    EXPECT_EQ(parse({row.bytes}, {.payload_bytes_max = 100}).error, row.error);
    for (std::size_t cut = 1; cut < row.bytes.size(); ++cut) {
      const std::string_view all = row.bytes;
      EXPECT_EQ(parse({all.substr(0, cut), all.substr(cut)}, {.payload_bytes_max = 100}).error,
                row.error)
          << cut;
    }
  }
}

TEST(FrameParser, LetsControlFramesBeLongerThanAMessageMayBe) {
  const Outcome outcome =
      parse({client_frame(0x89, std::string(125, 'p'))}, {.payload_bytes_max = 10});
  EXPECT_EQ(outcome.error, ProtocolError::kNone);
}

TEST(FrameParser, ReportsAFrameAsSoonAsItsHeaderIsWhole) {
  const Outcome outcome = parse({client_header(0x82, 50)}, {});
  ASSERT_EQ(outcome.frames.size(), 1U);
  EXPECT_EQ(outcome.frames[0].header.payload_bytes, 50U);
  EXPECT_FALSE(outcome.frames[0].ended);
}

TEST(FrameParser, KnowsWhetherAFrameIsBegun) {
  FrameParser parser({});
  EXPECT_TRUE(parser.between_frames());
  std::string bytes = text("ab");
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    (void)parser.step({reinterpret_cast<std::byte*>(&bytes[i]), 1});
    EXPECT_EQ(parser.between_frames(), i + 1 == bytes.size()) << i;
  }
}

TEST(FrameParser, RepeatsItsErrorForEver) {
  FrameParser parser({});
  std::string bytes = "\x81\x00"s + text("fine");
  std::span<std::byte> all(reinterpret_cast<std::byte*>(bytes.data()), bytes.size());
  EXPECT_EQ(parser.step(all).error, ProtocolError::kUnmasked);
  EXPECT_EQ(parser.step(all.subspan(2)).error, ProtocolError::kUnmasked);
  EXPECT_EQ(parser.step({}).status, FrameStatus::kError);
}

}  // namespace
}  // namespace uproar::ws
