// LD_PRELOAD library: fsync() and fdatasync() as ever, each noted in the file that SYNC_COUNT_FILE names (sync_count.h).
// Without the variable, or when the file cannot be made, it only passes them on. May not abort: the process is not ours.

#include "bench/sync_count/sync_count.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include <dlfcn.h>
#include <time.h>

namespace uproar::bench {
namespace {

SyncCountFile* open_file() {
  const char* path = std::getenv(kSyncCountVariable);
  if (path == nullptr) return nullptr;
  const int fd = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return nullptr;
  void* at = MAP_FAILED;
  if (::ftruncate(fd, sizeof(SyncCountFile)) == 0)
    at = ::mmap(nullptr, sizeof(SyncCountFile), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return at == MAP_FAILED ? nullptr : static_cast<SyncCountFile*>(at);
}

void note() {
  static SyncCountFile* file = open_file();
  if (file == nullptr) return;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::uint64_t index = file->count.fetch_add(1, std::memory_order_relaxed);
  if (index < kSyncTimesMax)
    file->begun_ns[index].store(std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec,
                                std::memory_order_relaxed);
}

using Sync = int (*)(int);

int pass_on(Sync real, int fd) {
  if (real == nullptr) {
    errno = ENOSYS;
    return -1;
  }
  note();
  return real(fd);
}

}  // namespace
}  // namespace uproar::bench

extern "C" {

int fsync(int fd) {
  static auto* real = reinterpret_cast<uproar::bench::Sync>(::dlsym(RTLD_NEXT, "fsync"));
  return uproar::bench::pass_on(real, fd);
}

int fdatasync(int fd) {
  static auto* real = reinterpret_cast<uproar::bench::Sync>(::dlsym(RTLD_NEXT, "fdatasync"));
  return uproar::bench::pass_on(real, fd);
}

}  // extern "C"
