#include "storage/sqlite/sqlite_store.h"

#include <utility>
#include <vector>

#include "storage/client_link.h"
#include "storage/sqlite/limits.h"
#include "storage/sqlite/migrations.h"

namespace uproar::storage {
namespace {

using sqlite::ReaderPool;
using sqlite::Reads;
using sqlite::WriterThread;

// A batch on its way through the writer. Shared by the two functions of its job.
struct BatchInWork {
  std::vector<Operation> operations;
  std::vector<Outcome> outcomes;
  std::vector<bool> left_out;  // broke a constraint of the schema: answered kConflict

  void run(WriterThread::Tools tools) {
    outcomes.clear();
    for (std::size_t i = 0; i < operations.size(); ++i) {
      const Operation& operation = operations[i];
      if (left_out[i]) {
        outcomes.push_back({.ticket = operation.ticket,
                            .status = OutcomeStatus::kConflict,
                            .at_us = operation.at_us});
        continue;
      }
      outcomes.push_back(tools.operations.apply(operation));
      if (tools.database.ok()) continue;
      left_out[i] = (tools.database.error() & 0xFF) == SQLITE_CONSTRAINT;
      return;
    }
  }
  void fail() {
    outcomes.clear();
    for (const Operation& operation : operations) outcomes.push_back({.ticket = operation.ticket});
  }
};

template <class T>
struct WriteInWork {
  Result<T, StoreError> result = Err{StoreError::kUnavailable};
  bool left_out = false;
};

class SqliteClient final : public StoreClient, BatchStore, HistoryReader, Directory, JobQueue {
 public:
  SqliteClient(WriterThread& writer, ReaderPool& readers, Reactor& reactor)
      : writer_(writer), readers_(readers), link_(std::make_shared<ClientLink>(reactor)) {}
  ~SqliteClient() override { link_->close(); }

  std::vector<BatchStore*> lanes() override { return {this}; }
  HistoryReader& history() override { return *this; }
  Directory& directory() override { return *this; }
  JobQueue& jobs() override { return *this; }
  void probe(std::function<void(bool)> done) override {
    WriterThread::Job job;
    job.bytes = sqlite::kProbeRowBytes;
    job.run = [](WriterThread::Tools tools) { sqlite::write_probe_row(tools.database); };
    job.finish = [link = link_, done](bool committed) {
      link->post([done, committed] { done(committed); });
    };
    if (writer_.submit(std::move(job))) return;
    link_->post([done = std::move(done)] { done(false); });
  }

 private:
  void commit(std::vector<Operation> operations, CommitDone done) override {
    auto batch = std::make_shared<BatchInWork>();
    batch->left_out.resize(operations.size());
    batch->operations = std::move(operations);
    WriterThread::Job job;
    job.rows = batch->operations.size();
    for (const Operation& operation : batch->operations) job.bytes += operation.bytes();
    job.run = [batch](WriterThread::Tools tools) { batch->run(tools); };
    job.finish = [batch, link = link_, done](bool committed) {
      if (!committed) batch->fail();
      link->post([batch, done] { done(std::move(batch->outcomes)); });
    };
    if (writer_.submit(std::move(job))) return;
    batch->fail();
    link_->post([batch, done = std::move(done)] { done(std::move(batch->outcomes)); });
  }

  // `change(tools)` runs in the writer's transaction; `done` hears its answer once it is committed. Refusals are
  // answers, too: that a token was stolen must be on disk before anybody hears it.
  template <class T, class Change>
  void write(Done<T> done, Change change) {
    auto work = std::make_shared<WriteInWork<T>>();
    WriterThread::Job job;
    job.bytes = sizeof(*work);
    job.run = [work, change = std::move(change)](WriterThread::Tools tools) {
      if (work->left_out) return;
      work->result = change(tools);
      work->left_out = (tools.database.error() & 0xFF) == SQLITE_CONSTRAINT;
      if (work->left_out) work->result = Err{StoreError::kUnavailable};
    };
    job.finish = [work, link = link_, done](bool committed) {
      if (!committed) work->result = Err{StoreError::kUnavailable};
      link->post([work, done] { done(std::move(work->result)); });
    };
    if (writer_.submit(std::move(job))) return;
    link_->post([done = std::move(done)] { done(Err{StoreError::kOverloaded}); });
  }

  template <class T, class Ask>
  void read(Done<T> done, Ask ask) {
    const bool queued = readers_.submit([link = link_, done, ask = std::move(ask)](Reads* reads) {
      auto result = std::make_shared<Result<T, StoreError>>(Err{StoreError::kUnavailable});
      if (reads != nullptr) *result = ask(*reads);
      link->post([result, done] { done(std::move(*result)); });
    });
    if (queued) return;
    link_->post([done = std::move(done)] { done(Err{StoreError::kOverloaded}); });
  }

  void load_conversation(ConversationId id, Done<ConversationState> done) override {
    read(std::move(done), [id](Reads& reads) { return reads.load_conversation(id); });
  }
  void read_page(const PageQuery& query, Done<Page> done) override {
    read(std::move(done), [query](Reads& reads) { return reads.read_page(query); });
  }
  void read_log(const LogQuery& query, Done<LogPage> done) override {
    read(std::move(done), [query](Reads& reads) { return reads.read_log(query); });
  }
  void read_last_seq(ConversationId id, Done<Seq> done) override {
    read(std::move(done), [id](Reads& reads) { return reads.read_last_seq(id); });
  }

  void create_user(User user, Done<UserId> done) override {
    write(std::move(done), [user = std::move(user)](WriterThread::Tools tools) {
      return tools.accounts.create_user(user);
    });
  }
  void find_user_by_name(std::string name, Done<User> done) override {
    read(std::move(done),
         [name = std::move(name)](Reads& reads) { return reads.find_user_by_name(name); });
  }
  void find_users(std::vector<UserId> ids, Done<std::vector<User>> done) override {
    read(std::move(done), [ids = std::move(ids)](Reads& reads) { return reads.find_users(ids); });
  }
  void find_companions(UserId of, std::vector<UserId> users, InDoubt in_doubt,
                       Done<std::vector<UserId>> done) override {
    read(std::move(done), [of, users = std::move(users), in_doubt](Reads& reads) {
      return reads.find_companions(of, users, in_doubt);
    });
  }
  // Nearly every user who connects is known: only the others take the writer's time and its page cache. A crowd after a
  // restart waits for the readers instead, who see the same queue bound (kOverloaded) and are several.
  void ensure_user(UserId id, std::string name, std::int64_t at_us, Done<User> done) override {
    find_users({id}, [this, id, name = std::move(name), at_us,
                      done = std::move(done)](Result<std::vector<User>, StoreError> found) {
      if (!found.ok()) return done(Err{found.error()});
      if (!found.value().empty()) return done(std::move(found.value().front()));
      write(done, [id, name, at_us](WriterThread::Tools tools) {
        return tools.accounts.ensure_user(id, name, at_us);
      });
    });
  }
  void set_last_online(UserId id, std::int64_t at_us) override {
    writer_.set_last_online(id, at_us);
  }
  void create_session(SessionRecord session, Done<SessionId> done) override {
    write(std::move(done), [session = std::move(session)](WriterThread::Tools tools) {
      return tools.accounts.create_session(session);
    });
  }
  void rotate_session(std::string old_digest, std::string new_digest, std::int64_t now_us,
                      std::int64_t expires_at_us, Done<Rotation> done) override {
    write(std::move(done), [old_digest = std::move(old_digest), new_digest = std::move(new_digest),
                            now_us, expires_at_us](WriterThread::Tools tools) {
      return tools.accounts.rotate_session(old_digest, new_digest, now_us, expires_at_us);
    });
  }
  void revoke_session(SessionId id, std::int64_t at_us, Done<bool> done) override {
    write(std::move(done), [id, at_us](WriterThread::Tools tools) {
      return tools.accounts.revoke_session(id, at_us);
    });
  }
  void revoked_since(std::int64_t since_us, Done<std::vector<SessionId>> done) override {
    read(std::move(done), [since_us](Reads& reads) { return reads.revoked_since(since_us); });
  }
  void load_audiences(std::vector<UserId> users, AudienceBounds bounds,
                      Done<std::vector<Audience>> done) override {
    read(std::move(done), [users = std::move(users), bounds](Reads& reads) {
      return reads.load_audiences(users, bounds);
    });
  }
  void list_conversations(ListQuery query, Done<ConversationList> done) override {
    read(std::move(done), [query](Reads& reads) { return reads.list_conversations(query); });
  }
  void view_conversation(ConversationId id, UserId viewer, std::uint32_t members_max,
                         Done<chat::ConversationView> done) override {
    read(std::move(done),
         [=](Reads& reads) { return reads.view_conversation(id, viewer, members_max); });
  }
  void unread_conversations(UserId user, std::uint32_t limit,
                            Done<std::vector<chat::ConversationView>> done) override {
    read(std::move(done), [=](Reads& reads) { return reads.unread_conversations(user, limit); });
  }
  void find_memberships(UserId user, std::vector<ConversationId> ids,
                        Done<std::vector<ConversationId>> done) override {
    read(std::move(done),
         [user, ids = std::move(ids)](Reads& reads) { return reads.find_memberships(user, ids); });
  }
  void find_writers(std::vector<Writer> asked, Done<std::vector<Writer>> done) override {
    read(std::move(done),
         [asked = std::move(asked)](Reads& reads) { return reads.find_writers(asked); });
  }
  void take_jobs(std::int64_t now_us, std::int64_t until_us, std::uint32_t limit,
                 Done<std::vector<Job>> done) override {
    write(std::move(done), [=](WriterThread::Tools tools) {
      return tools.operations.jobs().take(now_us, until_us, limit);
    });
  }
  void finish_jobs(std::vector<JobKey> jobs, Done<std::uint64_t> done) override {
    write(std::move(done), [jobs = std::move(jobs)](WriterThread::Tools tools) {
      return tools.operations.jobs().finish(jobs);
    });
  }

  WriterThread& writer_;
  ReaderPool& readers_;
  std::shared_ptr<ClientLink> link_;
};

}  // namespace

Result<std::unique_ptr<SqliteStore>, SystemError> SqliteStore::open(Options options) {
  auto lock = sqlite::FolderLock::take(options.folder);
  if (!lock) return Err{lock.error()};
  const std::string path = options.folder + "/uproar.db";
  auto file = sqlite::make_private_file(path);
  if (!file) return Err{file.error()};

  const sqlite::Database::Options writing{.vfs = options.vfs,
                                          .query_only = false,
                                          .cache_kib = sqlite::kWriterCacheKib,
                                          .pages_max = options.pages_max};
  const std::uint32_t probe_ms =
      options.probe_interval_ms == 0 ? sqlite::kProbeIntervalMs : options.probe_interval_ms;
  auto writer =
      WriterThread::start({.path = path, .database = writing, .probe_interval_ms = probe_ms});
  if (!writer) return Err{writer.error()};

  const sqlite::Database::Options reading{
      .vfs = options.vfs, .query_only = true, .cache_kib = sqlite::kReaderCacheKib, .pages_max = 0};
  auto readers =
      ReaderPool::start({.path = path, .database = reading, .threads = options.reader_threads});
  if (!readers) return Err{readers.error()};
  return std::unique_ptr<SqliteStore>(new SqliteStore(
      std::move(lock).value(), std::move(writer).value(), std::move(readers).value()));
}

std::unique_ptr<StoreClient> SqliteStore::open_client(Reactor& reactor) {
  return std::make_unique<SqliteClient>(*writer_, *readers_, reactor);
}

}  // namespace uproar::storage
