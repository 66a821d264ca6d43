#include "storage/postgres/named_files.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>

#include <libpq-fe.h>

namespace uproar::storage::postgres {
namespace {

constexpr std::array<std::string_view, 6> kFileOptions = {"passfile",    "sslcert", "sslkey",
                                                          "sslrootcert", "sslcrl",  "sslcrldir"};

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

void add_files(const Options& options, std::vector<std::string>& files) {
  for (const PQconninfoOption* option = options.get();
       option != nullptr && option->keyword != nullptr; ++option) {
    if (option->val == nullptr || option->val[0] != '/') continue;  // also "system"
    for (const std::string_view name : kFileOptions) {
      if (name == option->keyword) files.emplace_back(option->val);
    }
  }
}

}  // namespace

std::vector<std::string> named_files(const std::string& url) {
  std::vector<std::string> files;
  add_files(Options(PQconninfoParse(url.c_str(), nullptr), &PQconninfoFree), files);
  add_files(Options(PQconndefaults(), &PQconninfoFree), files);
  for (const char* variable : {"PGSERVICEFILE", "PGSYSCONFDIR", "KRB5_CONFIG", "KRB5CCNAME"}) {
    const char* value = std::getenv(variable);
    std::string_view path = value == nullptr ? "" : value;
    constexpr std::string_view kKind = "FILE:";  // of a ticket cache
    if (path.starts_with(kKind)) path.remove_prefix(kKind.size());
    if (path.starts_with('/')) files.emplace_back(path);
  }
  files.push_back("/tmp/krb5cc_" + std::to_string(::getuid()));  // Kerberos without KRB5CCNAME
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') {
    for (const char* name : {"/.postgresql", "/.pgpass", "/.pg_service.conf"})
      files.push_back(std::string(home) + name);
  }
  return files;
}

}  // namespace uproar::storage::postgres
