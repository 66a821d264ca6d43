#include "storage/sqlite/folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "storage/file_remedy.h"

namespace uproar::storage::sqlite {
namespace {

// `owned` is what the server's user has to own.
SystemError refused(std::string operation, std::string subject, const std::string& owned) {
  const int code = errno;
  return {.operation = std::move(operation),
          .subject = std::move(subject),
          .code = code,
          .hint = file_remedy(code, owned)};
}

// The folder's entry is in its parent, which must be on disk before anything in the folder counts as kept.
void sync_parent(const std::string& folder) {
  const int fd = ::open(folder_of(folder).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  static_cast<void>(::fsync(fd));  // not every file system can; those that need it can
  ::close(fd);
}

}  // namespace

Result<FolderLock, SystemError> FolderLock::take(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0) {
    sync_parent(folder);
  } else if (errno != EEXIST) {
    SystemError error = refused("create folder", folder, folder_of(folder));
    // Nobody gives away the parent of all data folders for one that is missing in it.
    if (error.code == EACCES || error.code == EPERM)
      error.hint =
          "make it and give it to the user that the server runs as: install -d -m 700 -o " +
          std::to_string(::geteuid()) + " " + folder;
    if (error.hint.empty()) error.hint = "choose another --data folder";
    return Err{error};
  }
  const std::string path = folder + "/uproar.lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    // "File exists" was the answer to making it.
    if (errno == ENOTDIR) return Err{refused("open data folder", folder, folder)};
    return Err{refused("open", path, folder)};
  }
  FolderLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      SystemError error = refused("lock", path, folder);
      error.hint = "use a file system with locks (no plain NFS)";
      return Err{error};
    }
    std::array<char, 16> holder{};
    const ssize_t size = ::pread(fd, holder.data(), holder.size(), 0);
    const std::string pid(holder.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    return Err{
        SystemError{.operation = "lock",
                    .subject = folder + ": in use by process " + (pid.empty() ? "(unknown)" : pid),
                    .code = 0,
                    .hint = "stop that server, or choose another --data folder"}};
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    // The number helps people only; a full disk is told of by the database itself.
  }
  return lock;
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void, SystemError> make_private_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Err{refused("open", path, folder_of(path))};
  ::close(fd);
  return {};
}

}  // namespace uproar::storage::sqlite
