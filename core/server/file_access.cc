#include "core/server/file_access.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "storage/postgres/named_files.h"

namespace uproar::server {
namespace {

using May = FileRule::May;

// Where names are looked up and certificates are checked. Most of it is replaced, not rewritten,
// when it changes, so folders are named. What links lead out of /etc to is in the second half.
constexpr const char* kToReachOut[] = {
    "/etc",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/lib",
    "/lib64",
    "/run/NetworkManager",
    "/run/nscd",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/var/lib/ca-certificates",
};
// Libraries look there by themselves, how much memory and which processors there are among it.
// Nothing of other processes.
constexpr const char* kOfMachine[] = {
    "/dev/random",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
};

void add(std::vector<FileRule>& rules, std::string path, May may) {
  rules.push_back({.path = std::move(path), .may = may});
}

// The folder of a file that is replaced by another while we run, and where its links lead now.
void add_replaceable(std::vector<FileRule>& rules, const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path folder = fs::path(path).parent_path();
  add(rules, folder.empty() ? "." : folder.string(), May::kRead);
  const fs::path real = fs::canonical(path, ignored);
  if (!real.empty()) add(rules, real.parent_path().string(), May::kRead);
}

}  // namespace

std::vector<FileRule> files_needed(const Config& config, bool reaches_out) {
  std::vector<FileRule> rules;
  // On PostgreSQL the folder holds a key, which has been read.
  if (config.postgres.empty()) add(rules, config.data_dir, May::kWrite);
  add(rules, "/dev/null", May::kWrite);
  // The socket for operators goes with the server.
  if (const AdminAddress admin = admin_address(config); admin.kind == AdminAddress::Kind::kUnix)
    add(rules, std::filesystem::path(admin.path).parent_path().string(), May::kRemove);
  for (const char* path : kOfMachine) add(rules, path, May::kRead);
  const bool is_url = config.jwks.starts_with("https://");
  if (!config.jwks.empty() && !is_url) add_replaceable(rules, config.jwks);
  if (!reaches_out) return rules;
  for (const char* path : kToReachOut) add(rules, path, May::kRead);
  for (const char* variable : {"SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "OPENSSL_CONF"}) {
    if (const char* value = std::getenv(variable); value != nullptr && value[0] != '\0')
      add(rules, value, May::kRead);
  }
  if (!config.postgres.empty()) {
    for (const std::string& path : storage::postgres::named_files(config.postgres))
      add(rules, path, May::kRead);
  }
  return rules;
}

}  // namespace uproar::server
