#include "core/server/key_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/auth/limits.h"
#include "proto/crypto/base64.h"
#include "tests/core/server/temp_folder.h"

namespace uproar::server {
namespace {

std::string write_key(const TempFolder& folder, const std::string& content, mode_t mode = 0600) {
  const std::string path = folder.write("key", content);
  EXPECT_EQ(::chmod(path.c_str(), mode), 0);
  return path;
}

TEST(KeyFile, IsMadeOnceWith32RandomBytesAndForItsOwnerOnly) {
  const TempFolder folder;
  const std::string path = folder.file("auth.key");
  const mode_t before = ::umask(0);
  const auto made = read_key_file(path, true);
  ::umask(before);
  ASSERT_TRUE(made.ok());
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  const auto bytes = crypto::base64url_decode(made->text());
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->size(), 32U);
  const auto again = read_key_file(path, true);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->text(), made->text()) << "tokens survive a restart";
}

TEST(KeyFile, IsOneForAllWhoMakeItAtTheSameTime) {
  for (int round = 0; round < 20; ++round) {
    const TempFolder folder;
    std::vector<std::string> keys(4);
    std::vector<std::thread> makers;
    for (std::string& key : keys)
      makers.emplace_back(
          [&] { key = read_key_file(folder.file("auth.key"), true).value().text(); });
    for (std::thread& maker : makers) maker.join();
    for (const std::string& key : keys) EXPECT_EQ(key, keys.front());
    const std::filesystem::directory_iterator files(folder.path());
    EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "no draft is left";
  }
}

TEST(KeyFile, NoTwoAreAlike) {
  const TempFolder folder;
  EXPECT_NE(read_key_file(folder.file("a"), true).value().text(),
            read_key_file(folder.file("b"), true).value().text());
}

TEST(KeyFile, IsNotMadeWhereAnOperatorNamedOne) {
  const TempFolder folder;
  const auto key = read_key_file(folder.file("typo.key"), false);
  ASSERT_FALSE(key.ok());
  EXPECT_EQ(key.error().subject, folder.file("typo.key"));
  EXPECT_EQ(key.error().code, ENOENT);
  EXPECT_NE(key.error().hint.find("make one (umask 077; openssl rand"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder.file("typo.key")));
}

TEST(KeyFile, IsNoFolderHoweverThatMayBeRead) {
  const TempFolder folder;
  const auto key = read_key_file(folder.path(), false);
  ASSERT_FALSE(key.ok());
  EXPECT_EQ(key.error().code, EISDIR);
  EXPECT_NE(key.error().hint.find("move that folder away"), std::string::npos);
}

TEST(KeyFile, IsMadeWithItsFolderButNotWithThatOnesParents) {
  const TempFolder folder;
  ASSERT_TRUE(read_key_file(folder.file("new/auth.key"), true).ok());
  EXPECT_EQ(std::filesystem::status(folder.file("new")).permissions(),
            std::filesystem::perms::owner_all);
  const auto key = read_key_file(folder.file("no/no/auth.key"), true);
  ASSERT_FALSE(key.ok());
  EXPECT_EQ(key.error().operation, "create key file");
}

TEST(KeyFile, IsRefusedWhenOthersMayReadOrWriteIt) {
  const TempFolder folder;
  for (const mode_t mode : {0640, 0604, 0660, 0666, 0644, 0620, 0610}) {
    const auto key = read_key_file(write_key(folder, std::string(64, 'k'), mode), false);
    ASSERT_FALSE(key.ok()) << std::oct << mode;
    EXPECT_NE(key.error().hint.find("chmod 600"), std::string::npos);
  }
  for (const mode_t mode : {0600, 0400}) {
    EXPECT_TRUE(read_key_file(write_key(folder, std::string(64, 'k'), mode), false).ok())
        << std::oct << mode;
    ASSERT_EQ(::chmod(folder.file("key").c_str(), 0600), 0);
  }
}

TEST(KeyFile, LosesTheNewlineOfAnEditorAndNothingElse) {
  const TempFolder folder;
  const std::string key(40, 'k');
  for (const std::string end : {"", "\n", "\r\n", "\n\n"}) {
    const auto read = read_key_file(write_key(folder, key + end), false);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->text(), key);
  }
  EXPECT_EQ(read_key_file(write_key(folder, " " + key + " \n"), false).value().text(),
            " " + key + " ")
      << "blanks are part of a key";
  const std::string binary = std::string("\0\n\xFF", 3) + key;
  EXPECT_EQ(read_key_file(write_key(folder, binary), false).value().text(), binary);
}

TEST(KeyFile, HoldsAKeyOfTheRightSize) {
  const TempFolder folder;
  struct Row {
    std::size_t bytes;
    bool good;
  };
  for (const Row& row : {Row{0, false}, Row{1, false}, Row{auth::kHmacKeyBytesMin - 1, false},
                         Row{auth::kHmacKeyBytesMin, true}, Row{auth::kHmacKeyBytesMax, true},
                         Row{auth::kHmacKeyBytesMax + 1, false}, Row{1 << 20, false}}) {
    for (const std::string end : {"", "\n", "\r\n"}) {
      const auto key = read_key_file(write_key(folder, std::string(row.bytes, 'k') + end), false);
      EXPECT_EQ(key.ok(), row.good) << row.bytes << " bytes and " << end.size();
      if (!key.ok()) {
        EXPECT_NE(key.error().hint.find("openssl rand"), std::string::npos);
      }
    }
  }
}

TEST(KeyFile, NeverStandsInItsOwnErrors) {
  const TempFolder folder;
  const auto key = read_key_file(write_key(folder, "short-secret"), false);
  ASSERT_FALSE(key.ok());
  const std::string all = key.error().operation + key.error().subject + key.error().hint;
  EXPECT_EQ(all.find("short-secret"), std::string::npos);
}

TEST(KeyFile, HasAFingerprintThatTellsItFromOthersAndNothingElse) {
  const std::string key(40, 'k');
  const std::string print = key_fingerprint(key);
  EXPECT_EQ(print.size(), 16U);
  EXPECT_EQ(print.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(print, key_fingerprint(key)) << "the same on every node";
  EXPECT_NE(print, key_fingerprint(std::string(41, 'k')));
  EXPECT_EQ(print.find("kk"), std::string::npos);
}

TEST(KeyFile, AFolderIsNoKey) {
  const TempFolder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0700), 0);
  EXPECT_FALSE(read_key_file(folder.path(), true).ok());
}

TEST(KeyFile, IsNoPipeThatWouldBeWaitedFor) {
  const TempFolder folder;
  const std::string path = folder.file("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const auto key = read_key_file(path, false);
  ASSERT_FALSE(key.ok());
  EXPECT_THAT(key.error().text(), ::testing::HasSubstr("no regular file: " + path));
}

}  // namespace
}  // namespace uproar::server
