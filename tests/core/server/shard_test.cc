// One shard of its own, over a store that commits when it is told to: how it comes to its end.

#include "core/server/shard.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "core/net/listener.h"
#include "core/runtime/blocking_pool.h"
#include "core/runtime/clock.h"
#include "core/runtime/limits.h"
#include "proto/auth/token.h"
#include "storage/memory/memory_store.h"
#include "tests/core/server/local_server.h"

namespace uproar::server {
namespace {

// Ten seconds are for ever here: they fail the test, they do not pace it.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class ShardTest : public ::testing::Test {
 protected:
  ShardTest() {
    auto listener = net::listen_reuseport("127.0.0.1:0");
    EXPECT_TRUE(listener.ok());
    listen_fd_ = listener.value();
    shard_ = std::make_unique<Shard>(environment_, 0, grid_, listen_fd_);
    EXPECT_TRUE(shard_->prepare().ok());
    shard_->connect({&shard_->waker()});
  }
  ~ShardTest() override {
    shard_->request_stop();
    shard_->join();
    shard_.reset();
    ::close(listen_fd_);
  }

  static Config small_config() {
    Config config;
    config.shards = 1;
    config.connections_max = 64;
    config.connections_per_address = 0;
    return config;
  }
  [[nodiscard]] std::string token() const {
    const std::int64_t now_s = runtime::read_clock().wall_us / 1'000'000;
    return auth::TokenSigner::make(environment_.auth_key.text())
        ->sign({.user = LocalServer::fresh_user(),
                .sid = {},
                .name = {},
                .issued_at_s = now_s,
                .expires_at_s = now_s + 60});
  }
  // What a turn concludes is known after the next one has begun.
  void let_turns_pass() {
    const std::uint64_t before = shard_->turn_counters().turns.value();
    EXPECT_TRUE(eventually([&] {
      (void)shard_->waker().wake_from_thread();
      return shard_->turn_counters().turns.value() >= before + 2;
    }));
  }

  Config config_ = small_config();
  storage::MemoryStore store_;
  runtime::BlockingPool pool_{runtime::BlockingPool::Options{}};
  PasswordLine passwords_{pool_};
  gateway::LoginLimits login_limits_{gateway::LoginLimits::Options{}};
  std::atomic<bool> draining_{false};
  ShardEnvironment environment_{.config = config_,
                                .store = store_,
                                .passwords = passwords_,
                                .login_limits = login_limits_,
                                .auth_key = auth::Secret(std::string(64, 'k')),
                                .jwks_document = {},
                                .draining = draining_};
  MailboxGrid grid_{1};
  int listen_fd_ = -1;
  std::unique_ptr<Shard> shard_;
};

TEST_F(ShardTest, DrainsHoweverMuchElseItWasTold) {
  for (std::uint32_t i = 0; i <= runtime::kInboxTasks; ++i) shard_->replace_keys("{}");
  shard_->begin_drain(0, 0);
  ASSERT_TRUE(shard_->start().ok());
  EXPECT_TRUE(eventually([this] { return shard_->drained(); }));
}

TEST_F(ShardTest, IsDrainedOnceWhatItStagedIsCommitted) {
  store_.hold_commits(true);
  ASSERT_TRUE(shard_->start().ok());
  {
    Client client(net::local_port(listen_fd_));
    ASSERT_EQ(client.upgrade("/ws", bearer(token())).status, 101);
    ASSERT_EQ(client.hear().opcode, 1) << "session.ready";
    client.say(R"({"type":"conversation.create","id":1,"name":"last words","members":[]})");
    ASSERT_TRUE(eventually([this] { return store_.held_commits() == 1; }));
    shard_->begin_drain(0, 0);
    WsMessage last;
    do last = client.hear();
    while (last.opcode == 1);
    EXPECT_EQ(last.close_code(), 4300);
  }
  ASSERT_TRUE(eventually([this] { return shard_->net_counters()->connections.value() == 0; }));
  let_turns_pass();
  EXPECT_FALSE(shard_->drained()) << "a batch is with the store";
  store_.hold_commits(false);
  EXPECT_TRUE(eventually([this] { return shard_->drained(); }));
}

}  // namespace
}  // namespace uproar::server
