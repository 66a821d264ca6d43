#include "tests/sim/sim_store.h"

#include <algorithm>
#include <utility>

#include "storage/client_link.h"

namespace uproar::sim {

using storage::Done;
using storage::MemoryModel;
using storage::Operation;
using storage::Outcome;
using storage::OutcomeStatus;
using storage::StoreError;

class SimStoreClient final : public storage::StoreClient,
                             storage::BatchStore,
                             storage::HistoryReader,
                             storage::Directory,
                             storage::JobQueue,
                             storage::NodesAtWork {
 public:
  // `node`: nil, it is alone.
  SimStoreClient(SimStore& store, storage::Reactor& reactor, storage::NodeId node)
      : store_(store), node_(node), link_(std::make_shared<storage::ClientLink>(reactor)) {
    ++store_.sessions_[node_];
  }
  ~SimStoreClient() override {
    link_->close();
    // What was on its way to the database when its process ended has arrived there, arrives later, or never will.
    *is_cut_ = true;
    for (const auto& batch : std::exchange(under_way_, {})) {
      if (!store_.kernel_.chance(50)) continue;
      if (node_.is_nil()) {
        (void)store_.apply(batch->operations, false);
        continue;
      }
      ++store_.sessions_[node_];
      store_.kernel_.after(store_.kernel_.between(0, SimStore::kLingersUs),
                           [&store = store_, node = node_, batch] {
                             (void)store.apply(batch->operations, false);
                             store.end_session(node);
                           });
    }
    store_.end_session(node_);
  }

  std::vector<storage::BatchStore*> lanes() override { return {this, this}; }
  storage::HistoryReader& history() override { return *this; }
  storage::Directory& directory() override { return *this; }
  storage::JobQueue& jobs() override { return *this; }
  storage::NodesAtWork* nodes_at_work() override { return node_.is_nil() ? nullptr : this; }
  void probe(std::function<void(bool)> done) override {
    store_.kernel_.after(store_.delay_us(), [link = link_, done = std::move(done)] {
      link->post([done] { done(true); });
    });
  }

 private:
  struct Batch {
    std::vector<Operation> operations;
  };

  void commit(std::vector<Operation> operations, CommitDone done) override {
    auto batch = std::make_shared<Batch>(Batch{std::move(operations)});
    under_way_.push_back(batch);
    store_.kernel_.after(
        store_.delay_us(), [this, is_cut = is_cut_, batch, done = std::move(done)] {
          if (*is_cut) return;
          std::erase(under_way_, batch);
          Kernel& kernel = store_.kernel_;
          const bool is_refused = kernel.chance(store_.faults.refused_percent);
          const bool is_lost = !is_refused && kernel.chance(store_.faults.answer_lost_percent);
          if (is_refused) kernel.tell("a commit is refused");
          if (is_lost) kernel.tell("the answer of a commit is lost");
          std::vector<Outcome> outcomes = store_.apply(batch->operations, is_refused);
          if (is_refused && store_.reports_refused_as_stored) {
            MemoryModel as_if = store_.model;
            for (std::size_t i = 0; i < outcomes.size(); ++i)
              outcomes[i] = as_if.apply(batch->operations[i]);
          }
          if (is_lost) {
            for (Outcome& outcome : outcomes) outcome = Outcome{.ticket = outcome.ticket};
          }
          kernel.after(store_.delay_us(), [link = link_, done, outcomes = std::move(outcomes)] {
            link->post([done, outcomes] { done(outcomes); });
          });
        });
  }

  // `ask(model)` gives what `done` hears: asked at one moment, answered at a later one.
  template <class T, class Ask>
  void answer(Done<T> done, Ask ask) {
    store_.kernel_.after(store_.delay_us(), [&store = store_, link = link_, is_cut = is_cut_,
                                             done = std::move(done), ask] {
      if (*is_cut) return;
      store.kernel_.note(1);
      Result<T, StoreError> result = store.kernel_.chance(store.faults.reads_fail_percent)
                                         ? Result<T, StoreError>(Err{StoreError::kUnavailable})
                                         : ask(store.model);
      store.kernel_.after(store.delay_us(), [link, done, result = std::move(result)] {
        link->post([done, result] { done(result); });
      });
    });
  }

  void load_conversation(ConversationId id, Done<storage::ConversationState> done) override {
    answer(std::move(done), [id, &store = store_](MemoryModel& model) {
      auto state = model.load_conversation(id);
      if (state.ok() && store.falsify_state) store.falsify_state(*state);
      return state;
    });
  }
  void read_page(const storage::PageQuery& query, Done<storage::Page> done) override {
    answer(std::move(done), [query, &store = store_](MemoryModel& model) {
      auto page = model.read_page(query);
      if (page.ok() && store.falsify_page) store.falsify_page(query, *page);
      return page;
    });
  }
  void read_log(const storage::LogQuery& query, Done<storage::LogPage> done) override {
    answer(std::move(done), [query](MemoryModel& model) { return model.read_log(query); });
  }
  void read_last_seq(ConversationId id, Done<Seq> done) override {
    answer(std::move(done), [id](MemoryModel& model) { return model.read_last_seq(id); });
  }
  void create_user(storage::User user, Done<UserId> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.create_user(user); });
  }
  void find_user_by_name(std::string name, Done<storage::User> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.find_user_by_name(name); });
  }
  void find_users(std::vector<UserId> ids, Done<std::vector<storage::User>> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.find_users(ids); });
  }
  void find_companions(UserId of, std::vector<UserId> users,
                       storage::InDoubt /*it is known of all*/,
                       Done<std::vector<UserId>> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.find_companions(of, users); });
  }
  void ensure_user(UserId id, std::string name, std::int64_t at_us,
                   Done<storage::User> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.ensure_user(id, name, at_us); });
  }
  void set_last_online(UserId id, std::int64_t at_us) override {
    store_.model.set_last_online(id, at_us);
  }
  void create_session(storage::SessionRecord session, Done<SessionId> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.create_session(session); });
  }
  void rotate_session(std::string old_digest, std::string new_digest, std::int64_t now_us,
                      std::int64_t expires_at_us, Done<storage::Rotation> done) override {
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
  void load_audiences(std::vector<UserId> users, storage::AudienceBounds bounds,
                      Done<std::vector<storage::Audience>> done) override {
    answer(std::move(done), [users = std::move(users), bounds](MemoryModel& model) {
      return model.load_audiences(users, bounds);
    });
  }
  void take_jobs(std::int64_t now_us, std::int64_t until_us, std::uint32_t limit,
                 Done<std::vector<storage::Job>> done) override {
    answer(std::move(done),
           [=](MemoryModel& model) { return model.take_jobs(now_us, until_us, limit); });
  }
  void finish_jobs(std::vector<storage::JobKey> jobs, Done<std::uint64_t> done) override {
    answer(std::move(done), [=](MemoryModel& model) { return model.finish_jobs(jobs); });
  }
  void list_conversations(storage::ListQuery query, Done<storage::ConversationList> done) override {
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
  void find_writers(std::vector<storage::Writer> asked,
                    Done<std::vector<storage::Writer>> done) override {
    answer(std::move(done),
           [asked = std::move(asked)](MemoryModel& model) { return model.find_writers(asked); });
  }

  void find_nodes_at_work(Done<std::vector<storage::NodeDigest>> done) override {
    answer(std::move(done),
           [&store = store_](MemoryModel&) -> Result<std::vector<storage::NodeDigest>, StoreError> {
             std::vector<storage::NodeDigest> digests;
             if (store.hides_nodes_at_work) return digests;
             for (const auto& [node, sessions] : store.sessions_)
               digests.push_back(storage::node_digest(node));
             return digests;
           });
  }

  SimStore& store_;
  const storage::NodeId node_;
  std::shared_ptr<storage::ClientLink> link_;
  std::shared_ptr<bool> is_cut_ = std::make_shared<bool>(false);
  std::vector<std::shared_ptr<Batch>> under_way_;
};

std::vector<Outcome> SimStore::apply(const std::vector<Operation>& batch, bool is_refused) {
  std::vector<Outcome> outcomes;
  outcomes.reserve(batch.size());
  for (const Operation& operation : batch) {
    Outcome outcome{.ticket = operation.ticket};
    const bool is_done = is_refused || (instead_of_apply && instead_of_apply(operation, outcome));
    if (!is_done) {
      outcome = model.apply(operation);
      if (outcome.status == OutcomeStatus::kCommitted && when_committed)
        when_committed(operation, outcome);
    }
    outcomes.push_back(outcome);
  }
  return outcomes;
}

std::unique_ptr<storage::StoreClient> SimStore::open_client(storage::Reactor& reactor) {
  return open_client(reactor, storage::NodeId());
}

std::unique_ptr<storage::StoreClient> SimStore::open_client(storage::Reactor& reactor,
                                                            storage::NodeId node) {
  return std::make_unique<SimStoreClient>(*this, reactor, node);
}

void SimStore::end_session(storage::NodeId node) {
  if (--sessions_[node] == 0) sessions_.erase(node);
}

std::int64_t SimStore::delay_us() {
  const std::int64_t usual = kernel_.between(faults.latency_us / 4, faults.latency_us * 2);
  return std::max(usual, faults.stall_until_us - kernel_.now_us());
}

}  // namespace uproar::sim
