// Rows per second through the store's whole path (commit() to outcome on the reactor), 128-byte messages with a
// client_id, for batches of 1, 16 and 256 rows, from one shard and from four that share the writer.
//
// Where the data lies decides: TMPDIR chooses the disk. rows_per_fsync shows what group commit made of it.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "proto/base/check.h"
#include "storage/sqlite/sqlite_store.h"

namespace uproar::storage {
namespace {

class QueueReactor final : public Reactor {
 public:
  void post(Task task) override {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
    was_posted_.notify_one();
  }
  WatchId watch(int, short, std::function<void(short)>) override { std::abort(); }
  void unwatch(WatchId) override {}
  TimerId arm_timer(std::uint32_t, Task) override { std::abort(); }
  void cancel_timer(TimerId) override {}
  void run_one() {
    std::unique_lock lock(mutex_);
    was_posted_.wait(lock, [this] { return !posted_.empty(); });
    const Task task = std::move(posted_.front());
    posted_.pop_front();
    lock.unlock();
    task();
  }

 private:
  std::mutex mutex_;
  std::condition_variable was_posted_;
  std::deque<Task> posted_;
};

struct Shared {
  Shared() {
    std::string pattern = (std::filesystem::temp_directory_path() / "uproar-bench-XXXXXX").string();
    UPROAR_CHECK(::mkdtemp(pattern.data()) != nullptr);
    folder = pattern;
    auto opened = SqliteStore::open({.folder = folder});
    UPROAR_CHECK(opened.ok());
    store = std::move(opened).value();
  }
  ~Shared() {
    store.reset();
    std::filesystem::remove_all(folder);
  }
  std::string folder;
  std::unique_ptr<SqliteStore> store;
  std::atomic<std::uint64_t> next_id{1};
};

template <class Id>
Id make_id(std::uint64_t n) {
  return Id(Uuid{.high = 0x0190'0000'0000'7000ULL, .low = n});
}

// Each thread is a shard with a client and 8 conversations of its own.
class Shard {
 public:
  explicit Shard(Shared& shared) : shared_(shared), client_(shared.store->open_client(reactor_)) {
    owner_ = make_id<UserId>(shared.next_id++);
    bool done = false;
    client_->directory().ensure_user(owner_, "", 1,
                                     [&](const Result<User, StoreError>&) { done = true; });
    while (!done) reactor_.run_one();
    std::vector<Operation> batch;
    for (int i = 0; i < 8; ++i) {
      rooms_.push_back(make_id<ConversationId>(shared.next_id++));
      batch.push_back({.conversation = rooms_.back(),
                       .actor = owner_,
                       .at_us = 1,
                       .body = CreateConversation{.kind = chat::ConversationKind::kGroup,
                                                  .members = {{.user = owner_}}}});
    }
    commit(std::move(batch));
  }
  void append(std::size_t rows) {
    std::vector<Operation> batch;
    batch.reserve(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      const std::uint64_t n = shared_.next_id++;
      batch.push_back({.conversation = rooms_[n % rooms_.size()],
                       .actor = owner_,
                       .at_us = static_cast<std::int64_t>(n),
                       .body = AppendMessage{.id = make_id<MessageId>(n),
                                             .client_id = "client-" + std::to_string(n),
                                             .content = std::string(128, 'm')}});
    }
    commit(std::move(batch));
  }

 private:
  void commit(std::vector<Operation> batch) {
    bool done = false;
    client_->first_lane().commit(std::move(batch), [&](const std::vector<Outcome>& outcomes) {
      for (const Outcome& outcome : outcomes)
        UPROAR_CHECK(outcome.status == OutcomeStatus::kCommitted);
      done = true;
    });
    while (!done) reactor_.run_one();
  }

  Shared& shared_;
  QueueReactor reactor_;
  std::unique_ptr<StoreClient> client_;
  UserId owner_;
  std::vector<ConversationId> rooms_;
};

std::unique_ptr<Shared> shared_store;

void commit_rows(benchmark::State& state) {
  const auto rows = static_cast<std::size_t>(state.range(0));
  Shard shard(*shared_store);
  const std::uint64_t rows_before = shared_store->store->writer_counters().rows.value();
  const std::uint64_t commits_before = shared_store->store->writer_counters().transactions.value();
  for (auto _ : state) shard.append(rows);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * rows));
  const auto& counters = shared_store->store->writer_counters();
  const auto commits = static_cast<double>(counters.transactions.value() - commits_before);
  const auto stored = static_cast<double>(counters.rows.value() - rows_before);
  state.counters["rows_per_fsync"] =
      benchmark::Counter(commits == 0 ? 0 : stored / commits, benchmark::Counter::kAvgThreads);
}
BENCHMARK(commit_rows)
    ->Arg(1)
    ->Arg(16)
    ->Arg(256)
    ->Threads(1)
    ->Threads(4)
    ->Setup([](const benchmark::State&) { shared_store = std::make_unique<Shared>(); })
    ->Teardown([](const benchmark::State&) { shared_store.reset(); })
    ->UseRealTime();

}  // namespace
}  // namespace uproar::storage
