#pragma once

// The listening socket of --admin-listen.

#include <cstdint>
#include <memory>
#include <string>

#include "core/server/admin_address.h"
#include "proto/base/result.h"

namespace uproar::server {

class AdminListener {
 public:
  // REQUIRES: not kOff. A Unix socket is made with mode 0600: whoever may connect is its owner, or root. One that a
  // process left behind, and that nobody answers at, is replaced; anything else at its path is not.
  [[nodiscard]] static Result<std::unique_ptr<AdminListener>, SystemError> open(
      const AdminAddress& address);
  // Closes, and removes the file of the Unix socket if it is still this one's.
  ~AdminListener();
  AdminListener(const AdminListener&) = delete;
  AdminListener& operator=(const AdminListener&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  // With the port that the kernel chose.
  [[nodiscard]] const AdminAddress& address() const { return address_; }
  // "http://127.0.0.1:9080" or "unix:/run/uproar/admin.sock".
  [[nodiscard]] std::string url() const;

 private:
  AdminListener(AdminAddress address, int fd);

  AdminAddress address_;
  const int fd_;
  std::uint64_t device_ = 0;  // of the file of a Unix socket
  std::uint64_t inode_ = 0;
};

}  // namespace uproar::server
