// Every row is fed whole, byte by byte and cut in two at every point; all must give the same events.

#include "proto/ws/message_assembler.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "proto/ws/deflate.h"
#include "tests/proto/ws/wire.h"

namespace uproar::ws {
namespace {

using namespace testing;

// Cut points: all of them for short inputs, the edges and a few inside for long ones.
std::vector<std::size_t> cuts(std::size_t bytes) {
  std::vector<std::size_t> out;
  for (std::size_t i = 1; i < bytes; ++i) {
    if (bytes <= 600 || i < 20 || i + 20 > bytes || i % 4099 == 0) out.push_back(i);
  }
  return out;
}

void expect_events(std::string_view what, std::string_view bytes, const std::vector<Seen>& expected,
                   MessageAssembler::Options options = {}) {
  EXPECT_EQ(run_pieces({bytes}, options), expected) << what << ": whole";
  EXPECT_EQ(run_pieces(chunks(bytes, 1), options), expected) << what << ": byte by byte";
  for (const std::size_t cut : cuts(bytes.size())) {
    ASSERT_EQ(run_pieces({bytes.substr(0, cut), bytes.substr(cut)}, options), expected)
        << what << ": cut at " << cut;
  }
}

std::string deflated(std::string_view payload) {
  Deflater deflater;
  return std::string(as_text(deflater.compress_payload(as_bytes(payload))));
}

TEST(MessageAssembler, DeliversTheExamplesOfTheStandard) {  // RFC 6455 §5.7
  expect_events("single text", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s,
                {seen_text("Hello")});
  expect_events("fragmented text", client_frame(0x01, "Hel") + client_frame(0x80, "lo"),
                {seen_text("Hello")});
  expect_events("masked pong", "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s,
                {seen_pong("Hello")});
  const std::string b256(256, 'b');
  expect_events("256 bytes", client_frame(0x82, b256), {seen_binary(b256)});
}

TEST(MessageAssembler, DeliversEveryBoundaryLength) {
  for (std::size_t length : {0, 1, 125, 126, 127, 65535, 65536}) {
    const std::string payload(length, 'q');
    const MessageAssembler::Options options{.message_bytes_max = 65536};
    expect_events("text", text(payload), {seen_text(payload)}, options);
    expect_events("binary", client_frame(0x82, payload), {seen_binary(payload)}, options);
    expect_events("two fragments",
                  client_frame(0x02, payload.substr(0, length / 3)) +
                      client_frame(0x80, payload.substr(length / 3)),
                  {seen_binary(payload)}, options);
  }
}

TEST(MessageAssembler, DeliversControlFramesBetweenFragmentsInOrder) {
  const std::string longest(125, 'p');
  expect_events("all in order",
                client_frame(0x89, "before") + client_frame(0x01, "a\xE2\x82") +
                    client_frame(0x89, longest) + client_frame(0x8A, "") + client_frame(0x00, "") +
                    client_frame(0x00,
                                 "\xAC"
                                 "b") +
                    client_frame(0x89, "x") + client_frame(0x80, "c") + text("next") +
                    client_frame(0x88, close_body(1000, "bye")) + text("never seen"),
                {seen_ping("before"), seen_ping(longest), seen_pong(""), seen_ping("x"),
                 seen_text("a\xE2\x82\xAC"
                           "bc"),
                 seen_text("next"), seen_close(1000, "bye")});
}

TEST(MessageAssembler, RefusesWhatTheStandardRefusesHoweverItIsSplit) {
  const std::string mask(kMaskBytes, 4);
  const std::string good = text("ok");
  const struct {
    const char* what;
    std::string bytes;
    ProtocolError error;
  } rows[] = {
      {"unmasked text", "\x81\x05Hello"s, ProtocolError::kUnmasked},
      {"unmasked, empty", "\x81\x00"s, ProtocolError::kUnmasked},
      {"unmasked ping", "\x89\x00"s, ProtocolError::kUnmasked},
      {"RSV1", client_frame(0xC1, "x"), ProtocolError::kReservedBits},
      {"RSV2", client_frame(0xA1, "x"), ProtocolError::kReservedBits},
      {"RSV3", client_frame(0x91, "x"), ProtocolError::kReservedBits},
      {"RSV1 on ping", client_frame(0xC9, "x"), ProtocolError::kReservedBits},
      {"opcode 3", client_frame(0x83, "x"), ProtocolError::kReservedOpcode},
      {"opcode 4", client_frame(0x84, "x"), ProtocolError::kReservedOpcode},
      {"opcode 5", client_frame(0x85, "x"), ProtocolError::kReservedOpcode},
      {"opcode 6", client_frame(0x86, "x"), ProtocolError::kReservedOpcode},
      {"opcode 7", client_frame(0x87, "x"), ProtocolError::kReservedOpcode},
      {"opcode B", client_frame(0x8B, "x"), ProtocolError::kReservedOpcode},
      {"opcode C", client_frame(0x8C, "x"), ProtocolError::kReservedOpcode},
      {"opcode D", client_frame(0x8D, "x"), ProtocolError::kReservedOpcode},
      {"opcode E", client_frame(0x8E, "x"), ProtocolError::kReservedOpcode},
      {"opcode F", client_frame(0x8F, "x"), ProtocolError::kReservedOpcode},
      {"top bit", "\x82\xFF\x80\x00\x00\x00\x00\x00\x00\x05"s + mask, ProtocolError::kLengthTopBit},
      {"5 in 16 bits", "\x82\xFE\x00\x05"s + mask + "xxxxx", ProtocolError::kLengthNotMinimal},
      {"125 in 16 bits", "\x82\xFE\x00\x7D"s + mask, ProtocolError::kLengthNotMinimal},
      {"5 in 64 bits", "\x82\xFF\x00\x00\x00\x00\x00\x00\x00\x05"s + mask,
       ProtocolError::kLengthNotMinimal},
      {"65535 in 64 bits", "\x82\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF"s + mask,
       ProtocolError::kLengthNotMinimal},
      {"ping of 126", client_frame(0x89, std::string(126, 'p')), ProtocolError::kControlTooLong},
      {"pong of 65536", client_header(0x8A, 65536), ProtocolError::kControlTooLong},
      {"close of 126", client_frame(0x88, close_body(1000, std::string(124, 'r'))),
       ProtocolError::kControlTooLong},
      {"fragmented ping", client_frame(0x09, "p"), ProtocolError::kControlFragmented},
      {"fragmented close", client_frame(0x08, close_body(1000)), ProtocolError::kControlFragmented},
      {"orphan continuation", client_frame(0x80, "x"), ProtocolError::kOrphanContinuation},
      {"orphan continuation, not final", client_frame(0x00, "x"),
       ProtocolError::kOrphanContinuation},
      {"orphan after a message", text("a") + client_frame(0x80, "x"), ProtocolError::kNone},
      {"text inside a message", client_frame(0x01, "a") + text("b"),
       ProtocolError::kInterleavedMessage},
      {"binary inside an empty message", client_frame(0x02, "") + client_frame(0x82, ""),
       ProtocolError::kInterleavedMessage},
      {"frame too big", client_frame(0x82, std::string(301, 'x')), ProtocolError::kTooBig},
      {"header too big", client_header(0x82, 1ULL << 40), ProtocolError::kTooBig},
      {"message too big", client_frame(0x02, std::string(200, 'x')) + client_header(0x80, 101),
       ProtocolError::kTooBig},
      {"close body of 1", client_frame(0x88, "\x03"), ProtocolError::kCloseBodyOneByte},
      {"close reason not UTF-8", client_frame(0x88, close_body(1000, "\xC3\x28")),
       ProtocolError::kInvalidUtf8},
      {"close reason cut short", client_frame(0x88, close_body(1000, "\xE2\x82")),
       ProtocolError::kInvalidUtf8},
  };
  for (const auto& row : rows) {
    if (row.error == ProtocolError::kNone) {
      expect_events(row.what, row.bytes,
                    {seen_text("a"), seen_error(ProtocolError::kOrphanContinuation)});
      continue;
    }
    const MessageAssembler::Options options{.message_bytes_max = 300};
    expect_events(row.what, row.bytes, {seen_error(row.error)}, options);
    expect_events(row.what, good + row.bytes, {seen_text("ok"), seen_error(row.error)}, options);
    if (row.bytes.find("\x01"
                       "a") == std::string::npos) {
      const bool data = (static_cast<unsigned char>(row.bytes[0]) & 0x0FU) <= 2;
      if (!data) {  // control frames are judged the same inside a message
        expect_events(row.what, client_frame(0x01, "open") + row.bytes, {seen_error(row.error)},
                      options);
      }
    }
  }
}

TEST(MessageAssembler, TakesAsManyFramesAsAMessageMayHave) {
  std::string frames = client_frame(0x01, "a");
  for (int i = 2; i < kMessageFramesMax; ++i) frames += client_frame(0x00, "");
  const std::string control = client_frame(0x89, "p");
  EXPECT_EQ(run_pieces({frames, control, client_frame(0x80, "z")}, {}),
            (std::vector<Seen>{seen_ping("p"), seen_text("az")}));
  EXPECT_EQ(run_pieces({frames, client_frame(0x00, ""), control, client_frame(0x80, "z")}, {}),
            (std::vector<Seen>{seen_ping("p"), seen_error(ProtocolError::kTooManyFrames)}));
  // The count belongs to the message: the next one has its own.
  EXPECT_EQ(run_pieces({frames, client_frame(0x80, "z"), frames, client_frame(0x80, "z")}, {}),
            (std::vector<Seen>{seen_text("az"), seen_text("az")}));
}

TEST(MessageAssembler, RefusesRsv1OnContinuationsAndControlFramesWhenDeflateIsOn) {
  const MessageAssembler::Options options{.deflate = true};
  expect_events("continuation", client_frame(0x41, deflated("a")) + client_frame(0xC0, "x"),
                {seen_error(ProtocolError::kReservedBits)}, options);
  expect_events("ping", client_frame(0xC9, "x"), {seen_error(ProtocolError::kReservedBits)},
                options);
  expect_events("RSV1 and RSV2", client_frame(0xE1, "x"),
                {seen_error(ProtocolError::kReservedBits)}, options);
}

TEST(MessageAssembler, JudgesEveryCloseCode) {
  for (int code = 0; code <= 0xFFFF; code += code < 5100 ? 1 : 601) {
    const bool good = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                      (code >= 3000 && code <= 4999);
    const Seen expected =
        good ? seen_close(code, "why") : seen_error(ProtocolError::kCloseCodeInvalid);
    const std::string bytes = client_frame(0x88, close_body(code, "why"));
    ASSERT_EQ(run_pieces({bytes}, {}), std::vector{expected}) << code;
    ASSERT_EQ(run_pieces(chunks(bytes, 1), {}), std::vector{expected}) << code;
  }
  for (int code :
       {0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 2999, 3000, 4999, 5000, 65535}) {
    const bool good = may_be_received(static_cast<std::uint16_t>(code));
    expect_events("close code", client_frame(0x88, close_body(code)),
                  {good ? seen_close(code) : seen_error(ProtocolError::kCloseCodeInvalid)});
  }
  expect_events("empty close", client_frame(0x88, ""), {seen_close(1005)});
  const std::string reason = std::string(119, 'r') + "\xF0\x9F\x98\x80";
  expect_events("longest reason", client_frame(0x88, close_body(1001, reason)),
                {seen_close(1001, reason)});
}

TEST(MessageAssembler, RefusesInvalidUtf8AtEverySplitPointInsideAndBetweenFrames) {
  const std::string wrongs[] = {
      "\xC0\xAF"s,         "\xED\xA0\x80"s, "\xF4\x90\x80\x80"s, "\xE2\x82"s,
      "\xF8\x88\x80\x80"s, "\x80"s,         "\xC3\x28"s,         "\xFF"s};
  for (const auto& wrong : wrongs) {
    const std::string payload = "\xCE\xBA\xE1\xBD\xB9 abcdefghijklmnopqrstuvwxyz0123456789" + wrong;
    expect_events("one frame", text(payload), {seen_error(ProtocolError::kInvalidUtf8)});
    for (std::size_t cut = 0; cut <= payload.size(); ++cut) {
      const std::string bytes =
          client_frame(0x01, payload.substr(0, cut)) + client_frame(0x80, payload.substr(cut));
      ASSERT_EQ(run_pieces({bytes}, {}), std::vector{seen_error(ProtocolError::kInvalidUtf8)})
          << cut;
      ASSERT_EQ(run_pieces(chunks(bytes, 1), {}),
                std::vector{seen_error(ProtocolError::kInvalidUtf8)})
          << cut;
    }
    expect_events("as binary", client_frame(0x82, payload), {seen_binary(payload)});
  }
}

TEST(MessageAssembler, FailsAtTheFirstWrongByteOfAText) {
  // The frame says 100 bytes; F4 90 is wrong at its second byte, long before the end.
  const std::string header = client_header(0x81, 100);
  Feeder feeder({});
  feeder.feed(header + masked("abc\xF4"));
  EXPECT_FALSE(feeder.ended());
  feeder.feed(masked("abc\xF4\x90").substr(4));
  EXPECT_TRUE(feeder.ended());
  EXPECT_EQ(feeder.events(), std::vector{seen_error(ProtocolError::kInvalidUtf8)});
}

TEST(MessageAssembler, FailsAtTheFirstWrongByteInsideCompressedFragments) {
  const std::string payload = deflated("good so far \xF4\x90 and so on, and on, and on");
  Feeder feeder({.deflate = true});
  feeder.feed(
      client_frame(0x41, payload.substr(0, payload.size() - 3)));  // the message is not complete
  EXPECT_EQ(feeder.events(), std::vector{seen_error(ProtocolError::kInvalidUtf8)});
}

TEST(MessageAssembler, RefusesTooBigAsSoonAsAHeaderSaysSo) {
  Feeder frame({.message_bytes_max = 1000});
  frame.feed("\x82\xFE\x03\xE9"s);  // 1001, mask not yet there
  EXPECT_EQ(frame.events(), std::vector{seen_error(ProtocolError::kTooBig)});
  Feeder message({.message_bytes_max = 1000});
  message.feed(client_frame(0x02, std::string(900, 'a')) + client_header(0x00, 101));
  EXPECT_EQ(message.events(), std::vector{seen_error(ProtocolError::kTooBig)});
  Feeder deflate({.message_bytes_max = 1000, .deflate = true});
  deflate.feed(
      client_header(0x82, 1001));  // below the wire limit of compressed frames, but this one is not
  EXPECT_EQ(deflate.events(), std::vector{seen_error(ProtocolError::kTooBig)});
}

TEST(MessageAssembler, InflatesTheExamplesOfTheStandard) {  // RFC 7692 §7.2.3
  const MessageAssembler::Options options{.deflate = true};
  const std::string hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"s;
  expect_events("one block", client_frame(0xC1, hello), {seen_text("Hello")}, options);
  expect_events("two fragments",
                client_frame(0x41, hello.substr(0, 3)) + client_frame(0x80, hello.substr(3)),
                {seen_text("Hello")}, options);
  expect_events("no compression",
                client_frame(0xC1, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s),
                {seen_text("Hello")}, options);
  expect_events("BFINAL", client_frame(0xC1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s),
                {seen_text("Hello")}, options);
  expect_events("two blocks",
                client_frame(0xC1, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s),
                {seen_text("Hello")}, options);
  expect_events("no context is taken over",
                client_frame(0xC1, hello) + client_frame(0xC1, "\xf2\x00\x11\x00\x00"s),
                {seen_text("Hello"), seen_error(ProtocolError::kBadDeflate)}, options);
  expect_events("empty", client_frame(0xC1, "\x00"s), {seen_text("")}, options);
}

TEST(MessageAssembler, AcceptsUncompressedMessagesWhenDeflateIsOn) {
  expect_events("plain",
                text("plain") + client_frame(0xC2, deflated("packed")) + client_frame(0x02, "pl") +
                    client_frame(0x80, "ain"),
                {seen_text("plain"), seen_binary("packed"), seen_binary("plain")},
                {.deflate = true});
}

TEST(MessageAssembler, InflatesWhatOtherEncodersWrite) {
  const MessageAssembler::Options options{.deflate = true};
  expect_events("empty message as no bytes", client_frame(0xC1, ""), {seen_text("")}, options);
  expect_events("BFINAL without another block", client_frame(0xC1, "\xf3\x48\xcd\xc9\xc9\x07\x00"s),
                {seen_text("Hello")}, options);
  expect_events("a block after BFINAL refers to what was before it",
                client_frame(0xC1, "\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00"s),
                {seen_text("HelloHello")}, options);
}

TEST(MessageAssembler, RefusesBrokenCompressedDataHoweverItIsSplit) {
  const MessageAssembler::Options options{.deflate = true};
  const std::string whole =
      deflated("some text that is long enough to be cut, and cut, and cut again");
  expect_events("block type 3", client_frame(0xC1, "\xFF\xFF\xFF"),
                {seen_error(ProtocolError::kBadDeflate)}, options);
  expect_events("stored length wrong",
                client_frame(0xC1,
                             "\x00\x05\x00\x00\x00"
                             "Hello"s),
                {seen_error(ProtocolError::kBadDeflate)}, options);
  expect_events("ends inside a block", client_frame(0xC1, whole.substr(0, whole.size() / 2)),
                {seen_error(ProtocolError::kBadDeflate)}, options);
  expect_events("stored block of 20 bytes that ends after 3",
                client_frame(0xC2,
                             "\x00\x14\x00\xeb\xff"
                             "Hel"s),
                {seen_error(ProtocolError::kBadDeflate)}, options);
  expect_events("good text, then broken data",
                client_frame(0xC1, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\xFF\xFF"s),
                {seen_error(ProtocolError::kBadDeflate)}, options);
  expect_events("bad text, then broken data",
                client_frame(0xC1, "\x00\x05\x00\xfa\xff\x48\x65\xff\x6c\x6f\xFF\xFF"s),
                {seen_error(ProtocolError::kInvalidUtf8)}, options);
  expect_events("text cut short", client_frame(0xC1, deflated("ab\xE2\x82")),
                {seen_error(ProtocolError::kInvalidUtf8)}, options);
}

TEST(MessageAssembler, CapsWhatAnInflatedMessageMayHold) {
  const std::uint32_t cap = 10000;
  const MessageAssembler::Options options{.message_bytes_max = cap, .deflate = true};
  const std::string fits(cap, 'z');
  expect_events("just fits", client_frame(0xC1, deflated(fits)), {seen_text(fits)}, options);
  expect_events("one byte more", client_frame(0xC1, deflated(fits + "z")),
                {seen_error(ProtocolError::kTooBig)}, options);
  const std::string bomb = deflated(std::string(8 << 20, '\0'));  // 8 MiB in some 8 KiB
  ASSERT_LT(bomb.size(), cap + std::size_t{30000});
  Feeder feeder({.message_bytes_max = 200000, .deflate = true});
  feeder.feed(
      client_frame(0x42, bomb.substr(0, bomb.size() / 2)));  // found before the message ends
  EXPECT_EQ(feeder.events(), std::vector{seen_error(ProtocolError::kTooBig)});
  EXPECT_LE(feeder.pool().bytes_held(), 200000 + kPayloadPaddingBytes);
}

TEST(MessageAssembler, CapsTheCompressedBytesOfAMessageThatInflatesToNothing) {
  const std::string nothing = "\x00\x00\x00\xff\xff"s;  // an empty stored block
  const MessageAssembler::Options options{.message_bytes_max = 100, .deflate = true};
  std::string bytes = client_frame(0x42, nothing);
  for (int i = 0; i < 100; ++i) bytes += client_frame(0x00, nothing);
  expect_events("empty blocks", bytes, {seen_error(ProtocolError::kTooBig)}, options);
}

TEST(MessageAssembler, TakesCompressedMessagesThatAreALittleLongerThanTheirContent) {
  std::string noise;
  for (unsigned i = 0, x = 1; i < 20000; ++i)
    noise.push_back(static_cast<char>((x = x * 1664525 + 1013904223) >> 24));
  const std::string packed = deflated(noise);
  ASSERT_GT(packed.size(), noise.size());
  expect_events("noise", client_frame(0xC2, packed), {seen_binary(noise)},
                {.message_bytes_max = 20000, .deflate = true});
}

TEST(MessageAssembler, GivesTheSameVerdictsWhenEveryInflateStreamIsLent) {
  const MessageAssembler::Options options{.message_bytes_max = 10000, .deflate = true};
  const AssemblerPool::Options none{.inflate_streams_max = 0};
  const struct {
    std::string bytes;
    Seen expected;
  } rows[] = {
      {client_frame(0xC1, deflated("fine")), seen_text("fine")},
      {client_frame(0xC1, ""), seen_text("")},
      {client_frame(0x41, "\xf2\x48\xcd"s) + client_frame(0x80, "\xc9\xc9\x07\x00"s),
       seen_text("Hello")},
      {client_frame(0xC1, deflated("\xF4\x90")), seen_error(ProtocolError::kInvalidUtf8)},
      {client_frame(0xC1, deflated(std::string(10001, 'z'))), seen_error(ProtocolError::kTooBig)},
      {client_frame(0xC1, "\xFF\xFF"), seen_error(ProtocolError::kBadDeflate)},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(run_pieces({row.bytes}, options, none), std::vector{row.expected});
    EXPECT_EQ(run_pieces(chunks(row.bytes, 1), options, none), std::vector{row.expected});
    EXPECT_EQ(run_pieces({row.bytes}, options), std::vector{row.expected});
  }
}

TEST(MessageAssembler, PassesAWholeFrameThroughWithoutACopy) {
  AssemblerPool pool;
  MessageAssembler assembler({});
  std::string bytes = client_frame(0x89, "p") + text("stay where you are");
  const std::span<std::byte> input(reinterpret_cast<std::byte*>(bytes.data()), bytes.size());
  const AssemblerEvent ping = assembler.step(input, pool);
  const AssemblerEvent event = assembler.step(input.subspan(ping.consumed), pool);
  ASSERT_EQ(event.kind, EventKind::kText);
  EXPECT_EQ(as_text(event.payload), "stay where you are");
  EXPECT_EQ(event.payload.data(), input.data() + bytes.size() - event.payload.size());
  EXPECT_EQ(pool.bytes_held(), 0U);
  EXPECT_TRUE(assembler.idle());
}

TEST(MessageAssembler, LeavesReadableZeroesAfterAssembledPayloads) {
  for (const auto& bytes :
       {client_frame(0x01, "ab") + client_frame(0x80, "cd"),
        client_frame(0x01, "") + client_frame(0x80, ""), client_frame(0xC1, deflated("abcd")),
        client_frame(0xC1, deflated(std::string(1024, 'x')))}) {
    AssemblerPool pool;
    MessageAssembler assembler({.deflate = true});
    std::string copy = bytes;
    const AssemblerEvent event =
        assembler.step({reinterpret_cast<std::byte*>(copy.data()), copy.size()}, pool);
    ASSERT_EQ(event.kind, EventKind::kText);
    const std::byte* end = event.payload.data() + event.payload.size();
    EXPECT_TRUE(std::all_of(end, end + kPayloadPaddingBytes,
                            [](std::byte b) { return b == std::byte{0}; }));
  }
}

TEST(MessageAssembler, HoldsNothingBetweenMessages) {
  AssemblerPool pool;
  MessageAssembler assembler({.deflate = true});
  EXPECT_TRUE(assembler.idle());
  for (int round = 0; round < 3; ++round) {
    std::string bytes = client_frame(0x01, std::string(5000, 'a')) + client_frame(0x80, "b") +
                        client_frame(0xC1, deflated("c")) + client_frame(0x89, "ping");
    for (auto& byte : bytes) {
      AssemblerEvent event;
      std::span<std::byte> rest(reinterpret_cast<std::byte*>(&byte), 1);
      while ((event = assembler.step(rest, pool)).kind != EventKind::kNeedMore) {
        ASSERT_NE(event.kind, EventKind::kError);
        rest = rest.subspan(event.consumed);
      }
    }
    EXPECT_TRUE(assembler.idle());
    EXPECT_EQ(pool.partials_lent(), 0U);
    EXPECT_EQ(pool.streams_lent(), 0U);
    EXPECT_LE(pool.bytes_held(), kSparePartialsMax * (kSpareBufferBytesMax + kPayloadPaddingBytes));
  }
}

TEST(MessageAssembler, KeepsNothingOfOneConnectionForTheNext) {
  AssemblerPool pool;
  const auto last_event = [&pool](std::string bytes) {
    MessageAssembler assembler({.message_bytes_max = 2 << 20, .deflate = true});
    std::span<std::byte> rest(reinterpret_cast<std::byte*>(bytes.data()), bytes.size());
    Seen last = seen_text("nothing");
    for (;;) {
      const AssemblerEvent event = assembler.step(rest, pool);
      if (event.kind == EventKind::kNeedMore) return last;
      rest = rest.subspan(event.consumed);
      last = {event.kind, event.error, static_cast<int>(event.close_code),
              std::string(as_text(event.payload))};
      if (event.kind == EventKind::kError) return last;
    }
  };
  // Each is left in the middle of something; the next one gets its buffer.
  const std::string begun[] = {client_frame(0x01, "a character cut short \xE2\x82"),
                               client_frame(0x41, deflated("compressed").substr(0, 5)),
                               client_frame(0x89, "ping").substr(0, 8),
                               client_frame(0x02, std::string(1 << 20, 'x'))};
  for (const auto& bytes : begun) {
    EXPECT_EQ(last_event(bytes), seen_text("nothing"));
    EXPECT_LE(pool.bytes_held(), kSpareBufferBytesMax + kPayloadPaddingBytes);
    EXPECT_EQ(last_event(client_frame(0x01, "a") + client_frame(0x80, "b")), seen_text("ab"));
    EXPECT_EQ(last_event(client_frame(0x41, deflated("c")) + client_frame(0x80, "")),
              seen_text("c"));
    EXPECT_EQ(last_event(client_frame(0x89, "p")), seen_ping("p"));
  }
}

TEST(MessageAssembler, IsNotIdleWhileAFrameOrAMessageIsBegun) {
  Feeder feeder({});
  feeder.feed("\x01");
  EXPECT_FALSE(feeder.assembler().idle());
  feeder.feed(client_frame(0x01, "a").substr(1));
  EXPECT_FALSE(feeder.assembler().idle());
  feeder.feed(client_frame(0x89, "p"));
  EXPECT_FALSE(feeder.assembler().idle());
  feeder.feed(client_frame(0x80, "b"));
  EXPECT_TRUE(feeder.assembler().idle());
  feeder.feed(client_frame(0x89, "p").substr(0, 6));
  EXPECT_FALSE(feeder.assembler().idle());
}

TEST(MessageAssembler, GivesItsMemoryBackOnErrorCloseAndDestruction) {
  for (const auto& ending : {client_frame(0x83, ""), client_frame(0x88, close_body(1000)), ""s}) {
    AssemblerPool pool;
    {
      MessageAssembler assembler({.deflate = true});
      for (const std::string& begun : {client_frame(0x41, deflated("begun")), ending}) {
        std::string bytes = begun;
        std::span<std::byte> rest(reinterpret_cast<std::byte*>(bytes.data()), bytes.size());
        const AssemblerEvent event = assembler.step(rest, pool);
        (void)assembler.step(rest.subspan(event.consumed), pool);
      }
    }
    EXPECT_EQ(pool.partials_lent(), 0U);
    EXPECT_EQ(pool.streams_lent(), 0U);
  }
}

TEST(MessageAssembler, ClosesTheConnectionThatAsksForMoreThanThePoolMayHold) {
  const MessageAssembler::Options options{.message_bytes_max = 1 << 20, .deflate = true};
  const AssemblerPool::Options small{.partial_bytes_max = 10000};
  const std::vector<Seen> overloaded = {seen_error(ProtocolError::kOverloaded)};
  const std::string large(20000, 'x');
  EXPECT_EQ(run_pieces({client_frame(0x02, large)}, options, small), overloaded);
  EXPECT_EQ(run_pieces({client_frame(0xC2, deflated(large))}, options, small), overloaded);
  EXPECT_EQ(run_pieces({client_frame(0x82, large)}, options, small),
            std::vector{seen_binary(large)})
      << "needs no memory";
  const std::string fits(4000, 'x');
  EXPECT_EQ(run_pieces({client_frame(0x02, fits), client_frame(0x80, "")}, options, small),
            std::vector{seen_binary(fits)});
}

TEST(MessageAssembler, SwallowsWhatFollowsACloseAndRepeatsAnError) {
  AssemblerPool pool;
  MessageAssembler assembler({});
  std::string bytes = client_frame(0x88, close_body(1000)) + "\xFF\xFF\xFF\xFF";
  std::span<std::byte> rest(reinterpret_cast<std::byte*>(bytes.data()), bytes.size());
  const AssemblerEvent close = assembler.step(rest, pool);
  EXPECT_EQ(close.kind, EventKind::kClose);
  const AssemblerEvent after = assembler.step(rest.subspan(close.consumed), pool);
  EXPECT_EQ(after.kind, EventKind::kNeedMore);
  EXPECT_EQ(after.consumed, 4U);

  MessageAssembler broken({});
  EXPECT_EQ(broken.step(rest.last(4), pool).error, ProtocolError::kReservedOpcode);
  EXPECT_EQ(broken.step({}, pool).error, ProtocolError::kReservedOpcode);
}

}  // namespace
}  // namespace uproar::ws
