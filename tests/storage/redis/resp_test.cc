#include "storage/redis/resp.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "storage/redis/limits.h"

namespace uproar::storage::redis {
namespace {

std::string show(const RedisValue& value) {
  if (value.is_nil()) return "nil";
  if (value.is_error()) return "!" + std::string(value.text());
  if (value.is_integer()) return std::to_string(*value.integer());
  if (!value.is_array()) return "'" + std::string(value.text()) + "'";
  std::string out = "[";
  for (std::size_t i = 0; i < value.size(); ++i) out += (i == 0 ? "" : " ") + show(value[i]);
  return out + "]";
}

std::vector<std::string> read_in_pieces(std::string_view bytes, std::size_t piece) {
  RespReader reader;
  std::vector<std::string> replies;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    EXPECT_TRUE(reader.feed(as_bytes(bytes.substr(at, piece)))) << reader.error();
    while (auto reply = reader.next()) replies.push_back(show(reply->value()));
    EXPECT_FALSE(reader.failed()) << reader.error();
  }
  return replies;
}

TEST(WireCommand, HoldsAnyBytes) {
  const WireCommand command{"PUBLISH", std::string_view("a\0b", 3), "", "\r\n$"};
  EXPECT_EQ(std::string(command.data(), command.size()),
            std::string("*4\r\n$7\r\nPUBLISH\r\n$3\r\na\0b\r\n$0\r\n\r\n$3\r\n\r\n$\r\n", 41));
}

TEST(RespReader, ReadsEveryKindOfReplyHoweverItIsCut) {
  const std::string bytes =
      "+OK\r\n-ERR no\r\n:-7\r\n$-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*-1\r\n*0\r\n"
      "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n*2\r\n*1\r\n:1\r\n+x\r\n";
  const std::vector<std::string> expected{
      "'OK'",     "!ERR no", "-7", "nil", "''", "'a\r\nb'", "nil", "[]", "['message' 'c' 'hi']",
      "[[1] 'x']"};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_EQ(read_in_pieces(bytes, piece), expected) << piece;
}

TEST(RespReader, RefusesWhatIsNoRespOrTooLarge) {
  for (const std::string_view bytes :
       {"HTTP/1.1 400 Bad Request\r\n", "\r\n", "*1000000000\r\n", "*65537\r\n", "$12x\r\n"}) {
    RespReader reader;
    const bool fed = reader.feed(as_bytes(bytes));
    EXPECT_FALSE(fed && reader.next().has_value()) << bytes;
    EXPECT_TRUE(reader.failed()) << bytes;
    EXPECT_FALSE(reader.feed(as_bytes("+OK\r\n"))) << bytes;
  }
  RespReader reader;
  const std::string piece(kReadBytes, 'x');
  bool is_fed = reader.feed(as_bytes("$2000000000\r\n"));
  for (std::size_t fed = 0; is_fed && fed <= kReplyBytesMax; fed += piece.size()) {
    is_fed = reader.feed(as_bytes(piece));
    EXPECT_FALSE(reader.next().has_value());
  }
  EXPECT_FALSE(is_fed);
  EXPECT_NE(reader.error().find("larger than"), std::string::npos) << reader.error();
}

TEST(RedisValue, ReadsIntegersFromTextToo) {
  RespReader reader;
  ASSERT_TRUE(reader.feed(as_bytes("*5\r\n:5\r\n$2\r\n-3\r\n+8\r\n$2\r\n1x\r\n$0\r\n\r\n")));
  const auto reply = reader.next();
  ASSERT_TRUE(reply.has_value());
  const RedisValue value = reply->value();
  EXPECT_EQ(value[0].integer(), 5);
  EXPECT_EQ(value[1].integer(), -3);
  EXPECT_EQ(value[2].integer(), 8);
  EXPECT_EQ(value[3].integer(), std::nullopt);
  EXPECT_EQ(value[4].integer(), std::nullopt);
}

}  // namespace
}  // namespace uproar::storage::redis
