#include "storage/redis/redis_url.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace uproar::storage::redis {
namespace {

TEST(RedisUrl, KnowsHostsPortsCredentialsAndDatabase) {
  struct Row {
    std::string text;
    std::vector<RedisAddress> seeds;
    std::string user;
    std::string password;
    std::uint32_t db;
  };
  const Row rows[] = {
      {"redis://localhost", {{"localhost", 6379}}, "", "", 0},
      {"redis://10.0.0.1:7000", {{"10.0.0.1", 7000}}, "", "", 0},
      {"redis://10.0.0.1:7000/", {{"10.0.0.1", 7000}}, "", "", 0},
      {"redis://h:1/15", {{"h", 1}}, "", "", 15},
      {"redis://:secret@h", {{"h", 6379}}, "", "secret", 0},
      {"redis://ann:s%40:%2f@h:2/3", {{"h", 2}}, "ann", "s@:/", 3},
      {"redis://:a@b@h", {{"h", 6379}}, "", "a@b", 0},
      {"redis://[::1]:7", {{"::1", 7}}, "", "", 0},
      {"redis://[fe80::1]", {{"fe80::1", 6379}}, "", "", 0},
      {"redis://a:1,b,[::2]:3", {{"a", 1}, {"b", 6379}, {"::2", 3}}, "", "", 0},
  };
  for (const Row& row : rows) {
    const auto url = RedisUrl::parse(row.text);
    ASSERT_TRUE(url.ok()) << row.text << ": " << url.error().text();
    EXPECT_EQ(url->seeds, row.seeds) << row.text;
    EXPECT_EQ(url->user, row.user) << row.text;
    EXPECT_EQ(url->password, row.password) << row.text;
    EXPECT_EQ(url->db, row.db) << row.text;
  }
}

TEST(RedisUrl, RefusesTheRestWithWhatToDoAndWithoutThePassword) {
  const std::pair<std::string, std::string> rows[] = {
      {"", "begin with redis://"},
      {"localhost:6379", "begin with redis://"},
      {"rediss://:secret@h", "TLS to Redis is not supported"},
      {"redis://", "name a host"},
      {"redis://h:0", "1 to 65535"},
      {"redis://h:65536", "1 to 65535"},
      {"redis://h:", "1 to 65535"},
      {"redis://h:12x", "1 to 65535"},
      {"redis://a,,b", "name a host"},
      {"redis://secret@h", ":password@host"},
      {"redis://u:@h", "password is empty"},
      {"redis://u:secret%4@h", "hexadecimal"},
      {"redis://u:secret%zz@h", "hexadecimal"},
      {"redis://h/x", "number of a database"},
      {"redis://h/1?x=1", "number of a database"},
      {"redis://::1", "[address]:port"},
      {"redis://[::1", "close the bracket"},
      {"redis://[::1]7", "[address]:port"},
  };
  for (const auto& [text, hint] : rows) {
    const auto url = RedisUrl::parse(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_NE(url.error().hint.find(hint), std::string::npos) << text << ": " << url.error().text();
    EXPECT_EQ(url.error().text().find("secret"), std::string::npos) << text;
  }
}

TEST(RedisUrl, IsWrittenToLogsWithoutCredentials) {
  const auto url = RedisUrl::parse("redis://ann:secret@a:1,[::2]:3/4");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->public_text(), "redis://a:1,[::2]:3/4");
}

}  // namespace
}  // namespace uproar::storage::redis
