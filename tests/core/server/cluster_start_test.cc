// What a node of several refuses at its start, on real services, and what it then says.

#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/server/key_file.h"
#include "core/server/limits.h"
#include "core/server/server.h"
#include "tests/core/server/local_server.h"
#include "tests/core/server/temp_folder.h"
#include "tests/services/etcd_server.h"
#include "tests/services/redis_server.h"
#include "tests/services/service_process.h"
#include "tests/storage/postgres/postgres_server.h"

namespace uproar::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ClusterStart : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    redis_ = std::make_unique<services::RedisServer>();
    redis_->start();
  }
  static void TearDownTestSuite() { redis_.reset(); }

  [[nodiscard]] Config config(const std::string& name) const {
    Config config;
    config.listen_port = 0;
    config.shards = 2;
    config.data_dir = folder_.path();
    config.auth_secret_file = folder_.file("auth.key");
    config.connections_max = 64;
    config.postgres = database_;
    config.redis = {redis_->url()};
    config.node_id = name;
    config.node_lease_ms = 1000;
    return config;
  }
  // Nobody of an earlier test is remembered.
  void SetUp() override { ASSERT_EQ(redis_->ask({"FLUSHALL"}), "OK"); }
  // What it says when it does not start. A second is many attempts.
  static std::string refusal_of(Config config) {
    Server server(std::move(config), 1000);
    const auto started = server.start();
    return started.ok() ? "it started" : started.error().text();
  }

  static std::unique_ptr<services::RedisServer> redis_;
  const TempFolder folder_;
  const std::string database_ = storage::PostgresServer::shared().make_database();
};
std::unique_ptr<services::RedisServer> ClusterStart::redis_;

TEST_F(ClusterStart, NodesOnOneDatabaseAndOneBusFindEachOther) {
  Server one(config("one"));
  Server two(config("two"));
  const auto first = one.start();
  ASSERT_TRUE(first.ok()) << first.error().text();
  const auto second = two.start();
  ASSERT_TRUE(second.ok()) << second.error().text();
  Client client(two.port());
  const HttpAnswer nodes = Client(two.admin_port()).request("GET", "/api/v1/admin/nodes");
  EXPECT_EQ(nodes.status, 200);
  EXPECT_THAT(nodes.body, AllOf(HasSubstr(R"("name":"one")"), HasSubstr(R"("name":"two")")))
      << "whoever started knows who was there";
  EXPECT_THAT(nodes.body,
              HasSubstr("\"url\":\"ws://127.0.0.1:" + std::to_string(one.port()) + "\""));
  const HttpAnswer ready = client.request("GET", "/readyz");
  EXPECT_EQ(ready.status, 200);
  EXPECT_THAT(ready.body, AllOf(HasSubstr(R"("status":"ready")"), HasSubstr(R"("bus":"up")")));
  EXPECT_THAT(two.render_metrics(), AllOf(HasSubstr("uproar_bus_state{shard=\"1\"} 2"),
                                          HasSubstr("uproar_nodes_state 2")));
}

TEST_F(ClusterStart, ANodeWithoutABusIsRefusedBesideOthersAndTheyBesideIt) {
  Config alone = config("alone");
  alone.redis.clear();
  {
    Server one(config("one"));
    ASSERT_TRUE(one.start().ok());
    EXPECT_THAT(refusal_of(alone), HasSubstr("one"));
  }
  Server server(alone);
  ASSERT_TRUE(server.start().ok());
  EXPECT_THAT(refusal_of(config("two")), HasSubstr("alone"));
}

TEST_F(ClusterStart, ANodeWithAnotherKeyIsRefusedAndToldWhoseItMet) {
  Server one(config("one"));
  ASSERT_TRUE(one.start().ok());
  Config stranger = config("stranger");
  stranger.auth_secret_file = folder_.file("another.key");
  ASSERT_TRUE(read_key_file(stranger.auth_secret_file, true).ok());
  EXPECT_THAT(refusal_of(stranger), AllOf(HasSubstr("another key"), HasSubstr("one at ws://"),
                                          HasSubstr("--auth-secret-file")));
}

// Each would work on the database and tell the other nothing.
TEST_F(ClusterStart, ANodeThatWasGivenAnotherRedisIsRefused) {
  services::RedisServer elsewhere;
  elsewhere.start();
  services::EtcdServer etcd;
  etcd.start();
  Config first = config("one");
  first.node_lease_ms = 2000;
  Config second = first;
  second.node_id = "two";
  second.redis = {elsewhere.url()};
  for (const bool has_etcd : {false, true}) {
    if (has_etcd) first.etcd = second.etcd = {etcd.url()};
    Server one(first);
    ASSERT_TRUE(one.start().ok());
    Server two(second, kServicesWaitMs);
    const auto started = two.start();
    ASSERT_FALSE(started.ok());
    EXPECT_THAT(started.error().text(), AllOf(HasSubstr("does not hear over Redis"),
                                              HasSubstr("give all nodes the same --redis")));
    EXPECT_THAT(started.error().text(),
                HasSubstr(has_etcd ? "node one at ws://" : "a node that the list does not have"));
  }
}

TEST_F(ClusterStart, AServerWithTooFewConnectionsForItsShardsIsRefused) {
  Config config = this->config("one");
  config.redis.clear();
  storage::PostgresServer& server = storage::PostgresServer::shared();
  const std::string name = database_.substr(database_.find("dbname=") + 7);
  server.sql("do $$ begin create role few login; exception when duplicate_object then end $$");
  server.sql("alter database " + name + " owner to few");
  server.sql(database_, "grant all on schema public to few");
  server.sql("alter role few connection limit 4");
  config.postgres.replace(config.postgres.find("user=postgres"), 13, "user=few");
  EXPECT_THAT(refusal_of(config),
              AllOf(HasSubstr("too many connections for role"), HasSubstr("needs 7")));
  server.sql("alter role few connection limit 7");
  EXPECT_EQ(refusal_of(config), "it started");
}

TEST_F(ClusterStart, ARedisThatIsNotThereIsNamed) {
  Config config = this->config("one");
  config.redis = {"redis://127.0.0.1:1"};
  EXPECT_THAT(refusal_of(config), AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("Redis")));
}

TEST_F(ClusterStart, AWrongPasswordOfRedisIsRefusedWithoutRepeatingIt) {
  Config config = this->config("one");
  config.redis = {"redis://me:hunter2@127.0.0.1:" + std::to_string(redis_->port())};
  const std::string text = refusal_of(config);
  EXPECT_THAT(text, HasSubstr("Redis"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("hunter2")));
}

TEST_F(ClusterStart, AReplicaIsRefusedForItsPrimary) {
  services::RedisServer replica({"--replicaof", "127.0.0.1", std::to_string(redis_->port())});
  replica.start();
  Config config = this->config("one");
  config.redis = {replica.url()};
  EXPECT_THAT(refusal_of(config), HasSubstr("name the primary"));
}

TEST_F(ClusterStart, AnEtcdThatIsNotThereIsNamed) {
  Config config = this->config("one");
  config.etcd = {"http://127.0.0.1:1"};
  config.node_lease_ms = 2000;
  EXPECT_THAT(refusal_of(config), HasSubstr("127.0.0.1:1"));
}

TEST_F(ClusterStart, NodesFindEachOtherByEtcd) {
  services::EtcdServer etcd;
  etcd.start();
  Config first = config("one");
  first.etcd = {etcd.url()};
  first.node_lease_ms = 2000;
  Config second = first;
  second.node_id = "two";
  Server one(first);
  Server two(second);
  ASSERT_TRUE(one.start().ok());
  const auto started = two.start();
  ASSERT_TRUE(started.ok()) << started.error().text();
  // A node that starts is in the list when its own word has come back by the watch.
  Client client(two.admin_port());
  std::string listed;
  EXPECT_TRUE(services::wait_until([&] {
    listed = client.request("GET", "/api/v1/admin/nodes").body;
    return listed.find(R"("name":"one")") != std::string::npos &&
           listed.find(R"("name":"two")") != std::string::npos;
  })) << listed;
}

}  // namespace
}  // namespace uproar::server
