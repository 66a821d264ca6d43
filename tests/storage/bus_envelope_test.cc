#include "storage/bus_envelope.h"

#include <string>

#include <gtest/gtest.h>

namespace uproar::storage {
namespace {

const BusHeader kHeader{.node = NodeId(Uuid{.high = 0x0102030405060708, .low = 0x090A0B0C0D0E0F10}),
                        .shard = 0xA1B2,
                        .kind = 0xC3,
                        .seq = 0x1122334455667788};

TEST(BusEnvelope, IsLaidOutAsDescribed) {
  const auto bytes = encode_bus_header(kHeader);
  const std::string expected(
      "\x01\xC3\xA1\xB2\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10"
      "\x11\x22\x33\x44\x55\x66\x77\x88",
      kBusHeaderBytes);
  EXPECT_EQ(as_text(bytes), expected);
}

TEST(BusEnvelope, ComesBackAsItWent) {
  const auto header = encode_bus_header(kHeader);
  const std::string whole = std::string(as_text(header)).append("payload");
  const auto message = decode_bus_message(as_bytes(whole));
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->header, kHeader);
  EXPECT_EQ(as_text(message->payload), "payload");
  const auto empty = decode_bus_message(as_bytes(whole.substr(0, kBusHeaderBytes)));
  ASSERT_TRUE(empty.has_value());
  EXPECT_TRUE(empty->payload.empty());
}

TEST(BusEnvelope, RefusesWhatIsShortOfAnotherVersionOrFromNobody) {
  const std::string whole(as_text(encode_bus_header(kHeader)));
  for (std::size_t size = 0; size < kBusHeaderBytes; ++size)
    EXPECT_FALSE(decode_bus_message(as_bytes(whole.substr(0, size))).has_value()) << size;
  std::string other = whole;
  other[0] = 2;
  EXPECT_FALSE(decode_bus_message(as_bytes(other)).has_value());
  const auto nobody = encode_bus_header({.node = {}, .shard = 1, .kind = 1, .seq = 1});
  EXPECT_FALSE(decode_bus_message(nobody).has_value());
}

}  // namespace
}  // namespace uproar::storage
