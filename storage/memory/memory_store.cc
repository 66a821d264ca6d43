#include "storage/memory/memory_store.h"

#include <utility>

#include "storage/client_link.h"

namespace uproar::storage {

class MemoryClient final : public StoreClient, BatchStore, HistoryReader, Directory, JobQueue {
 public:
  MemoryClient(MemoryStore& store, Reactor& reactor)
      : store_(store), link_(std::make_shared<ClientLink>(reactor)) {}
  ~MemoryClient() override { link_->close(); }

  std::vector<BatchStore*> lanes() override { return {this}; }
  HistoryReader& history() override { return *this; }
  Directory& directory() override { return *this; }
  JobQueue& jobs() override { return *this; }
  void probe(std::function<void(bool)> done) override {
    store_.run_or_hold(
        [link = link_, done = std::move(done)] { link->post([done] { done(true); }); });
  }

 private:
  void commit(std::vector<Operation> batch, CommitDone done) override {
    store_.run_or_hold(
        [&store = store_, link = link_, batch = std::move(batch), done = std::move(done)] {
          std::vector<Outcome> outcomes;
          outcomes.reserve(batch.size());
          for (const Operation& operation : batch)
            outcomes.push_back(store.model_.apply(operation));
          link->post([done, outcomes = std::move(outcomes)] { done(outcomes); });
        });
  }

  // `ask(model)` gives the answer that `done` hears.
  template <class T, class Ask>
  void answer(Done<T> done, Ask ask) {
    const std::lock_guard lock(store_.mutex_);
    link_->post([done = std::move(done), result = ask(store_.model_)] { done(result); });
  }

  void load_conversation(ConversationId id, Done<ConversationState> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.load_conversation(id); });
  }
  void read_page(const PageQuery& query, Done<Page> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.read_page(query); });
  }
  void read_log(const LogQuery& query, Done<LogPage> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.read_log(query); });
  }
  void read_last_seq(ConversationId id, Done<Seq> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.read_last_seq(id); });
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
  void find_companions(UserId of, std::vector<UserId> users, InDoubt /*it is known of all*/,
                       Done<std::vector<UserId>> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.find_companions(of, users); });
  }
  void ensure_user(UserId id, std::string name, std::int64_t at_us, Done<User> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.ensure_user(id, name, at_us); });
  }
  void set_last_online(UserId id, std::int64_t at_us) override {
    const std::lock_guard lock(store_.mutex_);
    store_.model_.set_last_online(id, at_us);
  }
  void create_session(SessionRecord session, Done<SessionId> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.create_session(session); });
  }
  void rotate_session(std::string old_digest, std::string new_digest, std::int64_t now_us,
                      std::int64_t expires_at_us, Done<Rotation> done) override {
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
  void load_audiences(std::vector<UserId> users, AudienceBounds bounds,
                      Done<std::vector<Audience>> done) override {
    answer(std::move(done), [users = std::move(users), bounds](MemoryModel& model) {
      return model.load_audiences(users, bounds);
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
  void find_memberships(UserId user, std::vector<ConversationId> ids,
                        Done<std::vector<ConversationId>> done) override {
    answer(std::move(done), [user, ids = std::move(ids)](MemoryModel& model) {
      return model.find_memberships(user, ids);
    });
  }
  void find_writers(std::vector<Writer> asked, Done<std::vector<Writer>> done) override {
    answer(std::move(done),
           [asked = std::move(asked)](MemoryModel& model) { return model.find_writers(asked); });
  }
  void take_jobs(std::int64_t now_us, std::int64_t until_us, std::uint32_t limit,
                 Done<std::vector<Job>> done) override {
    answer(std::move(done),
           [=](MemoryModel& model) { return model.take_jobs(now_us, until_us, limit); });
  }
  void finish_jobs(std::vector<JobKey> jobs, Done<std::uint64_t> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.finish_jobs(jobs); });
  }

  MemoryStore& store_;
  std::shared_ptr<ClientLink> link_;
};

std::unique_ptr<StoreClient> MemoryStore::open_client(Reactor& reactor) {
  return std::make_unique<MemoryClient>(*this, reactor);
}

void MemoryStore::hold_commits(bool on) {
  const std::lock_guard lock(mutex_);
  holds_commits_ = on;
  if (on) return;
  while (release_commit()) {
  }
}

bool MemoryStore::release_commit() {
  const std::lock_guard lock(mutex_);
  if (held_.empty()) return false;
  const Work work = std::move(held_.front());
  held_.pop_front();
  work();
  return true;
}

std::size_t MemoryStore::held_commits() const {
  const std::lock_guard lock(mutex_);
  return held_.size();
}

void MemoryStore::run_or_hold(Work work) {
  const std::lock_guard lock(mutex_);
  if (holds_commits_) {
    held_.push_back(std::move(work));
  } else {
    work();
  }
}

}  // namespace uproar::storage
