// Answers as etcd 3.4 gave them.

#include "storage/etcd/etcd_json.h"

#include <string_view>

#include <gtest/gtest.h>

#include "storage/etcd/etcd_url.h"

namespace uproar::storage::etcd {
namespace {

TEST(EtcdJson, WritesRequests) {
  EXPECT_EQ(grant_body(9), R"({"TTL":"9"})");
  EXPECT_EQ(lease_body("123"), R"({"ID":"123"})");
  EXPECT_EQ(put_body("k", "v", "7"), R"({"key":"aw==","value":"dg==","lease":"7"})");
  EXPECT_EQ(range_body("a/"), R"({"key":"YS8=","range_end":"YTA="})");
  EXPECT_EQ(watch_body("a/", 5),
            R"({"create_request":{"key":"YS8=","range_end":"YTA=","start_revision":"5"}})");
}

TEST(EtcdJson, ReadsLeases) {
  EXPECT_EQ(read_grant(R"({"header":{"revision":"1"},"ID":"7587862094872344835","TTL":"2"})"),
            "7587862094872344835");
  EXPECT_EQ(read_keepalive(R"({"result":{"header":{"revision":"1"},"ID":"75","TTL":"9"}})"), 9);
  EXPECT_EQ(read_keepalive(R"({"result":{"header":{"revision":"1"},"ID":"75"}})"), 0);
  for (const std::string_view none :
       {"", "x", "[]", "{}", R"({"ID":7})", R"({"ID":"x"})", R"({"error":"no"})"})
    EXPECT_FALSE(read_grant(none).has_value()) << none;
  for (const std::string_view none :
       {"", "{}", R"({"result":[]})", R"({"result":{"TTL":"x"}})", R"({"error":{}})"})
    EXPECT_FALSE(read_keepalive(none).has_value()) << none;
}

TEST(EtcdJson, ReadsRanges) {
  const auto range = read_range(
      R"({"header":{"cluster_id":"1","revision":"12"},"kvs":[{"key":"aw==","create_revision":"2","value":"dg=="},{"key":"bA=="}],"count":"2"})");
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->revision, 12);
  ASSERT_EQ(range->found.size(), 2U);
  EXPECT_EQ(range->found[0], (KeyValue{.key = "k", .value = "v"}));
  EXPECT_EQ(range->found[1], (KeyValue{.key = "l", .value = ""}));
  EXPECT_TRUE(read_range(R"({"header":{"revision":"1"},"kvs":[{"key":"aw==","lease":"7"}]})")
                  ->found[0]
                  .is_leased);
  EXPECT_TRUE(read_range(R"({"header":{"revision":"1"}})")->found.empty());
  for (const std::string_view none :
       {"", "{}", R"({"header":{"revision":"x"}})", R"({"header":{"revision":"1"},"kvs":[{}]})",
        R"({"header":{"revision":"1"},"kvs":[{"key":"*"}]})"})
    EXPECT_FALSE(read_range(none).has_value()) << none;
}

TEST(EtcdJson, ReadsTheLinesOfAWatch) {
  const auto created = read_watch_line(R"({"result":{"header":{"revision":"3"},"created":true}})");
  ASSERT_TRUE(created.has_value());
  EXPECT_TRUE(created->is_created && !created->is_canceled);
  EXPECT_EQ(created->revision, 3);
  const auto events = read_watch_line(
      R"({"result":{"header":{"revision":"5"},"events":[{"kv":{"key":"aw==","value":"dg==","lease":"7"}},{"type":"DELETE","kv":{"key":"aw==","mod_revision":"5"}}]}})");
  ASSERT_TRUE(events.has_value());
  ASSERT_EQ(events->events.size(), 2U);
  EXPECT_FALSE(events->events[0].is_delete);
  EXPECT_EQ(events->events[0].entry.value, "v");
  EXPECT_TRUE(events->events[0].entry.is_leased);
  EXPECT_TRUE(events->events[1].is_delete);
  EXPECT_EQ(events->events[1].revision, 5);
  const auto compacted = read_watch_line(
      R"({"result":{"header":{"revision":"9"},"canceled":true,"compact_revision":"8"}})");
  ASSERT_TRUE(compacted.has_value());
  EXPECT_TRUE(compacted->is_canceled);
  EXPECT_EQ(compacted->compact_revision, 8);
  for (const std::string_view none : {"", "{}", R"({"error":{"message":"no"}})", R"({"result":{}})",
                                      R"({"result":{"header":{},"events":[{}]}})",
                                      R"({"result":{"header":{},"events":[{"kv":{}}]}})"})
    EXPECT_FALSE(read_watch_line(none).has_value()) << none;
}

TEST(EtcdJson, ReadsWhatWentWrong) {
  EXPECT_EQ(
      read_error(
          R"({"error":"etcdserver: requested lease not found","message":"etcdserver: requested lease not found","code":5})"),
      "etcdserver: requested lease not found");
  EXPECT_EQ(read_error(R"({"error":{"grpc_code":14,"message":"transport is closing"}})"),
            "transport is closing");
  EXPECT_EQ(read_error(R"({"code":5,"message":"lease not found","details":[]})"),
            "lease not found");
  EXPECT_EQ(read_error(R"({"type":"error","code":"not_found","message":"of another service"})"),
            "");
  EXPECT_EQ(read_error("404 page not found"), "");
}

TEST(EtcdUrl, NamesMembersAndRefusesTheRestWithWhatToDo) {
  EXPECT_EQ(parse_etcd_urls("http://a:1,https://b:2/").value(),
            (std::vector<std::string>{"http://a:1", "https://b:2"}));
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"", "begin each member"},
      {"a:2379", "begin each member"},
      {"http://a,b", "begin each member"},
      {"http://", "name a host"},
      {"http://:2379", "name a host"},
      {"http://a/v3", "nothing follows"},
      {"http://u:secret@a", "not supported"},
      {"http://a?x", "nothing follows"}};
  for (const auto& [text, hint] : rows) {
    const auto urls = parse_etcd_urls(text);
    ASSERT_FALSE(urls.ok()) << text;
    EXPECT_NE(urls.error().hint.find(hint), std::string::npos)
        << text << ": " << urls.error().text();
    EXPECT_EQ(urls.error().text().find("secret"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace uproar::storage::etcd
