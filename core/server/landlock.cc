#include "core/server/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace uproar::server {
namespace {

// The parts of the interface that the headers of Debian 12 do not have.
constexpr std::uint64_t kTruncate = 1ULL << 14;     // version 3, Linux 6.2
constexpr std::uint64_t kIoctlDevice = 1ULL << 15;  // version 5, Linux 6.10
constexpr std::uint64_t kBindTcp = 1ULL << 0;       // version 4, Linux 6.7
constexpr std::uint64_t kConnectTcp = 1ULL << 1;
constexpr int kVersionWithNetwork = 4;

struct RulesetAttributes {
  std::uint64_t files = 0;
  std::uint64_t network = 0;
};

constexpr std::uint64_t kAllOfVersion1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr std::uint64_t kRead = kReadFile | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriteFile = kReadFile | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
constexpr std::uint64_t kWrite =
    kRead | kWriteFile | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE;

std::uint64_t rights_of(FileRule::May may) {
  switch (may) {
    case FileRule::May::kRead:
      return kRead;
    case FileRule::May::kWrite:
      return kWrite;
    case FileRule::May::kRemove:
      return LANDLOCK_ACCESS_FS_REMOVE_FILE;
  }
  return 0;
}

std::uint64_t known_to(int abi) {
  std::uint64_t rights = kAllOfVersion1;
  if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) rights |= kTruncate;
  if (abi >= 5) rights |= kIoctlDevice;
  return rights;
}

SystemError failure(const char* operation, const std::string& subject, int code) {
  SystemError error{.operation = operation, .subject = subject, .code = code, .hint = {}};
  if (code == ENOSYS)
    error.hint = "Linux 5.13 or later with CONFIG_SECURITY_LANDLOCK";
  else if (code == EOPNOTSUPP)
    error.hint = "put landlock into the kernel's lsm= list (it is built and not switched on)";
  else if (code == EPERM)
    error.hint =
        "let landlock_create_ruleset, landlock_add_rule and landlock_restrict_self through, as "
        "tools/seccomp.json does";
  return error;
}

// 0 or an errno. A path that is not there needs no rule.
int add_rule(int ruleset, const FileRule& rule, std::uint64_t known) {
  const int fd = ::open(rule.path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : errno;
  struct stat status {};
  const bool is_folder = ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
  std::uint64_t rights = rights_of(rule.may);
  if (!is_folder) rights &= kWriteFile;
  const landlock_path_beneath_attr beneath{.allowed_access = rights & known, .parent_fd = fd};
  const long rc =
      ::syscall(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0U);
  const int error = rc == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

}  // namespace

Result<LandlockRuleset, SystemError> LandlockRuleset::make(const LandlockRules& rules) {
  const long abi = ::syscall(__NR_landlock_create_ruleset, nullptr, std::size_t{0},
                             LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 0) return Err{failure("landlock", "", errno)};
  const std::uint64_t known = known_to(static_cast<int>(abi));
  RulesetAttributes attributes{.files = known, .network = 0};
  if (abi >= kVersionWithNetwork)
    attributes.network = kBindTcp | (rules.may_connect ? 0 : kConnectTcp);
  const std::size_t bytes =
      abi >= kVersionWithNetwork ? sizeof attributes : sizeof attributes.files;
  const long fd = ::syscall(__NR_landlock_create_ruleset, &attributes, bytes, 0U);
  if (fd < 0) return Err{failure("landlock", "ruleset", errno)};
  LandlockRuleset ruleset(static_cast<int>(fd), static_cast<int>(abi));
  for (const FileRule& rule : rules.files) {
    if (const int error = add_rule(ruleset.fd_, rule, known); error != 0)
      return Err{failure("landlock rule", rule.path, error)};
  }
  return ruleset;
}

LandlockRuleset::LandlockRuleset(LandlockRuleset&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), abi_(other.abi_) {}

LandlockRuleset::~LandlockRuleset() {
  if (fd_ >= 0) ::close(fd_);
}

int LandlockRuleset::bind_this_thread() const {
  return ::syscall(__NR_landlock_restrict_self, fd_, 0U) == 0 ? 0 : errno;
}

bool LandlockRuleset::has_network() const {
  return abi_ >= kVersionWithNetwork;
}

}  // namespace uproar::server
