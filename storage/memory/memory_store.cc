#include "storage/memory/memory_store.h"

#include <utility>

#include "storage/client_link.h"

namespace uproar::storage {

class MemoryClient final : public StoreClient, BatchStore, HistoryReader, Directory {
 public:
  MemoryClient(MemoryStore& store, Reactor& reactor)
      : store_(store), link_(std::make_shared<ClientLink>(reactor)) {}
  ~MemoryClient() override { link_->close(); }

  BatchStore& batches() override { return *this; }
  HistoryReader& history() override { return *this; }
  Directory& directory() override { return *this; }

 private:
  void commit(std::vector<Operation> batch, CommitDone done) override {
    store_.run_or_hold(store_.commits_, [&store = store_, link = link_, batch = std::move(batch),
                                         done = std::move(done)] {
      std::vector<Outcome> outcomes;
      outcomes.reserve(batch.size());
      const MemoryStore::CommitFault fault = store.commit_fault_;
      for (const Operation& operation : batch) {
        const bool is_stored = fault != MemoryStore::CommitFault::kRefused;
        Outcome outcome = is_stored ? store.model_.apply(operation) : Outcome();
        if (fault != MemoryStore::CommitFault::kNone) outcome = Outcome{.ticket = operation.ticket};
        outcomes.push_back(outcome);
      }
      store.healthy_ = fault == MemoryStore::CommitFault::kNone;
      link->post([done, outcomes = std::move(outcomes)] { done(outcomes); });
    });
  }

  // `ask(model)` gives the answer that `done` hears.
  template <class T, class Ask>
  void answer(Done<T> done, Ask ask) {
    store_.run_or_hold(store_.reads_, [&store = store_, link = link_, done = std::move(done),
                                       ask = std::move(ask)] {
      auto result = store.fail_reads_ ? Result<T, StoreError>(Err{StoreError::kUnavailable})
                                      : ask(store.model_);
      link->post([done, result = std::move(result)] { done(result); });
    });
  }

  void load_conversation(ConversationId id, Done<ConversationState> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.load_conversation(id); });
  }
  void read_page(const PageQuery& query, Done<Page> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.read_page(query); });
  }

  void create_user(User user, Done<UserId> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.create_user(user); });
  }
  void find_user_by_name(std::string name, Done<User> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.find_user_by_name(name); });
  }
  void find_users(std::vector<UserId> ids, Done<std::vector<User>> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.find_users(ids); });
  }
  void ensure_user(UserId id, std::string name, std::int64_t at_us, Done<User> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.ensure_user(id, name, at_us); });
  }
  void set_last_online(UserId id, std::int64_t at_us) override {
    store_.with_model([&](MemoryModel& model) { model.set_last_online(id, at_us); });
  }
  void create_session(SessionRecord session, Done<SessionId> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.create_session(session); });
  }
  void rotate_session(std::string old_digest, std::string new_digest, std::int64_t now_us,
                      std::int64_t expires_at_us, Done<SessionRecord> done) override {
    answer(std::move(done), [=](MemoryModel& model) {
      return model.rotate_session(old_digest, new_digest, now_us, expires_at_us);
    });
  }
  void revoke_session(SessionId id, std::int64_t at_us, Done<bool> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.revoke_session(id, at_us); });
  }
  void revoked_since(std::int64_t since_us, Done<std::vector<SessionId>> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.revoked_since(since_us); });
  }
  void load_audience(UserId user, std::uint32_t conversations_max, std::uint32_t peers_max,
                     std::uint32_t small_group_max, Done<Audience> done) override {
    answer(std::move(done), [=](MemoryModel& model) {
      return model.load_audience(user, conversations_max, peers_max, small_group_max);
    });
  }
  void list_conversations(ListQuery query, Done<ConversationList> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.list_conversations(query); });
  }
  void view_conversation(ConversationId id, UserId viewer, std::uint32_t members_max,
                         Done<chat::ConversationView> done) override {
    answer(std::move(done),
           [=](MemoryModel& model) { return model.view_conversation(id, viewer, members_max); });
  }
  void unread_conversations(UserId user, std::uint32_t limit,
                            Done<std::vector<chat::ConversationView>> done) override {
    answer(std::move(done),
           [=](MemoryModel& model) { return model.unread_conversations(user, limit); });
  }

  MemoryStore& store_;
  std::shared_ptr<ClientLink> link_;
};

std::unique_ptr<StoreClient> MemoryStore::open_client(Reactor& reactor) {
  return std::make_unique<MemoryClient>(*this, reactor);
}

bool MemoryStore::healthy() const {
  const std::lock_guard lock(mutex_);
  return healthy_;
}

void MemoryStore::set_commit_fault(CommitFault fault) {
  const std::lock_guard lock(mutex_);
  commit_fault_ = fault;
}

void MemoryStore::fail_reads(bool on) {
  const std::lock_guard lock(mutex_);
  fail_reads_ = on;
}

void MemoryStore::hold_commits(bool on) {
  hold(commits_, on);
}
void MemoryStore::hold_reads(bool on) {
  hold(reads_, on);
}
bool MemoryStore::release_commit() {
  return release(commits_);
}
bool MemoryStore::release_read() {
  return release(reads_);
}

std::size_t MemoryStore::held_commits() const {
  const std::lock_guard lock(mutex_);
  return commits_.waiting.size();
}
std::size_t MemoryStore::held_reads() const {
  const std::lock_guard lock(mutex_);
  return reads_.waiting.size();
}

void MemoryStore::with_model(const std::function<void(MemoryModel&)>& look) {
  const std::lock_guard lock(mutex_);
  look(model_);
}

void MemoryStore::run_or_hold(Line& line, Work work) {
  const std::lock_guard lock(mutex_);
  if (line.is_held) {
    line.waiting.push_back(std::move(work));
  } else {
    work();
  }
}

void MemoryStore::hold(Line& line, bool on) {
  const std::lock_guard lock(mutex_);
  line.is_held = on;
  if (on) return;
  while (release(line)) {
  }
}

bool MemoryStore::release(Line& line) {
  const std::lock_guard lock(mutex_);
  if (line.waiting.empty()) return false;
  const Work work = std::move(line.waiting.front());
  line.waiting.pop_front();
  work();
  return true;
}

}  // namespace uproar::storage
