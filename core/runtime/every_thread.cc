#include "core/runtime/every_thread.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dirent.h>
#include <semaphore.h>

#include "proto/base/check.h"

namespace uproar::runtime {
namespace {

constexpr std::uint32_t kLookEveryMs = 50;  // whether a thread that does not answer still is
constexpr int kRoundsMax = 16;              // of looking for threads that came meanwhile

// What the signal's handler is to do. Set while on_every_thread() runs, else empty.
struct Order {
  ThreadAct act = nullptr;
  const void* what = nullptr;
  std::uint32_t wait_ms = 0;
  std::atomic<int> error{0};
  sem_t answered;
};
std::atomic<Order*> current_order{nullptr};

void obey(int /*signal*/) {
  Order* const order = current_order.load(std::memory_order_acquire);
  if (order == nullptr) return;
  const int saved = errno;
  if (const int error = order->act(order->what); error != 0)
    order->error.store(error, std::memory_order_relaxed);
  (void)::sem_post(&order->answered);
  errno = saved;
}

std::string task_path(pid_t thread) {
  return "/proc/self/task/" + std::to_string(thread);
}

// Workers of a ring are listed as threads and take no signals; the kernel names them "iou-…".
bool is_kernel_worker(pid_t thread) {
  const int fd = ::open((task_path(thread) + "/comm").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;  // gone, which the signal finds out
  char name[16];
  const ssize_t count = ::read(fd, name, sizeof name);
  ::close(fd);
  return count > 0 && std::string_view(name, static_cast<std::size_t>(count)).starts_with("iou-");
}

Result<std::vector<pid_t>, SystemError> threads_now() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/task"), &::closedir);
  if (folder == nullptr)
    return Err{SystemError{.operation = "list threads",
                           .subject = "/proc/self/task",
                           .code = errno,
                           .hint = "mount /proc"}};
  std::vector<pid_t> threads;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name(entry->d_name);
    pid_t thread = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), thread).ec == std::errc())
      threads.push_back(thread);
  }
  return threads;
}

SystemError refused(pid_t thread, int code) {
  return {.operation = "change every thread",
          .subject = "thread " + std::to_string(thread),
          .code = code,
          .hint = "start it again, and report it if that does not help"};
}

// 0, or the errno of the thread. A thread that ended instead is as good.
int order_thread(pid_t thread, Order& order) {
  if (::syscall(SYS_tgkill, ::getpid(), thread, SIGRTMIN) != 0) return errno == ESRCH ? 0 : errno;
  for (std::uint32_t waited_ms = 0; waited_ms < order.wait_ms; waited_ms += kLookEveryMs) {
    timespec until{};
    (void)::clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += kLookEveryMs * 1'000'000;
    until.tv_sec += until.tv_nsec / 1'000'000'000;
    until.tv_nsec %= 1'000'000'000;
    int rc = 0;
    do {
      rc = ::sem_timedwait(&order.answered, &until);
    } while (rc != 0 && errno == EINTR);
    if (rc == 0) return order.error.exchange(0, std::memory_order_relaxed);
    if (::access(task_path(thread).c_str(), F_OK) != 0) return 0;
  }
  return ETIMEDOUT;
}

Result<std::uint32_t, SystemError> order_all(Order& order) {
  // This thread is the last: what it gives up may be what looking for the others needs.
  const pid_t self = ::gettid();
  std::vector<pid_t> done = {self};
  std::optional<SystemError> first_error;
  for (int round = 0; round < kRoundsMax; ++round) {
    const auto threads = threads_now();
    if (!threads.ok()) return Err{threads.error()};
    bool found_new = false;
    for (const pid_t thread : *threads) {
      if (std::find(done.begin(), done.end(), thread) != done.end() || is_kernel_worker(thread))
        continue;
      found_new = true;
      done.push_back(thread);
      const int error = order_thread(thread, order);
      if (error != 0 && !first_error) first_error = refused(thread, error);
    }
    if (!found_new) break;
    if (round == kRoundsMax - 1) first_error = refused(done.back(), EAGAIN);
  }
  const int error = order.act(order.what);
  if (error != 0 && !first_error) first_error = refused(self, error);
  if (first_error) return Err{*std::move(first_error)};
  return static_cast<std::uint32_t>(done.size());
}

}  // namespace

Result<std::uint32_t, SystemError> on_every_thread(ThreadAct act, const void* what,
                                                   std::uint32_t wait_ms) {
  // Stays for ever, since a thread that was slow may hear it late, and then finds no order: so it
  // is static, like the handler, which stays installed.
  static Order order;
  UPROAR_CHECK(current_order.load(std::memory_order_relaxed) == nullptr);
  order.act = act;
  order.what = what;
  order.wait_ms = wait_ms;
  order.error.store(0, std::memory_order_relaxed);
  (void)::sem_init(&order.answered, 0, 0);

  struct sigaction obeying {};
  obeying.sa_handler = &obey;
  obeying.sa_flags = SA_RESTART | SA_ONSTACK;
  (void)::sigfillset(&obeying.sa_mask);
  (void)::sigdelset(&obeying.sa_mask, SIGSYS);  // blocked, a filter's verdict would end the process
  if (::sigaction(SIGRTMIN, &obeying, nullptr) != 0)
    return Err{
        SystemError{.operation = "sigaction", .subject = "SIGRTMIN", .code = errno, .hint = {}}};
  current_order.store(&order, std::memory_order_release);
  auto result = order_all(order);
  current_order.store(nullptr, std::memory_order_release);
  return result;
}

}  // namespace uproar::runtime
