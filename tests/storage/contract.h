#pragma once

// The bench on which every backend is tried: a store, one client, and calls that wait for their answer. Each contract
// test runs once for each backend of kBackends; a new backend is one more line there.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/store.h"
#include "tests/storage/poll_reactor.h"

namespace uproar::storage {

// Makes and remakes the store. What it kept is still there after reopen(), unless it never keeps anything.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual Store& store() = 0;
  [[nodiscard]] virtual bool is_durable() const = 0;
  virtual void reopen() = 0;
};
std::unique_ptr<Backend> make_memory_backend();
std::unique_ptr<Backend> make_sqlite_backend();
std::unique_ptr<Backend> make_postgres_backend();

struct BackendKind {
  const char* name;
  std::unique_ptr<Backend> (*make)();
};
inline constexpr BackendKind kBackends[] = {{"memory", make_memory_backend},
                                            {"sqlite", make_sqlite_backend},
                                            {"postgres", make_postgres_backend}};

// SQLite until its first reopen(), which moves everything to PostgreSQL; that from then on.
std::unique_ptr<Backend> make_moving_backend();
inline constexpr BackendKind kMovingBackend = {"moving", make_moving_backend};

// A folder that is gone when the test is.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

template <class Id>
constexpr Id make_id(std::uint64_t n) {
  return Id(Uuid{.high = 0x0190'0000'0000'7000ULL, .low = n});
}
constexpr UserId user(std::uint64_t n) {
  return make_id<UserId>(n);
}
constexpr ConversationId conversation(std::uint64_t n) {
  return make_id<ConversationId>(0x1000 + n);
}

// Calls that turn the reactor until the answer is there.
class Caller {
 public:
  explicit Caller(Store& store) : client_(store.open_client(reactor_)) {}

  std::vector<Outcome> commit(std::vector<Operation> batch) {
    std::optional<std::vector<Outcome>> answer;
    client_->first_lane().commit(
        std::move(batch), [&](std::vector<Outcome> outcomes) { answer = std::move(outcomes); });
    reactor_.run_until([&] { return answer.has_value(); });
    return *std::move(answer);
  }
  Outcome commit_one(Operation operation) {
    std::vector<Operation> batch;
    batch.push_back(std::move(operation));
    return commit(std::move(batch)).at(0);
  }
  // `ask(done)` starts the call.
  template <class T, class Ask>
  Result<T, StoreError> wait(Ask ask) {
    std::optional<Result<T, StoreError>> answer;
    ask([&](Result<T, StoreError> result) { answer.emplace(std::move(result)); });
    reactor_.run_until([&] { return answer.has_value(); });
    return *std::move(answer);
  }

  Result<ConversationState, StoreError> load(ConversationId id) {
    return wait<ConversationState>([&](auto done) { history().load_conversation(id, done); });
  }
  Result<Page, StoreError> page(const PageQuery& query) {
    return wait<Page>([&](auto done) { history().read_page(query, done); });
  }
  Result<LogPage, StoreError> log(const LogQuery& query) {
    return wait<LogPage>([&](auto done) { history().read_log(query, done); });
  }
  Result<Seq, StoreError> last_seq_of(ConversationId id) {
    return wait<Seq>([&](auto done) { history().read_last_seq(id, done); });
  }
  Result<UserId, StoreError> create_user(User record) {
    return wait<UserId>([&](auto done) { directory().create_user(record, done); });
  }
  Result<User, StoreError> find_name(std::string name) {
    return wait<User>([&](auto done) { directory().find_user_by_name(name, done); });
  }
  Result<std::vector<ConversationId>, StoreError> find_memberships(
      UserId user, std::vector<ConversationId> ids) {
    return wait<std::vector<ConversationId>>(
        [&](auto done) { directory().find_memberships(user, ids, done); });
  }
  Result<std::vector<Writer>, StoreError> find_writers(std::vector<Writer> asked) {
    return wait<std::vector<Writer>>([&](auto done) { directory().find_writers(asked, done); });
  }
  Result<std::vector<User>, StoreError> find_users(std::vector<UserId> ids) {
    return wait<std::vector<User>>([&](auto done) { directory().find_users(ids, done); });
  }
  Result<std::vector<UserId>, StoreError> find_companions(UserId of, std::vector<UserId> users,
                                                          InDoubt in_doubt = InDoubt::kStranger) {
    return wait<std::vector<UserId>>(
        [&](auto done) { directory().find_companions(of, users, in_doubt, done); });
  }
  Result<User, StoreError> ensure_user(UserId id, std::string name, std::int64_t at_us) {
    return wait<User>([&](auto done) { directory().ensure_user(id, name, at_us, done); });
  }
  Result<SessionId, StoreError> create_session(SessionRecord record) {
    return wait<SessionId>([&](auto done) { directory().create_session(record, done); });
  }
  Result<Rotation, StoreError> rotate(std::string old_digest, std::string new_digest,
                                      std::int64_t now_us, std::int64_t expires_at_us) {
    return wait<Rotation>([&](auto done) {
      directory().rotate_session(old_digest, new_digest, now_us, expires_at_us, done);
    });
  }
  Result<bool, StoreError> revoke(SessionId id, std::int64_t at_us) {
    return wait<bool>([&](auto done) { directory().revoke_session(id, at_us, done); });
  }
  Result<std::vector<SessionId>, StoreError> revoked_since(std::int64_t since_us) {
    return wait<std::vector<SessionId>>(
        [&](auto done) { directory().revoked_since(since_us, done); });
  }
  Result<Audience, StoreError> audience(UserId id, std::uint32_t conversations_max = 1000,
                                        std::uint32_t peers_max = 1000,
                                        std::uint32_t small_group_max = 4) {
    const AudienceBounds bounds{.conversations_max = conversations_max,
                                .peers_max = peers_max,
                                .small_group_max = small_group_max};
    auto found = audiences({id}, bounds);
    if (!found.ok()) return Err{found.error()};
    EXPECT_EQ(found->size(), 1U);
    return std::move(found->at(0));
  }
  Result<std::vector<Audience>, StoreError> audiences(std::vector<UserId> ids,
                                                      AudienceBounds bounds) {
    return wait<std::vector<Audience>>(
        [&](auto done) { directory().load_audiences(ids, bounds, done); });
  }
  Result<ConversationList, StoreError> list(ListQuery query) {
    return wait<ConversationList>([&](auto done) { directory().list_conversations(query, done); });
  }
  Result<chat::ConversationView, StoreError> view(ConversationId id, UserId viewer,
                                                  std::uint32_t members_max = 32) {
    return wait<chat::ConversationView>(
        [&](auto done) { directory().view_conversation(id, viewer, members_max, done); });
  }
  Result<std::vector<chat::ConversationView>, StoreError> unread(UserId id,
                                                                 std::uint32_t limit = 100) {
    return wait<std::vector<chat::ConversationView>>(
        [&](auto done) { directory().unread_conversations(id, limit, done); });
  }
  // REQUIRES: a store that knows.
  Result<std::vector<NodeDigest>, StoreError> nodes_at_work() {
    return wait<std::vector<NodeDigest>>(
        [&](auto done) { client_->nodes_at_work()->find_nodes_at_work(done); });
  }

  Result<std::vector<Job>, StoreError> take_jobs(std::int64_t now_us, std::int64_t until_us,
                                                 std::uint32_t limit = 100) {
    return wait<std::vector<Job>>(
        [&](auto done) { client_->jobs().take_jobs(now_us, until_us, limit, done); });
  }
  Result<std::uint64_t, StoreError> finish_jobs(std::vector<JobKey> jobs) {
    return wait<std::uint64_t>([&](auto done) { client_->jobs().finish_jobs(jobs, done); });
  }

  HistoryReader& history() { return client_->history(); }
  Directory& directory() { return client_->directory(); }
  PollReactor& reactor() { return reactor_; }

 private:
  PollReactor reactor_;
  std::unique_ptr<StoreClient> client_;
};

// Base of the contract suites: users 1..5 ("user1" …) exist, and operations are written as sentences.
class ContractTest : public testing::TestWithParam<BackendKind> {
 protected:
  ContractTest();
  ~ContractTest() override;

  void reopen();
  // Time moves by one microsecond with every operation, so that each has its own.
  Operation operation(ConversationId where, UserId actor, decltype(Operation::body) body);
  Outcome act(ConversationId where, UserId actor, decltype(Operation::body) body) {
    return call->commit_one(operation(where, actor, std::move(body)));
  }
  Outcome creates(UserId actor, ConversationId where, chat::ConversationKind kind,
                  std::vector<UserId> members);
  AppendMessage message(std::string content, std::string client_id = {});
  Outcome sends(UserId actor, ConversationId where, std::string content,
                std::string client_id = {}) {
    return act(where, actor, message(std::move(content), std::move(client_id)));
  }
  Outcome marks(UserId actor, ConversationId where, chat::MarkKind kind, Seq seq) {
    return act(where, actor, AdvanceMark{.kind = kind, .seq = seq});
  }
  // The newest `limit` rows, ascending.
  std::vector<chat::Message> rows(ConversationId where, std::uint32_t limit = 500) {
    return call->page({.conversation = where, .limit = limit}).value().messages;
  }
  chat::Message row(ConversationId where, Seq seq);
  std::uint64_t unread(UserId viewer, ConversationId where) {
    return call->view(where, viewer).value().unread;
  }

  std::unique_ptr<Backend> backend;
  std::unique_ptr<Caller> call;
  std::int64_t now_us = 1'000'000;
  std::uint64_t last_message_id = 0;
  Ticket last_ticket = 0;
};

#define UPROAR_CONTRACT(suite)                                            \
  INSTANTIATE_TEST_SUITE_P(Backends, suite, testing::ValuesIn(kBackends), \
                           [](const auto& backend) { return std::string(backend.param.name); })

// Readable failures: a message as one line.
std::string describe(const chat::Message& message);
std::string describe(const LogEntry& entry);
std::string describe(const Outcome& outcome);
std::string describe(const chat::ConversationView& view);

}  // namespace uproar::storage
