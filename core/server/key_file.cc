#include "core/server/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "proto/auth/limits.h"
#include "proto/base/bytes.h"
#include "proto/crypto/base64.h"
#include "proto/crypto/digest.h"
#include "proto/crypto/random.h"
#include "storage/file_remedy.h"

namespace uproar::server {
namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Err<SystemError> failure(std::string operation, const std::string& path, std::string hint) {
  return Err{SystemError{
      .operation = std::move(operation), .subject = path, .code = errno, .hint = std::move(hint)}};
}

// As what errno says is mended, or by a file elsewhere.
Err<SystemError> failure(std::string operation, const std::string& path) {
  const int code = errno;
  std::string hint = storage::file_remedy(code, path);
  if (code == ENOENT)
    hint = "make one (umask 077; openssl rand -base64 48 > " + path +
           "), the same for all nodes of a database";
  hint += hint.empty() ? "name a readable file with --auth-secret-file"
                       : "; or name another file with --auth-secret-file";
  errno = code;
  return failure(std::move(operation), path, std::move(hint));
}

Result<auth::Secret, SystemError> make_key(const std::string& path) {
  // The data folder may be missing where the store is elsewhere. Should this fail, opening the file says why.
  if (const auto slash = path.rfind('/'); slash != std::string::npos && slash != 0)
    static_cast<void>(::mkdir(path.substr(0, slash).c_str(), 0700));
  // Under another name first: nodes that start together on one folder find no key, or a whole one.
  std::string draft = path + ".XXXXXX";
  const Fd file(::mkostemp(draft.data(), O_CLOEXEC));  // mode 0600
  if (file.get() < 0) {
    const int code = errno;
    std::string hint = storage::file_remedy(code, storage::folder_of(path));
    hint += hint.empty() ? "" : "; or ";
    errno = code;
    return failure("create key file", path, hint + "name another with --auth-secret-file");
  }
  std::string line = crypto::base64url_encode(crypto::random_bytes<32>()) + "\n";
  auth::Secret key(std::string_view(line).substr(0, line.size() - 1));
  // On disk before the first token is signed: a key that is lost makes every token worthless.
  const bool is_written =
      ::write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
      ::fsync(file.get()) == 0;
  const bool is_named = is_written && ::link(draft.c_str(), path.c_str()) == 0;
  const int error = errno;
  auth::forget(line);
  ::unlink(draft.c_str());
  if (is_named) return key;
  errno = error;
  if (is_written && error == EEXIST) return read_key_file(path, false);
  return failure("write key file", path,
                 storage::file_remedy(error == 0 ? ENOSPC : error, storage::folder_of(path)));
}

}  // namespace

Result<auth::Secret, SystemError> read_key_file(const std::string& path, bool make) {
  const Fd file(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe would wait for its writer
  if (file.get() < 0) {
    if (errno == ENOENT && make) return make_key(path);
    return failure("open key file", path);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return failure("stat key file", path);
  if (S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    return failure("read key file", path);
  }
  if (!S_ISREG(status.st_mode)) {
    errno = 0;
    return failure("key file is no regular file:", path, "name another with --auth-secret-file");
  }
  if ((status.st_mode & 0077) != 0) {
    errno = 0;
    return failure("key file may be read by others:", path, "chmod 600 " + path);
  }
  std::array<char, auth::kHmacKeyBytesMax + 2> bytes{};
  const ssize_t count = ::read(file.get(), bytes.data(), bytes.size());
  if (count < 0) return failure("read key file", path);
  std::string_view text(bytes.data(), static_cast<std::size_t>(count));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  auth::Secret secret(text);
  auth::forget(bytes.data(), bytes.size());
  const std::string_view key = secret.text();
  if (key.size() < auth::kHmacKeyBytesMin || key.size() > auth::kHmacKeyBytesMax) {
    errno = 0;
    const std::string size = key.size() > auth::kHmacKeyBytesMax
                                 ? "more than " + std::to_string(auth::kHmacKeyBytesMax)
                                 : std::to_string(key.size());
    return failure("key file holds a key of " + size + " bytes:", path,
                   "openssl rand -base64 48 > " + path + " (" +
                       std::to_string(auth::kHmacKeyBytesMin) + " to " +
                       std::to_string(auth::kHmacKeyBytesMax) + " bytes)");
  }
  return secret;
}

std::string key_fingerprint(std::string_view key) {
  std::string said = "uproar auth key ";
  said += key;
  const auto digest = crypto::sha256(as_bytes(said));
  auth::forget(said);
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    const auto byte = std::to_integer<unsigned>(digest[i]);
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

}  // namespace uproar::server
