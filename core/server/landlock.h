#pragma once

// Landlock (landlock(7)): which files a thread may open, whoever runs it, and whether it may listen
// or connect. By raw system calls: Debian has no library. A rule is about what a path leads to when
// it is made, and all that is beneath it; what is put in its place later has none, so files that
// are replaced are named by their folder.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proto/base/result.h"

namespace uproar::server {

struct FileRule {
  enum class May : std::uint8_t {
    kRead,    // files and folders
    kWrite,   // files in a folder: read, write, make, remove
    kRemove,  // files in a folder, and nothing else of it
  };
  std::string path;  // none there: the rule says nothing
  May may = May::kRead;
};

struct LandlockRules {
  std::vector<FileRule> files;
  bool may_connect = true;  // by TCP. To listen by TCP is refused in any case
};

// A set of rules, made and not yet in force.
class LandlockRuleset {
 public:
  // The error of a kernel without Landlock has a hint.
  [[nodiscard]] static Result<LandlockRuleset, SystemError> make(const LandlockRules& rules);
  LandlockRuleset(LandlockRuleset&& other) noexcept;
  LandlockRuleset& operator=(LandlockRuleset&&) = delete;
  ~LandlockRuleset();

  // Binds the calling thread, which must have no_new_privs; it cannot be taken back. 0 or an errno.
  // Only a system call.
  [[nodiscard]] int bind_this_thread() const;

  [[nodiscard]] int abi() const { return abi_; }  // the kernel's version of Landlock
  [[nodiscard]] bool has_network() const;         // it looks at TCP, too

 private:
  LandlockRuleset(int fd, int abi) : fd_(fd), abi_(abi) {}

  int fd_;
  int abi_;
};

}  // namespace uproar::server
