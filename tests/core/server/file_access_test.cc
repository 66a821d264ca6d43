#include "core/server/file_access.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/server/posture.h"
#include "tests/core/server/temp_folder.h"

namespace uproar::server {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> paths(const Config& config, FileRule::May may) {
  std::vector<std::string> out;
  for (const FileRule& rule : posture_of(config).files)
    if (rule.may == may) out.push_back(rule.path);
  return out;
}

TEST(FileAccess, ANodeByItselfHasItsDataAndNothingOfTheMachines) {
  Config config;
  config.data_dir = "/srv/uproar";
  EXPECT_FALSE(posture_of(config).reaches_out);
  EXPECT_THAT(paths(config, FileRule::May::kWrite), Contains("/srv/uproar"));
  for (const char* foreign : {"/", "/etc", "/proc", "/tmp", "/usr/lib", "/home"})
    EXPECT_THAT(paths(config, FileRule::May::kRead), Not(Contains(foreign)));
}

TEST(FileAccess, TheFolderOfTheSocketForOperatorsLosesThatAndNothingIsReadThere) {
  Config config;
  config.admin_listen = parse_admin_address("unix:/run/uproar/admin.sock");
  EXPECT_THAT(paths(config, FileRule::May::kRemove), Contains("/run/uproar"));
  EXPECT_THAT(paths(config, FileRule::May::kRead), Not(Contains("/run/uproar")));
  EXPECT_THAT(paths(config, FileRule::May::kWrite), Not(Contains("/run/uproar")));
  config.admin_listen = parse_admin_address("127.0.0.1:9080");
  EXPECT_THAT(paths(config, FileRule::May::kRemove), IsEmpty());
}

TEST(FileAccess, WhatSettingsReachOutTo) {
  for (std::string Config::*url : {&Config::postgres, &Config::jwks}) {
    Config config;
    config.*url = "https://issuer.example.com/keys";
    EXPECT_TRUE(posture_of(config).reaches_out);
    EXPECT_THAT(paths(config, FileRule::May::kRead), Contains("/etc"));
  }
  Config config;
  config.jwks = "/keys/jwks.json";
  EXPECT_FALSE(posture_of(config).reaches_out) << "a file";
}

TEST(FileAccess, OnPostgresFilesOfTheSessionAndNoDataFolder) {
  Config config;
  config.data_dir = "/srv/uproar";
  config.postgres =
      "postgres://u@db/x?sslrootcert=/keys/ca.pem&sslcert=/keys/me.pem&sslmode=verify-full";
  const auto read = paths(config, FileRule::May::kRead);
  EXPECT_THAT(read, Contains("/keys/ca.pem"));
  EXPECT_THAT(read, Contains("/keys/me.pem"));
  EXPECT_THAT(paths(config, FileRule::May::kWrite), Not(Contains("/srv/uproar")));
}

// As Kubernetes mounts secrets: the name is a link into a folder that is replaced.
TEST(FileAccess, AFileThatIsReplacedIsNamedByItsFolderAndByWhereItsLinkLeads) {
  const TempFolder mount;
  const TempFolder target;
  std::filesystem::create_symlink(target.write("jwks.json", "{}"), mount.file("jwks.json"));
  Config config;
  config.jwks = mount.file("jwks.json");
  const auto read = paths(config, FileRule::May::kRead);
  EXPECT_THAT(read, Contains(mount.path()));
  EXPECT_THAT(read, Contains(std::filesystem::canonical(target.path()).string()));
}

}  // namespace
}  // namespace uproar::server
