// The canary on simulated time, over a store that waits when told to: what anybody may ask for must not become a load.

#include "core/gateway/canary.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "storage/memory/memory_store.h"
#include "tests/storage/manual_reactor.h"

namespace uproar::gateway {
namespace {

// As ManualReactor; sockets are looked at, too.
class Reactor final : public storage::ManualReactor {
 public:
  WatchId watch(int fd, short events, std::function<void(short)> ready) override {
    watched_[++last_watch_] = {.poll = {.fd = fd, .events = events, .revents = 0},
                               .ready = std::move(ready)};
    return last_watch_;
  }
  void unwatch(WatchId id) override { watched_.erase(id); }
  void look() {
    run_until_idle();
    auto watched = watched_;
    for (auto& [id, watch] : watched) {
      if (::poll(&watch.poll, 1, 0) == 1) watch.ready(watch.poll.revents);
    }
  }

 private:
  struct Watched {
    pollfd poll;
    std::function<void(short)> ready;
  };
  std::map<WatchId, Watched> watched_;
  WatchId last_watch_ = 0;
};

class CanaryTest : public ::testing::Test {
 protected:
  CanaryTest() { store.hold_commits(true); }
  ~CanaryTest() override {
    for (const int fd : admitted) ::close(fd);
  }

  void ask(int times = 1) {
    for (int i = 0; i < times; ++i) {
      canary.ask([this](Canary::Verdict verdict) { verdicts.push_back(verdict); });
    }
  }
  // The shard's receive path: hears the request and answers it.
  void answer_requests() {
    for (const int fd : std::exchange(admitted, {})) {
      std::array<char, 512> request{};
      EXPECT_GT(::recv(fd, request.data(), request.size(), MSG_DONTWAIT), 0);
      constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\n\r\n";
      EXPECT_EQ(::send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(kAnswer.size()));
      ::close(fd);
    }
    reactor.look();
  }
  // One whole flight comes home. True: there was one.
  bool land() {
    const bool committed = store.release_commit();
    answer_requests();
    return committed;
  }
  void pass(std::uint32_t ms) {
    now.monotonic_us += std::int64_t{ms} * 1000;
    reactor.advance(ms);
    reactor.look();
  }

  Now now{.monotonic_us = 5'000'000, .wall_us = 0};
  Reactor reactor;
  storage::MemoryStore store;
  std::unique_ptr<storage::StoreClient> client = store.open_client(reactor);
  std::vector<int> admitted;
  Canary canary{[this](int fd) { admitted.push_back(fd); }, *client, reactor, now};
  std::vector<Canary::Verdict> verdicts;
};

TEST_F(CanaryTest, ManyWhoAskAtOnceShareOneFlight) {
  ask(100);
  EXPECT_EQ(store.held_commits(), 1U);
  EXPECT_EQ(admitted.size(), 1U);
  EXPECT_TRUE(verdicts.empty()) << "nothing is known before it has landed";
  EXPECT_TRUE(land());
  ASSERT_EQ(verdicts.size(), 100U);
  for (const Canary::Verdict verdict : verdicts) EXPECT_TRUE(verdict.receive_path && verdict.store);
}

TEST_F(CanaryTest, AVerdictIsGivenAgainForASecondAndNoLonger) {
  ask();
  ASSERT_TRUE(land());
  pass(Canary::kFreshMs - 1);
  ask(50);
  EXPECT_EQ(verdicts.size(), 51U);
  EXPECT_EQ(store.held_commits(), 0U) << "nobody wrote for them";
  pass(1);
  ask();
  EXPECT_EQ(store.held_commits(), 1U);
  EXPECT_EQ(verdicts.size(), 51U) << "the old verdict is not good any more";
  ASSERT_TRUE(land());
  EXPECT_EQ(verdicts.size(), 52U);
}

TEST_F(CanaryTest, PollingThatNeverStopsIsOneCommitASecond) {
  int commits = 0;
  for (int i = 0; i < 10'000; ++i) {  // a thousand a second, for ten seconds
    ask();
    if (land()) ++commits;
    pass(1);
  }
  EXPECT_EQ(verdicts.size(), 10'000U);
  EXPECT_EQ(commits, 10);
}

TEST_F(CanaryTest, AStoreThatIsSilentIsFalseAfterTheDeadlineAndStaysSoForASecond) {
  ask();
  answer_requests();
  pass(Canary::kDeadlineMs - 1);
  EXPECT_TRUE(verdicts.empty());
  pass(1);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_TRUE(verdicts.back().receive_path);
  EXPECT_FALSE(verdicts.back().store);
  ask();
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_FALSE(verdicts.back().store);
  EXPECT_EQ(store.held_commits(), 1U) << "a store in trouble is not asked more often";
  EXPECT_TRUE(store.release_commit());  // too late: belongs to nobody
  reactor.look();
  pass(Canary::kFreshMs);
  ask();
  ASSERT_TRUE(land());
  ASSERT_EQ(verdicts.size(), 3U);
  EXPECT_TRUE(verdicts.back().receive_path && verdicts.back().store);
}

TEST_F(CanaryTest, AShardThatDoesNotHearIsFalse) {
  ask();
  EXPECT_TRUE(store.release_commit());
  reactor.look();
  EXPECT_TRUE(verdicts.empty());
  pass(Canary::kDeadlineMs);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_FALSE(verdicts.back().receive_path);
  EXPECT_TRUE(verdicts.back().store);
}

}  // namespace
}  // namespace uproar::gateway
