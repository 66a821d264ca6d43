#include "tests/storage/failing_vfs.h"

#include <cstring>
#include <string_view>
#include <thread>

#include <sqlite3.h>

namespace uproar::storage {

std::atomic<FailingVfs::Fault> FailingVfs::fault{FailingVfs::Fault::kNone};
std::atomic<int> FailingVfs::syncs{0};

namespace {

using Fault = FailingVfs::Fault;

// SQLite allocates szOsFile bytes: our head, then the real file.
struct WrappedFile {
  sqlite3_file base;
  bool is_log;
};
sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<WrappedFile*>(file) + 1);
}
sqlite3_vfs* system_vfs() {
  return sqlite3_vfs_find(nullptr);
}

int write_file(sqlite3_file* file, const void* data, int bytes, sqlite3_int64 offset) {
  if (FailingVfs::fault == Fault::kFull) return SQLITE_FULL;
  if (FailingVfs::fault == Fault::kWrite) return SQLITE_IOERR_WRITE;
  return real(file)->pMethods->xWrite(real(file), data, bytes, offset);
}
int sync_file(sqlite3_file* file, int flags) {
  while (FailingVfs::fault == Fault::kSyncHangs) std::this_thread::yield();
  if (FailingVfs::fault == Fault::kSync) return SQLITE_IOERR_FSYNC;
  const int code = real(file)->pMethods->xSync(real(file), flags);
  if (code == SQLITE_OK && reinterpret_cast<WrappedFile*>(file)->is_log) FailingVfs::syncs += 1;
  return code;
}
int close_file(sqlite3_file* file) {
  return real(file)->pMethods->xClose(real(file));
}
int read_file(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return real(f)->pMethods->xRead(real(f), to, n, at);
}
int truncate_file(sqlite3_file* f, sqlite3_int64 n) {
  return real(f)->pMethods->xTruncate(real(f), n);
}
int size_of_file(sqlite3_file* f, sqlite3_int64* n) {
  return real(f)->pMethods->xFileSize(real(f), n);
}
int lock_file(sqlite3_file* f, int l) {
  return real(f)->pMethods->xLock(real(f), l);
}
int unlock_file(sqlite3_file* f, int l) {
  return real(f)->pMethods->xUnlock(real(f), l);
}
int check_lock(sqlite3_file* f, int* out) {
  return real(f)->pMethods->xCheckReservedLock(real(f), out);
}
int control(sqlite3_file* f, int op, void* arg) {
  return real(f)->pMethods->xFileControl(real(f), op, arg);
}
int sector_size(sqlite3_file* f) {
  return real(f)->pMethods->xSectorSize(real(f));
}
int traits(sqlite3_file* f) {
  return real(f)->pMethods->xDeviceCharacteristics(real(f));
}
int shm_map(sqlite3_file* f, int p, int n, int e, void volatile** out) {
  return real(f)->pMethods->xShmMap(real(f), p, n, e, out);
}
int shm_lock(sqlite3_file* f, int o, int n, int flags) {
  return real(f)->pMethods->xShmLock(real(f), o, n, flags);
}
void shm_barrier(sqlite3_file* f) {
  real(f)->pMethods->xShmBarrier(real(f));
}
int shm_unmap(sqlite3_file* f, int d) {
  return real(f)->pMethods->xShmUnmap(real(f), d);
}

constexpr sqlite3_io_methods kMethods = {
    2,         close_file,  read_file,  write_file, truncate_file, sync_file, size_of_file,
    lock_file, unlock_file, check_lock, control,    sector_size,   traits,    shm_map,
    shm_lock,  shm_barrier, shm_unmap,  nullptr,    nullptr};

int open_file(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file, int flags,
              int* out_flags) {
  std::memset(file, 0, sizeof(WrappedFile));
  if (FailingVfs::fault == Fault::kReadOnlyOpen) return SQLITE_CANTOPEN;
  const int code = system_vfs()->xOpen(system_vfs(), name, real(file), flags, out_flags);
  if (real(file)->pMethods != nullptr) file->pMethods = &kMethods;
  reinterpret_cast<WrappedFile*>(file)->is_log =
      name != nullptr && std::string_view(name).ends_with("-wal");
  return code;
}

}  // namespace

const char* FailingVfs::install() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs copy = *system_vfs();
    copy.zName = "uproar-failing";
    copy.szOsFile += static_cast<int>(sizeof(WrappedFile));
    copy.xOpen = open_file;
    copy.pNext = nullptr;
    return copy;
  }();
  sqlite3_vfs_register(&vfs, 0);
  fault = Fault::kNone;
  syncs = 0;
  return vfs.zName;
}

}  // namespace uproar::storage
