#pragma once

// Hashing and checking passwords somewhere that may block. core/server runs it on the blocking pool.

#include <functional>
#include <optional>
#include <string>

namespace uproar::gateway {

class PasswordWorker {
 public:
  virtual ~PasswordWorker() = default;
  // `done` runs later on the calling shard; nullopt: no memory for it. False: too much waits already, `done` never runs.
  [[nodiscard]] virtual bool hash(std::string password,
                                  std::function<void(std::optional<std::string>)> done) = 0;
  // An empty hash takes the same time and is never right: the time must not tell who has an account.
  [[nodiscard]] virtual bool verify(std::string password, std::string hash,
                                    std::function<void(bool)> done) = 0;
};

}  // namespace uproar::gateway
