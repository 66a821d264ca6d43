// The process dies of it, so each case runs in a child.

#include "core/server/last_words.h"

#include <system_error>

#include <gtest/gtest.h>

namespace uproar::server {
namespace {

void throw_error(std::errc code) {
  throw std::system_error(std::make_error_code(code));
}
// As nobody catches what a thread's constructor throws.
void refuse(std::errc code) noexcept {
  throw_error(code);
}

TEST(LastWordsDeathTest, NameTheLimitOfThreads) {
  EXPECT_DEATH(
      {
        prepare_last_words();
        refuse(std::errc::resource_unavailable_try_again);
      },
      "a thread is refused. Try: raise the limit of threads: TasksMax=");
}

TEST(LastWordsDeathTest, AreThoseOfAnyOtherRefusal) {
  EXPECT_DEATH(
      {
        prepare_last_words();
        refuse(std::errc::no_such_device);
      },
      "uproar: No such device");
}

}  // namespace
}  // namespace uproar::server
