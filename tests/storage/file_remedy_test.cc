#include "storage/file_remedy.h"

#include <unistd.h>

#include <cerrno>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace uproar::storage {
namespace {

using ::testing::HasSubstr;

TEST(FileRemedy, NamesTheStepThatMendsEachRefusal) {
  const std::string owner = std::to_string(::geteuid());
  struct Row {
    int code;
    std::string step;
  };
  for (const Row& row : {
           Row{EACCES, "chown -R " + owner + " /srv/chat"},
           Row{EPERM, "chown -R " + owner + " /srv/chat"},
           Row{EROFS, "ReadWritePaths=/srv/chat"},
           Row{ENOSPC, "free disk space (df -h /srv/chat"},
           Row{EDQUOT, "raise the quota"},
           Row{ENOTDIR, "a part of this path is a file"},
           Row{EISDIR, "move that folder away"},
           Row{ENOENT, "make the folder above it"},
           Row{EMFILE, "LimitNOFILE="},
           Row{ENFILE, "LimitNOFILE="},
           Row{EFBIG, "LimitFSIZE="},
           Row{EIO, "dmesg"},
       })
    EXPECT_THAT(file_remedy(row.code, "/srv/chat"), HasSubstr(row.step)) << row.code;
}

TEST(FileRemedy, IsNoneWhereTheCodeSaysAll) {
  EXPECT_EQ(file_remedy(0, "/srv/chat"), "");
  EXPECT_EQ(file_remedy(ENAMETOOLONG, "/srv/chat"), "");
}

}  // namespace
}  // namespace uproar::storage
