// The steps of a login, a registration and a refresh over a store in memory, with passwords that
// are compared as they are when the test says so.
#include "core/gateway/accounts.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/gateway/limits.h"
#include "storage/limits.h"
#include "storage/memory/memory_store.h"
#include "tests/storage/manual_reactor.h"

namespace uproar::gateway {
namespace {

constexpr const char* kPassword = "correct horse";

class Worker final : public PasswordWorker {
 public:
  struct Seen {
    PasswordTurn turn;
    bool has_hash = false;
  };

  bool hash(PasswordTurn turn, std::string password,
            std::function<void(std::optional<std::string>)> done) override {
    seen.push_back({.turn = turn});
    if (!takes) return false;
    waiting.push_back([this, password = std::move(password), done = std::move(done)] {
      done(serves ? std::optional(password) : std::nullopt);
    });
    return true;
  }
  bool verify(PasswordTurn turn, std::string password, std::string hash,
              std::function<void(PasswordVerdict)> done) override {
    seen.push_back({.turn = turn, .has_hash = !hash.empty()});
    if (!takes) return false;
    waiting.push_back([this, is_right = password == hash, done = std::move(done)] {
      done(!serves    ? PasswordVerdict::kUnserved
           : is_right ? PasswordVerdict::kRight
                      : PasswordVerdict::kWrong);
    });
    return true;
  }

  bool takes = true;
  bool serves = true;
  std::vector<Seen> seen;
  std::deque<std::function<void()>> waiting;
};

net::PeerAddress address(std::uint8_t number) {
  net::PeerAddress out;
  out.bytes[10] = out.bytes[11] = 0xFF;
  out.bytes[12] = 10;
  out.bytes[15] = number;
  return out;
}
const net::PeerAddress kHome = address(1);
const net::PeerAddress kCafe = address(2);

class AccountsTest : public ::testing::Test {
 protected:
  using Answer = Result<chat::SignedIn, chat::Error>;

  Accounts::Answered take() {
    return [this](Answer result) { answer_.emplace(std::move(result)); };
  }
  const Answer& finish() {
    reactor_.run_until_idle();
    while (!worker_.waiting.empty()) {
      auto work = std::move(worker_.waiting.front());
      worker_.waiting.pop_front();
      work();
      reactor_.run_until_idle();
    }
    return *answer_;
  }
  static Accounts::Caller caller(const net::PeerAddress& from) {
    return {.address = from, .device = "test", .ws_url = "ws://x/ws"};
  }
  const Answer& sign_up(const std::string& name, const net::PeerAddress& from) {
    accounts_.sign_up({.name = name, .password = kPassword}, caller(from), take());
    return finish();
  }
  const Answer& login(const std::string& name, const std::string& password,
                      const net::PeerAddress& from, const KnownDevice& known = {}) {
    Accounts::Caller who = caller(from);
    who.known = known;
    accounts_.login({.name = name, .password = password}, std::move(who), take());
    return finish();
  }
  const Answer& refresh(const std::string& token, const net::PeerAddress& from) {
    accounts_.refresh({.refresh_token = token}, caller(from), take());
    return finish();
  }
  // So many guesses, each from an address of its own.
  void guess(std::uint8_t count) {
    for (std::uint8_t i = 0; i < count; ++i) (void)login("owner", "wrong horse", address(100 + i));
  }
  static chat::ErrorCode code(const Answer& answer) {
    return answer.ok() ? chat::ErrorCode::kCount : answer.error().code;
  }

  Now now_{.monotonic_us = 86'400'000'000, .wall_us = 1'700'000'000'000'000};
  storage::ManualReactor reactor_;
  storage::MemoryStore store_;
  std::unique_ptr<storage::StoreClient> client_ = store_.open_client(reactor_);
  Worker worker_;
  auth::TokenSigner signer_ = std::move(*auth::TokenSigner::make(std::string(64, 'k')));
  LoginLimits limits_{LoginLimits::Options{}};
  DeviceCookies devices_{auth::Secret(std::string(64, 'k'))};
  Accounts accounts_{client_->directory(),
                     worker_,
                     reactor_,
                     signer_,
                     [this](const chat::TokenProof& holder, Now) {
                       sessions_.push_back(holder.session);
                       return std::optional<std::string>("ticket");
                     },
                     [this] { return now_; },
                     limits_,
                     devices_};
  std::optional<Answer> answer_;
  std::vector<SessionId> sessions_;  // of all that were signed in
};

// Refresh tokens that come back after they were used.
class SpentTokenTest : public AccountsTest {
 protected:
  SpentTokenTest() {
    accounts_.on_session_ended([this](SessionId session, UserId) { ended_.push_back(session); });
    accounts_.on_second_holder([this] { ++second_holders_; });
    first_ = sign_up("owner", kHome).value().refresh_token;
  }
  void pass(std::int64_t us) {
    now_.monotonic_us += us;
    now_.wall_us += us;
  }
  // The token of the next; empty: refused.
  std::string next_of(const std::string& token, const net::PeerAddress& from = kHome) {
    const Answer& answer = refresh(token, from);
    return answer.ok() ? answer.value().refresh_token : std::string();
  }

  std::string first_;
  std::vector<SessionId> ended_;
  int second_holders_ = 0;
};

TEST_F(AccountsTest, ANameThatNobodyHasWaitsAndIsHashedAsAnyOther) {
  ASSERT_TRUE(sign_up("owner", kHome).ok());
  worker_.seen.clear();
  EXPECT_EQ(code(login("owner", "wrong horse", kCafe)), chat::ErrorCode::kUnauthorized);
  EXPECT_EQ(code(login("nobody", "wrong horse", kCafe)), chat::ErrorCode::kUnauthorized);
  ASSERT_EQ(worker_.seen.size(), 2U);
  EXPECT_TRUE(worker_.seen[0].has_hash);
  EXPECT_FALSE(worker_.seen[1].has_hash);
  EXPECT_EQ(worker_.seen[0].turn.cls, worker_.seen[1].turn.cls);
  EXPECT_EQ(worker_.seen[0].turn.lane, worker_.seen[1].turn.lane);
}

TEST_F(AccountsTest, WhereSomebodyIsKnownTheyAreServedFirstAndNotDelayedByOthers) {
  ASSERT_TRUE(sign_up("owner", kHome).ok());
  guess(50);
  EXPECT_EQ(code(login("owner", kPassword, kCafe)), chat::ErrorCode::kRateLimited);
  worker_.seen.clear();
  ASSERT_TRUE(login("owner", kPassword, kHome).ok());
  ASSERT_TRUE(login("Owner", kPassword, address(3),
                    {.id = 1, .logins = {{.account = devices_.tag("owner"), .day = 0}}})
                  .ok());
  for (const Worker::Seen& seen : worker_.seen) EXPECT_EQ(seen.turn.cls, PasswordClass::kKnown);
}

TEST_F(AccountsTest, ARefreshMakesItsAddressKnown) {
  const std::string token = sign_up("owner", kHome).value().refresh_token;
  guess(50);
  ASSERT_TRUE(refresh(token, kCafe).ok());
  EXPECT_TRUE(login("owner", kPassword, kCafe).ok());
}

TEST_F(AccountsTest, AWrongPasswordMakesNothingKnown) {
  ASSERT_TRUE(sign_up("owner", kHome).ok());
  EXPECT_EQ(code(login("owner", "wrong horse", kCafe)), chat::ErrorCode::kUnauthorized);
  EXPECT_EQ(code(refresh(std::string(43, 'A'), kCafe)), chat::ErrorCode::kUnauthorized);
  worker_.seen.clear();
  (void)login("owner", "wrong horse", kCafe);
  EXPECT_EQ(worker_.seen.at(0).turn.cls, PasswordClass::kStranger);
}

TEST_F(AccountsTest, ALoginThatNobodyHadTimeForIsNoGuess) {
  ASSERT_TRUE(sign_up("owner", kHome).ok());
  for (const bool is_taken : {false, true}) {
    worker_.takes = is_taken;
    worker_.serves = false;
    for (std::uint32_t i = 0; i < 3 * kGuessesOfKnownFree; ++i) {
      const Answer& answer = login("owner", kPassword, kHome);
      ASSERT_EQ(code(answer), chat::ErrorCode::kOverloaded) << i;
      ASSERT_GT(answer.error().retry_after_ms, 0U);
    }
  }
  worker_.serves = true;
  EXPECT_TRUE(login("owner", kPassword, kHome).ok());
}

TEST_F(AccountsTest, ARegistrationThatMadeNoAccountIsNotCounted) {
  ASSERT_TRUE(sign_up("owner", kHome).ok());
  for (const bool is_taken : {false, true}) {
    worker_.takes = is_taken;
    worker_.serves = false;
    for (int i = 0; i < 60; ++i) {
      now_.monotonic_us += 1'000'000;
      ASSERT_EQ(code(sign_up("other", kHome)), chat::ErrorCode::kOverloaded) << i;
    }
  }
  worker_.serves = true;
  for (int i = 0; i < 60; ++i) {
    now_.monotonic_us += 1'000'000;
    ASSERT_EQ(code(sign_up("owner", kHome)), chat::ErrorCode::kNameTaken) << i;
  }
  EXPECT_TRUE(sign_up("other", kHome).ok());
  EXPECT_EQ(worker_.seen.back().turn.cls, PasswordClass::kRegistration);
}

TEST_F(SpentTokenTest, GivesALoginOfTheirOwnToWhoeverBringsItJustAfterItsUse) {
  std::string one = next_of(first_);
  pass(storage::kRefreshGraceUs);
  std::string two = next_of(first_), three = next_of(first_);
  ASSERT_FALSE(one.empty() || two.empty() || three.empty());
  ASSERT_EQ(sessions_.size(), 4U);
  EXPECT_EQ(sessions_[1], sessions_[0]);
  EXPECT_NE(sessions_[2], sessions_[0]);
  EXPECT_NE(sessions_[3], sessions_[0]);
  EXPECT_NE(sessions_[3], sessions_[2]);
  EXPECT_EQ(second_holders_, 2);
  const std::vector<SessionId> logins(sessions_.begin() + 1, sessions_.end());
  for (int day = 0; day < 3; ++day) {  // and all go on
    pass(kAccessTokenLifeUs);
    sessions_.clear();
    for (std::string* token : {&one, &two, &three}) *token = next_of(*token);
    EXPECT_EQ(sessions_, logins);
  }
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(second_holders_, 2);
}

TEST_F(SpentTokenTest, EndsItsLoginAMomentLater) {
  const std::string owner = next_of(first_), second = next_of(first_);
  pass(storage::kRefreshGraceUs + 1);
  EXPECT_EQ(code(refresh(first_, kCafe)), chat::ErrorCode::kTokenRevoked);
  EXPECT_EQ(ended_, std::vector{sessions_[0]});
  EXPECT_EQ(code(refresh(owner, kHome)), chat::ErrorCode::kUnauthorized);
  EXPECT_FALSE(next_of(second).empty()) << "the second login is one of its own";
}

TEST_F(SpentTokenTest, EndsItsLoginAtOnceWhenItIsNotTheLast) {
  const std::string newest = next_of(next_of(first_));
  ASSERT_FALSE(newest.empty());
  EXPECT_EQ(code(refresh(first_, kCafe)), chat::ErrorCode::kTokenRevoked);
  EXPECT_EQ(ended_, std::vector{sessions_[0]});
  EXPECT_EQ(code(refresh(newest, kHome)), chat::ErrorCode::kUnauthorized);
}

TEST_F(SpentTokenTest, CostsItsAddressAsMuchAsAWrongOne) {
  ASSERT_FALSE(next_of(first_, kCafe).empty());  // a tenth
  for (std::uint32_t i = 1; i < kLoginsPerAddressBurst; ++i)
    ASSERT_FALSE(next_of(first_, kCafe).empty()) << i;
  EXPECT_EQ(code(refresh(first_, kCafe)), chat::ErrorCode::kRateLimited);
  EXPECT_GT(answer_->error().retry_after_ms, 0U);
  EXPECT_TRUE(ended_.empty()) << "who has to wait ends nothing";
}

TEST_F(SpentTokenTest, MakesSoManyLoginsOfAnAccountWhereverItComesFrom) {
  ASSERT_FALSE(next_of(first_).empty());
  for (std::uint32_t i = 0; i < kLoginsPerAccountBurst; ++i)
    ASSERT_FALSE(next_of(first_, address(static_cast<std::uint8_t>(100 + i))).empty()) << i;
  EXPECT_EQ(code(refresh(first_, kCafe)), chat::ErrorCode::kRateLimited);
  EXPECT_EQ(sessions_.size(), 2U + kLoginsPerAccountBurst);
  EXPECT_TRUE(login("owner", kPassword, kHome).ok()) << "the password is not delayed by it";
}

TEST_F(SpentTokenTest, MakesNoAddressKnown) {
  ASSERT_FALSE(next_of(first_).empty());
  ASSERT_FALSE(next_of(first_, kCafe).empty());
  worker_.seen.clear();
  (void)login("owner", "wrong horse", kCafe);
  EXPECT_EQ(worker_.seen.at(0).turn.cls, PasswordClass::kStranger);
}

}  // namespace
}  // namespace uproar::gateway
