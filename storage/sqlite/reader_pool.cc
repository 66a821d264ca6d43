#include "storage/sqlite/reader_pool.h"

#include <optional>
#include <utility>

#include "storage/sqlite/limits.h"
#include "storage/sqlite/stopwatch.h"

namespace uproar::storage::sqlite {

Result<std::unique_ptr<ReaderPool::Connection>, SystemError> ReaderPool::connect(
    const Options& options) {
  auto database = Database::open(options.path, options.database);
  if (!database) return Err{database.error()};
  auto connection = std::make_unique<Connection>(std::move(database).value());
  if (!connection->database.ok())
    return Err{connection->database.describe_error("prepare", options.path)};
  return connection;
}

Result<std::unique_ptr<ReaderPool>, SystemError> ReaderPool::start(Options options) {
  std::unique_ptr<ReaderPool> pool(new ReaderPool(std::move(options)));
  for (std::uint32_t i = 0; i < pool->options_.threads; ++i) {
    auto connection = connect(pool->options_);
    if (!connection) return Err{connection.error()};
    auto shared = std::make_shared<std::unique_ptr<Connection>>(std::move(connection).value());
    pool->threads_.emplace_back([self = pool.get(), shared] { self->run(std::move(*shared)); });
  }
  return pool;
}

ReaderPool::~ReaderPool() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  has_work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  for (const Job& job : queue_) job(nullptr);
}

bool ReaderPool::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kReadJobsMax) {
      counters_.refused_full.add();
      return false;
    }
    queue_.push_back(std::move(job));
    counters_.waiting.set(static_cast<std::int64_t>(queue_.size()));
  }
  has_work_.notify_one();
  return true;
}

void ReaderPool::run(std::unique_ptr<Connection> connection) {
  std::optional<std::uint64_t> took_us;  // of the read before
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      if (took_us) counters_.read_us.record(*took_us);
      has_work_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
      if (is_stopping_) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      counters_.waiting.set(static_cast<std::int64_t>(queue_.size()));
      counters_.reads.add();
      if (connection == nullptr) counters_.reopened.add();
    }
    const Stopwatch stopwatch;
    if (connection == nullptr) {
      auto opened = connect(options_);
      if (opened) connection = std::move(opened).value();
    }
    job(connection == nullptr ? nullptr : &connection->reads);
    took_us = stopwatch.microseconds();
    // A connection that failed may hold state that is no longer true of the file: the next read opens another.
    if (connection != nullptr && !connection->database.ok()) connection.reset();
  }
}

}  // namespace uproar::storage::sqlite
