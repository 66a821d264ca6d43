#pragma once

// Hashing and checking passwords somewhere that may block. core/server runs it on the blocking pool.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace uproar::gateway {

enum class PasswordClass : std::uint8_t {
  kKnown,     // a login from where that account has logged in before
  kStranger,  // any other login
  kRegistration,
  kCount
};
// Where somebody waits (password_queue.h). `lane`: who shares their turns.
struct PasswordTurn {
  PasswordClass cls = PasswordClass::kStranger;
  std::uint64_t lane = 0;
};

enum class PasswordVerdict : std::uint8_t {
  kRight,
  kWrong,
  kUnserved  // it lost its place to somebody with fewer of them
};

class PasswordWorker {
 public:
  virtual ~PasswordWorker() = default;
  // `done` runs later on the calling shard; nullopt: no memory or no place for it. False: `done`
  // never runs.
  [[nodiscard]] virtual bool hash(PasswordTurn turn, std::string password,
                                  std::function<void(std::optional<std::string>)> done) = 0;
  // An empty hash takes the same time and is never right: the time must not tell who has an account.
  [[nodiscard]] virtual bool verify(PasswordTurn turn, std::string password, std::string hash,
                                    std::function<void(PasswordVerdict)> done) = 0;
};

}  // namespace uproar::gateway
