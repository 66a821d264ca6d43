#include "core/server/admin_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/server/temp_folder.h"

namespace uproar::server {
namespace {

using ::testing::HasSubstr;

class UnixListener : public ::testing::Test {
 protected:
  [[nodiscard]] AdminAddress address() const {
    return {.kind = AdminAddress::Kind::kUnix, .host = {}, .port = 0, .path = path_};
  }
  [[nodiscard]] auto open() const { return AdminListener::open(address()); }
  // errno of a connection to the path; 0: there is one.
  [[nodiscard]] int connect() const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    path_.copy(where.sun_path, sizeof(where.sun_path) - 1);
    const int code =
        ::connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof(where)) == 0 ? 0 : errno;
    ::close(fd);
    return code;
  }

  const TempFolder folder_;
  const std::string path_ = folder_.file("admin.sock");
};

TEST_F(UnixListener, IsItsOwnersAloneWhateverTheUmask) {
  const mode_t before = ::umask(0);
  const auto listener = open();
  ::umask(before);
  ASSERT_TRUE(listener.ok()) << listener.error().text();
  struct stat file {};
  ASSERT_EQ(::stat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode, mode_t{S_IFSOCK | 0600});
  EXPECT_EQ((*listener)->url(), "unix:" + path_);
  EXPECT_EQ(connect(), 0);
}

TEST_F(UnixListener, LeavesNothingBehind) {
  { const auto listener = open(); }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(UnixListener, TakesThePlaceOfOneThatADeadProcessLeft) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  path_.copy(where.sun_path, sizeof(where.sun_path) - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof(where)), 0);
  ::close(fd);  // its file stays
  ASSERT_EQ(connect(), ECONNREFUSED);
  const auto listener = open();
  ASSERT_TRUE(listener.ok()) << listener.error().text();
  EXPECT_EQ(connect(), 0);
}

TEST_F(UnixListener, TakesNobodysPlaceWhoIsThere) {
  const auto first = open();
  const auto second = open();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, EADDRINUSE);
  EXPECT_THAT(second.error().text(), HasSubstr(path_));
  EXPECT_EQ(connect(), 0) << "the first one is where it was";
}

TEST_F(UnixListener, RemovesNoFileThatIsNotItsOwn) {
  { std::ofstream(path_) << "precious"; }
  const auto refused = open();
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().text(), HasSubstr("no socket"));
  EXPECT_TRUE(std::filesystem::is_regular_file(path_));

  std::filesystem::remove(path_);
  auto first = open();
  ASSERT_TRUE(first.ok());
  std::filesystem::rename(path_, path_ + ".old");
  const auto second = open();
  ASSERT_TRUE(second.ok()) << second.error().text();
  first.value().reset();
  EXPECT_EQ(connect(), 0) << "the file of the second stays when the first one goes";
}

TEST_F(UnixListener, SaysWhatItNeedsWhenItsFolderIsMissing) {
  AdminAddress nowhere = address();
  nowhere.path = folder_.file("no/such/admin.sock");
  const auto refused = AdminListener::open(nowhere);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ENOENT);
  EXPECT_THAT(refused.error().text(), HasSubstr("folder"));
}

TEST(TcpListener, NamesItsPortAndSharesItWithNobody) {
  const AdminAddress any{
      .kind = AdminAddress::Kind::kTcp, .host = "127.0.0.1", .port = 0, .path = {}};
  const auto first = AdminListener::open(any);
  ASSERT_TRUE(first.ok()) << first.error().text();
  const AdminAddress taken = (*first)->address();
  EXPECT_NE(taken.port, 0);
  EXPECT_EQ((*first)->url(), "http://127.0.0.1:" + std::to_string(taken.port));
  const auto second = AdminListener::open(taken);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, EADDRINUSE);
  EXPECT_THAT(second.error().text(), HasSubstr("--admin-listen off"));
}

}  // namespace
}  // namespace uproar::server
