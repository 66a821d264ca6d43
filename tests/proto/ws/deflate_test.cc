#include "proto/ws/deflate.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>
#include <zlib.h>

#include "tests/proto/ws/wire.h"

namespace uproar::ws {
namespace {

using namespace testing;

std::string words(std::size_t bytes) {
  std::string out;
  for (unsigned x = 7; out.size() < bytes;) {
    x = x * 1103515245 + 12345;
    out += "{\"type\":\"message.new\",\"n\":" + std::to_string(x % 1000) + "}";
  }
  out.resize(bytes);
  return out;
}

// Through the assembler, which reads every window.
std::string read_back(const std::string& compressed) {
  const auto events =
      run_pieces({client_frame(0xC2, compressed)}, {.message_bytes_max = 1 << 20, .deflate = true});
  if (events.size() != 1 || events[0].kind != EventKind::kBinary) return "not a message";
  return events[0].payload;
}

// A reader that keeps a window of 2^bits bytes and not one more: output is taken a byte at a time, so
// a distance can only reach into the window. "not readable" when one reaches farther.
std::string read_through_window(std::string compressed, int bits) {
  compressed += "\x00\x00\xff\xff"s;
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, -bits), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  int result = Z_OK;
  while (result == Z_OK) {
    char byte = 0;
    stream.next_out = reinterpret_cast<Bytef*>(&byte);
    stream.avail_out = 1;
    result = inflate(&stream, Z_SYNC_FLUSH);
    if (stream.avail_out == 0)
      out.push_back(byte);
    else if (result == Z_OK)
      break;
  }
  inflateEnd(&stream);
  return result == Z_OK || result == Z_BUF_ERROR ? out : "not readable";
}

TEST(Deflate, NeverReachesBeyondTheWindowThatWasAgreed) {  // RFC 7692 §7.1.2.1
  Deflater deflater({.level = 9});
  const std::string far = words(700) + std::string(40000, '-') + words(700);
  for (int bits = kWindowBitsMin; bits <= kWindowBitsMax; ++bits) {
    const std::string compressed(as_text(deflater.compress_payload(as_bytes(far), bits)));
    EXPECT_EQ(read_through_window(compressed, bits), far) << bits;
  }
  const std::string wide(as_text(deflater.compress_payload(as_bytes(words(4000)), 15)));
  EXPECT_EQ(read_through_window(wide, 9), "not readable")
      << "the reader above must be able to fail";
}

TEST(Deflate, WrittenWithTheLargestWindowFitsASmallOneWhenTheMessageIsNoLonger) {
  Deflater deflater({.level = 9});
  for (int bits = kWindowBitsMin; bits <= kWindowBitsMax; ++bits) {
    std::string payload = words(std::size_t{1} << bits);
    std::copy_n(payload.begin(), 20, payload.end() - 20);  // tempts it to reach back to the start
    ASSERT_TRUE(fits_window(payload.size(), bits));
    const std::string compressed(as_text(deflater.compress_payload(as_bytes(payload), 15)));
    EXPECT_EQ(read_through_window(compressed, bits), payload) << bits;
  }
}

TEST(Deflate, WritesTheExampleOfTheStandard) {  // RFC 7692 §7.2.3.1
  Deflater deflater;
  EXPECT_EQ(as_text(deflater.compress_payload(as_bytes("Hello"))), "\xf2\x48\xcd\xc9\xc9\x07\x00"s);
}

TEST(Deflate, IsReadBackAtEveryWindowAndLength) {
  for (int level : {1, 6, 9}) {
    Deflater deflater({.level = level});
    for (int bits = kWindowBitsMin; bits <= kWindowBitsMax; ++bits) {
      for (std::size_t length : {0, 1, 2, 100, 511, 512, 513, 4096, 40000, 100000}) {
        const std::string payload = words(length);
        const std::string compressed(as_text(deflater.compress_payload(as_bytes(payload), bits)));
        EXPECT_FALSE(compressed.empty());
        EXPECT_EQ(read_back(compressed), payload)
            << "level " << level << ", bits " << bits << ", " << length;
      }
    }
  }
}

TEST(Deflate, GivesTheSameBytesWhateverWasCompressedBefore) {
  Deflater deflater;
  const std::string first(as_text(deflater.compress_payload(as_bytes("take this over"))));
  (void)deflater.compress_payload(as_bytes(words(50000)));
  EXPECT_EQ(as_text(deflater.compress_payload(as_bytes("take this over"))), first);
}

TEST(Deflate, FramesAMessageOnceWithTheFirstReservedBit) {
  Deflater deflater;
  const std::string payload = words(1000);
  const SharedBytes frame = deflater.compress(Opcode::kText, as_bytes(payload));
  ASSERT_FALSE(frame.empty());
  EXPECT_LT(frame.size(), payload.size() / 2);
  EXPECT_EQ(byte_at(frame.view(), 0), 0xC1);
  const std::size_t header = byte_at(frame.view(), 1) == 126 ? 4 : 2;
  EXPECT_EQ(read_back(std::string(as_text(frame.view().subspan(header)))), payload);
}

TEST(Deflate, DeclinesWhatDoesNotGetShorter) {
  Deflater deflater;
  EXPECT_TRUE(deflater.compress(Opcode::kText, as_bytes("")).empty());
  EXPECT_TRUE(deflater.compress(Opcode::kText, as_bytes("a")).empty());
  EXPECT_TRUE(deflater.compress(Opcode::kBinary, as_bytes("\x12\x83\xFA\x45\x09\xC1"sv)).empty());
}

TEST(Deflate, SurvivesNoiseOfEverySize) {
  std::string noise;
  for (unsigned i = 0, x = 1; i < 70000; ++i)
    noise.push_back(static_cast<char>((x = x * 1664525 + 1013904223) >> 24));
  Deflater deflater;
  for (std::size_t length = 1; length <= noise.size(); length = length * 3 + 1) {
    const std::string compressed(
        as_text(deflater.compress_payload(as_bytes(std::string_view(noise).substr(0, length)))));
    EXPECT_EQ(read_back(compressed), noise.substr(0, length));
  }
}

TEST(Deflate, KnowsWhichMessagesEveryWindowHolds) {
  EXPECT_TRUE(fits_window(512, 9));
  EXPECT_FALSE(fits_window(513, 9));
  EXPECT_TRUE(fits_window(32768, 15));
  EXPECT_FALSE(fits_window(32769, 15));
}

}  // namespace
}  // namespace uproar::ws
