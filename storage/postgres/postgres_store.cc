#include "storage/postgres/postgres_store.h"

#include <utility>

#include "storage/limits.h"
#include "storage/postgres/accounts.h"
#include "storage/postgres/jobs.h"
#include "storage/postgres/lookups.h"
#include "storage/postgres/reads.h"

namespace uproar::storage {
namespace {

using postgres::Connection;
using postgres::Connector;
using postgres::LastSeq;
using postgres::Lookups;
using postgres::Purpose;
using postgres::ServerOptions;
using postgres::WriteSession;

ServerOptions server_of(const PostgresStore::Options& options) {
  return {.url = options.url,
          .node = options.node,
          .digest = options.id.is_nil() ? 0 : node_digest(options.id),
          .statement_timeout_ms = options.statement_timeout_ms,
          .connect_timeout_s = options.connect_timeout_s};
}

// One of a client's sessions for writing, as a lane.
class Lane final : public BatchStore {
 public:
  Lane(Connector& connector, Reactor& reactor, postgres::Health& health,
       const WriteSession::Options& options, std::shared_ptr<postgres::WriteCounters> counters)
      : session_(connector, reactor, health, options, std::move(counters)) {}
  void commit(std::vector<Operation> batch, CommitDone done) override {
    session_.commit(std::move(batch), std::move(done));
  }
  void when_recovered(std::function<void()> recovered) override {
    session_.when_recovered(std::move(recovered));
  }
  WriteSession& session() { return session_; }

 private:
  WriteSession session_;
};

class PostgresClient final : public StoreClient, HistoryReader, Directory, JobQueue, NodesAtWork {
 public:
  PostgresClient(Connector& connector, Reactor& reactor, postgres::Health& health,
                 const PostgresStore::Options& options,
                 const std::vector<std::shared_ptr<postgres::WriteCounters>>& counters)
      : lanes_(make_lanes(connector, reactor, health, options, counters)),
        writes_(lanes_.front()->session()),
        read_health_(health),
        read_connection_(
            connector, reactor,
            {.purpose = Purpose::kRead, .answer_timeout_ms = options.answer_timeout_ms},
            [this](bool is_up, const std::string& why) {
              if (!is_up) read_health_.say(why);
              read_health_.set(!is_up);
            }),
        reads_(read_connection_),
        users_(reactor, kFindUsersMax,
               [this](const std::vector<UserId>& ids, Done<std::vector<User>> done) {
                 reads_.find_users(ids, std::move(done));
               }),
        last_seqs_(reactor, kFindLastSeqsMax,
                   [this](const std::vector<ConversationId>& ids, Done<std::vector<LastSeq>> done) {
                     reads_.find_last_seqs(ids, std::move(done));
                   }),
        accounts_(writes_, read_connection_),
        jobs_(writes_, read_connection_) {}

  std::vector<BatchStore*> lanes() override {
    std::vector<BatchStore*> lanes;
    for (const auto& lane : lanes_) lanes.push_back(lane.get());
    return lanes;
  }
  HistoryReader& history() override { return *this; }
  Directory& directory() override { return *this; }
  JobQueue& jobs() override { return *this; }
  NodesAtWork* nodes_at_work() override { return this; }
  void probe(std::function<void(bool)> done) override { writes_.probe(std::move(done)); }

 private:
  using Lanes = std::vector<std::unique_ptr<Lane>>;
  static Lanes make_lanes(Connector& connector, Reactor& reactor, postgres::Health& health,
                          const PostgresStore::Options& options,
                          const std::vector<std::shared_ptr<postgres::WriteCounters>>& counters) {
    Lanes lanes;
    for (const auto& of_lane : counters) {
      lanes.push_back(std::make_unique<Lane>(
          connector, reactor, health,
          WriteSession::Options{.answer_timeout_ms = options.answer_timeout_ms,
                                .probe_interval_ms = options.probe_interval_ms},
          of_lane));
    }
    return lanes;
  }

  void load_conversation(ConversationId id, Done<ConversationState> done) override {
    reads_.load_conversation(id, std::move(done));
  }
  void read_page(const PageQuery& query, Done<Page> done) override {
    reads_.read_page(query, std::move(done));
  }
  void read_log(const LogQuery& query, Done<LogPage> done) override {
    reads_.read_log(query, std::move(done));
  }
  void read_last_seq(ConversationId id, Done<Seq> done) override {
    last_seqs_.find(id, [done = std::move(done)](Result<std::optional<LastSeq>, StoreError> found) {
      if (!found.ok()) return done(Err{found.error()});
      if (!found->has_value()) return done(Err{StoreError::kNotFound});
      done((*found)->last_seq);
    });
  }

  void create_user(User user, Done<UserId> done) override {
    accounts_.create_user(user, std::move(done));
  }
  void find_user_by_name(std::string name, Done<User> done) override {
    reads_.find_user_by_name(name, std::move(done));
  }
  void find_users(std::vector<UserId> ids, Done<std::vector<User>> done) override {
    reads_.find_users(ids, std::move(done));
  }
  void find_companions(UserId of, std::vector<UserId> users, InDoubt in_doubt,
                       Done<std::vector<UserId>> done) override {
    reads_.find_companions(of, users, in_doubt, std::move(done));
  }
  void ensure_user(UserId id, std::string name, std::int64_t at_us, Done<User> done) override {
    // Nearly every user who connects is known: only the others take a transaction.
    users_.find(id, [this, id, name = std::move(name), at_us,
                     done = std::move(done)](Result<std::optional<User>, StoreError> found) {
      if (!found.ok()) return done(Err{found.error()});
      if (found->has_value()) return done(std::move(**found));
      accounts_.ensure_user(id, name, at_us, done);
    });
  }
  void set_last_online(UserId id, std::int64_t at_us) override {
    writes_.set_last_online(id, at_us);
  }
  void create_session(SessionRecord session, Done<SessionId> done) override {
    accounts_.create_session(session, std::move(done));
  }
  void rotate_session(std::string old_digest, std::string new_digest, std::int64_t now_us,
                      std::int64_t expires_at_us, Done<Rotation> done) override {
    accounts_.rotate_session(old_digest, new_digest, now_us, expires_at_us, std::move(done));
  }
  void revoke_session(SessionId id, std::int64_t at_us, Done<bool> done) override {
    accounts_.revoke_session(id, at_us, std::move(done));
  }
  void revoked_since(std::int64_t since_us, Done<std::vector<SessionId>> done) override {
    reads_.revoked_since(since_us, std::move(done));
  }
  void load_audiences(std::vector<UserId> users, AudienceBounds bounds,
                      Done<std::vector<Audience>> done) override {
    reads_.load_audiences(users, bounds, std::move(done));
  }
  void list_conversations(ListQuery query, Done<ConversationList> done) override {
    reads_.list_conversations(query, std::move(done));
  }
  void view_conversation(ConversationId id, UserId viewer, std::uint32_t members_max,
                         Done<chat::ConversationView> done) override {
    reads_.view_conversation(id, viewer, members_max, std::move(done));
  }
  void unread_conversations(UserId user, std::uint32_t limit,
                            Done<std::vector<chat::ConversationView>> done) override {
    reads_.unread_conversations(user, limit, std::move(done));
  }
  void find_memberships(UserId user, std::vector<ConversationId> ids,
                        Done<std::vector<ConversationId>> done) override {
    reads_.find_memberships(user, ids, std::move(done));
  }
  void find_writers(std::vector<Writer> asked, Done<std::vector<Writer>> done) override {
    reads_.find_writers(asked, std::move(done));
  }

  void take_jobs(std::int64_t now_us, std::int64_t until_us, std::uint32_t limit,
                 Done<std::vector<Job>> done) override {
    jobs_.take(now_us, until_us, limit, std::move(done));
  }
  void finish_jobs(std::vector<JobKey> jobs, Done<std::uint64_t> done) override {
    jobs_.finish(jobs, std::move(done));
  }

  void find_nodes_at_work(Done<std::vector<NodeDigest>> done) override {
    reads_.find_nodes_at_work(std::move(done));
  }

  Lanes lanes_;
  WriteSession& writes_;  // the first lane's: account work and jobs go there, too
  postgres::HealthOfOne read_health_;
  Connection read_connection_;
  postgres::Reads reads_;
  Lookups<User> users_;
  Lookups<LastSeq> last_seqs_;
  postgres::Accounts accounts_;
  postgres::Jobs jobs_;
};

}  // namespace

Result<std::unique_ptr<PostgresStore>, SystemError> PostgresStore::open(Options options) {
  auto state = postgres::prepare_database(server_of(options), options.server_version_min);
  if (!state.ok()) return Err{state.error()};
  return std::unique_ptr<PostgresStore>(
      new PostgresStore(std::move(options), std::move(state).value()));
}

PostgresStore::PostgresStore(Options options, postgres::DatabaseState state)
    : options_(std::move(options)), state_(std::move(state)), connector_(server_of(options_)) {}

Result<void, SystemError> PostgresStore::claim(Claim kind) {
  auto claim = postgres::NodeClaim::take(server_of(options_), kind, health_);
  if (!claim.ok()) return Err{claim.error()};
  claim_ = std::move(claim).value();
  if (kind == Claim::kAlone) connector_.set_lone();
  return {};
}

Result<void, SystemError> PostgresStore::reserve(std::uint32_t clients) {
  using postgres::kClaimWaitMs;
  auto stocked = connector_.stock(Purpose::kWrite, clients * postgres::kLanes, kClaimWaitMs);
  if (stocked.ok()) stocked = connector_.stock(Purpose::kRead, clients, kClaimWaitMs);
  if (stocked.ok() || !postgres::is_no_room(stocked.error())) return stocked;
  SystemError error = stocked.error();
  error.hint += "; this one, with " + std::to_string(clients) + " shards, needs " +
                std::to_string(clients * (postgres::kLanes + 1) + 1) +
                ", or give it fewer (--shards)";
  return Err{error};
}

std::unique_ptr<StoreClient> PostgresStore::open_client(Reactor& reactor) {
  std::vector<std::shared_ptr<postgres::WriteCounters>> counters;
  for (std::uint32_t lane = 0; lane < postgres::kLanes; ++lane)
    counters.push_back(std::make_shared<postgres::WriteCounters>());
  {
    const std::lock_guard lock(mutex_);
    counters_.insert(counters_.end(), counters.begin(), counters.end());
  }
  return std::make_unique<PostgresClient>(connector_, reactor, health_, options_, counters);
}

std::vector<std::shared_ptr<const postgres::WriteCounters>> PostgresStore::counters() const {
  const std::lock_guard lock(mutex_);
  return {counters_.begin(), counters_.end()};
}

}  // namespace uproar::storage
