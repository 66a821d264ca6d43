#include "storage/file_remedy.h"

#include <unistd.h>

#include <cerrno>

namespace uproar::storage {

std::string file_remedy(int code, const std::string& path) {
  switch (code) {
    case EACCES:
    case EPERM:
      return "give it to the user that the server runs as (chown -R " +
             std::to_string(::geteuid()) + " " + path +
             "), who must also pass through the folders above it";
    case EROFS:
      return "mount its file system writable; under systemd allow it: StateDirectory= or "
             "ReadWritePaths=" +
             path;
    case ENOSPC:
    case EDQUOT:
      return "free disk space (df -h " + path + ", and df -i) or raise the quota";
    case ENOTDIR:
      return "name a folder: a part of this path is a file";
    case EISDIR:
      return "move that folder away: a file belongs there";
    case ENOENT:
      return "make the folder above it, and give it to the user that the server runs as";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files: LimitNOFILE= (systemd), --ulimit nofile= (docker)";
    case EFBIG:
      return "raise the limit of file sizes: LimitFSIZE= (systemd), ulimit -f";
    case EIO:
      return "look at the kernel log for disk errors (dmesg)";
    default:
      return {};
  }
}

std::string folder_of(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace uproar::storage
