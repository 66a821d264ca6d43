#include "storage/redis/slot_map.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace uproar::storage::redis {
namespace {

const RedisAddress kAsked{.host = "10.0.0.9", .port = 7009};

bool read_into(SlotMap& map, std::string_view bytes) {
  RespReader reader;
  EXPECT_TRUE(reader.feed(as_bytes(bytes)));
  const auto reply = reader.next();
  EXPECT_TRUE(reply.has_value()) << bytes;
  return map.read(reply->value(), kAsked);
}

// The first is the check value of CRC16/XMODEM; all were asked of a server with CLUSTER KEYSLOT.
TEST(SlotOf, AgreesWithRedis) {
  EXPECT_EQ(slot_of("123456789"), 0x31C3 % kSlots);
  EXPECT_EQ(slot_of("foo"), 12182);
  EXPECT_EQ(slot_of(""), 0);
  EXPECT_EQ(slot_of("{user1000}.following"), slot_of("user1000"));
  EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
  EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
  EXPECT_NE(slot_of("foo{}{bar}"), slot_of("bar"));
  EXPECT_NE(slot_of("foo{bar"), slot_of("bar"));
}

TEST(SlotMap, ReadsTheAnswerToClusterSlots) {
  SlotMap map;
  EXPECT_EQ(map.server_of(0), nullptr);
  ASSERT_TRUE(read_into(map,
                        "*3\r\n"
                        "*3\r\n:0\r\n:5460\r\n*3\r\n$8\r\n10.0.0.1\r\n:7001\r\n$2\r\nid\r\n"
                        "*4\r\n:5461\r\n:10922\r\n*2\r\n$0\r\n\r\n:7002\r\n*2\r\n$1\r\nr\r\n:1\r\n"
                        "*3\r\n:10923\r\n:16382\r\n*2\r\n$1\r\n?\r\n:7003\r\n"));
  EXPECT_EQ(map.server_of(0)->text(), "10.0.0.1:7001");
  EXPECT_EQ(map.server_of(5460)->text(), "10.0.0.1:7001");
  EXPECT_EQ(map.server_of(5461)->text(), "10.0.0.9:7002")
      << "without a name it is the one that was asked";
  EXPECT_EQ(map.server_of(16382)->text(), "10.0.0.9:7003");
  EXPECT_EQ(map.server_of(16383), nullptr);
  EXPECT_FALSE(map.is_complete());
  EXPECT_EQ(map.servers().size(), 3U);

  map.assign(16383, {.host = "10.0.0.1", .port = 7001});
  EXPECT_TRUE(map.is_complete());
  EXPECT_EQ(map.servers().size(), 3U);
}

TEST(SlotMap, IsFilledFromAnOlderOneWhereItHasNobody) {
  const RedisAddress old_server{.host = "10.0.0.1", .port = 7001};
  SlotMap older;
  older.assign(1, old_server);
  older.assign(2, old_server);
  SlotMap map;
  map.assign(2, kAsked);
  map.fill_from(older);
  EXPECT_EQ(*map.server_of(1), old_server);
  EXPECT_EQ(*map.server_of(2), kAsked);
  EXPECT_EQ(map.server_of(3), nullptr);
  EXPECT_EQ(map.servers().size(), 2U);
}

TEST(SlotMap, IsTheSameInWhateverOrderItsServersWereNamed) {
  const RedisAddress other{.host = "10.0.0.1", .port = 7001};
  SlotMap a;
  a.assign(1, kAsked);
  a.assign(2, other);
  SlotMap b;
  EXPECT_FALSE(a == b);
  b.assign(2, other);
  b.assign(1, kAsked);
  EXPECT_TRUE(a == b);
  b.assign(2, kAsked);
  EXPECT_FALSE(a == b);
  b.assign(2, other);
  b.assign(3, other);
  EXPECT_FALSE(a == b);
}

TEST(SlotMap, KeepsWhatItHasWhenTheAnswerIsNone) {
  SlotMap map;
  map.assign(1, kAsked);
  for (const std::string_view answer : {"-ERR no\r\n", "*1\r\n*2\r\n:0\r\n:1\r\n",
                                        "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\nh\r\n:1\r\n",
                                        "*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n$1\r\nh\r\n:1\r\n",
                                        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\nh\r\n:0\r\n",
                                        "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\nh\r\n",
                                        "*1\r\n*3\r\n+x\r\n:1\r\n*2\r\n$1\r\nh\r\n:1\r\n"}) {
    EXPECT_FALSE(read_into(map, answer)) << answer;
    ASSERT_NE(map.server_of(1), nullptr) << answer;
  }
}

TEST(Redirect, IsReadFromTheErrorOrIsNone) {
  const auto moved = parse_redirect("MOVED 3999 127.0.0.1:6381", kAsked);
  ASSERT_TRUE(moved.has_value());
  EXPECT_FALSE(moved->is_ask);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(moved->address.text(), "127.0.0.1:6381");
  const auto ask = parse_redirect("ASK 16383 ::1:6381", kAsked);
  ASSERT_TRUE(ask.has_value());
  EXPECT_TRUE(ask->is_ask);
  EXPECT_EQ(ask->address.text(), "[::1]:6381");
  EXPECT_EQ(parse_redirect("MOVED 1 :6381", kAsked)->address.text(), "10.0.0.9:6381");
  for (const std::string_view error : {"", "MOVED", "MOVED 1", "MOVED x h:1", "MOVED 16384 h:1",
                                       "MOVED 1 h", "MOVED 1 h:0", "ERR 1 h:1", "MOVED 1 "})
    EXPECT_FALSE(parse_redirect(error, kAsked).has_value()) << error;
}

}  // namespace
}  // namespace uproar::storage::redis
