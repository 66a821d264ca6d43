#include "core/runtime/blocking_pool.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace uproar::runtime {

BlockingPool::BlockingPool(Options options) : options_(options) {
  threads_.reserve(options_.threads);
  for (std::uint32_t i = 0; i < options_.threads; ++i)
    threads_.emplace_back([this] { run_jobs(); });
}

BlockingPool::~BlockingPool() {
  stop();
}

bool BlockingPool::try_submit(Task&& job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || jobs_.size() >= options_.jobs_max) return false;
    jobs_.push_back(std::move(job));
  }
  job_came_.notify_one();
  return true;
}

void BlockingPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  job_came_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::uint32_t BlockingPool::waiting() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint32_t>(jobs_.size());
}

void BlockingPool::run_jobs() {
  ::pthread_setname_np(::pthread_self(), "blocking");
  // On Linux a thread has a nice value of its own. Refused: then all are equal, as without it.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), options_.nice);
  std::unique_lock lock(mutex_);
  for (;;) {
    job_came_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;  // stopping, and what was accepted has run
    Task job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

}  // namespace uproar::runtime
