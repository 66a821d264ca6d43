#pragma once

// Passwords on the blocking pool: argon2id takes 20 ms, which is a thousand deliveries.

#include "core/gateway/password_worker.h"
#include "core/runtime/blocking_pool.h"
#include "proto/auth/password_hash.h"

namespace uproar::server {

class PasswordPool final : public gateway::PasswordWorker {
 public:
  // Both outlive it.
  PasswordPool(runtime::BlockingPool& pool, runtime::Inbox& inbox) : pool_(pool), inbox_(inbox) {}

  bool hash(std::string password, std::function<void(std::optional<std::string>)> done) override {
    return pool_.run(
        inbox_, [password = std::move(password)] { return auth::hash_password(password); },
        std::move(done));
  }
  bool verify(std::string password, std::string hash, std::function<void(bool)> done) override {
    return pool_.run(
        inbox_,
        [password = std::move(password), hash = std::move(hash)] {
          if (!hash.empty()) return auth::verify_password(password, hash);
          auth::verify_nothing(password);
          return false;
        },
        std::move(done));
  }

 private:
  runtime::BlockingPool& pool_;
  runtime::Inbox& inbox_;
};

}  // namespace uproar::server
