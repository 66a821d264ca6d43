#pragma once

// Keys in memory: on pages that are in no core dump, not swapped out where the limit of locked
// memory allows it, between pages that nobody may touch; overwritten before they are given back.

#include <cstddef>
#include <string>
#include <string_view>

namespace uproar::auth {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text);
  Secret(const Secret& other) : Secret(other.text()) {}
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret other) noexcept;
  ~Secret();

  // As long as it lives. Whoever copies it takes care of the copy.
  [[nodiscard]] std::string_view text() const { return {bytes_, size_}; }

 private:
  char* bytes_ = nullptr;
  std::size_t size_ = 0;
};

// Overwrites what a secret was read into, and empties it.
void forget(std::string& text);
void forget(char* bytes, std::size_t size);

// The same kind of memory for what cjose allocates while one of these lives, on this thread: it
// copies each key that it is given.
class SecretAllocations {
 public:
  SecretAllocations();
  ~SecretAllocations();
  SecretAllocations(const SecretAllocations&) = delete;
  SecretAllocations& operator=(const SecretAllocations&) = delete;
};
// Pieces of it that are in use, for tests.
[[nodiscard]] std::size_t secret_allocations_in_use();

}  // namespace uproar::auth
