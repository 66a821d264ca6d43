#include "proto/auth/secret.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <utility>

#include <cjose/cjose.h>
#include <sodium.h>

#include "proto/auth/limits.h"
#include "proto/base/check.h"

namespace uproar::auth {
namespace {

void initialise() {
  static const bool ready = sodium_init() >= 0;
  UPROAR_CHECK(ready);
}

// A key and what the library keeps about it are a piece each; a shard has two keys, and there are
// 64 shards at most.
constexpr std::size_t kPieceBytes = kHmacKeyBytesMax + 16;
constexpr std::size_t kPiecesMax = 64 * 2 * 2;

// Pieces of one block: a guarded block for each would lock and guard four pages for 32 bytes.
class Pieces {
 public:
  // Null: there is none, or it is too large.
  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes > kPieceBytes || used_ == kPiecesMax) return nullptr;
    std::byte* block = block_.load(std::memory_order_relaxed);
    if (block == nullptr) {
      initialise();
      block = static_cast<std::byte*>(sodium_malloc(kPieceBytes * kPiecesMax));
      if (block == nullptr) return nullptr;
      block_.store(block, std::memory_order_release);
    }
    for (std::size_t i = 0; i < kPiecesMax; ++i) {
      if (is_taken_[i]) continue;
      is_taken_[i] = true;
      ++used_;
      return block + i * kPieceBytes;
    }
    return nullptr;
  }

  // False: it is none of these.
  bool give_back(void* address) {
    const std::byte* const block = block_.load(std::memory_order_acquire);
    auto* const bytes = static_cast<std::byte*>(address);
    const std::less<const std::byte*> before;
    if (block == nullptr || before(bytes, block) ||
        !before(bytes, block + kPieceBytes * kPiecesMax))
      return false;  // nearly always, so without the lock: all shards free what tokens were read to
    const std::lock_guard lock(mutex_);
    sodium_memzero(bytes, kPieceBytes);
    is_taken_[static_cast<std::size_t>(bytes - block) / kPieceBytes] = false;
    --used_;
    return true;
  }

  [[nodiscard]] std::size_t used() {
    const std::lock_guard lock(mutex_);
    return used_;
  }

 private:
  std::mutex mutex_;
  std::atomic<std::byte*> block_{nullptr};  // once made it stays
  std::array<bool, kPiecesMax> is_taken_{};
  std::size_t used_ = 0;
};

// Never destroyed: keys in static objects may be released after it would have been.
Pieces& pieces() {
  static Pieces& kept = *new Pieces;
  return kept;
}
thread_local int scopes = 0;

void* allocate(std::size_t bytes) {
  if (scopes > 0) {
    if (void* const piece = pieces().take(bytes); piece != nullptr) return piece;
  }
  return std::malloc(bytes);
}

void release(void* address) {
  if (address != nullptr && !pieces().give_back(address)) std::free(address);
}

void* reallocate(void* address, std::size_t bytes) {
  UPROAR_CHECK(scopes == 0);  // pieces do not grow, and making a key asks for none that does
  return std::realloc(address, bytes);
}

// Before main(), while no thread has called the library.
[[maybe_unused]] const bool kIsInPlace = [] {
  cjose_set_alloc_funcs(&allocate, &reallocate, &release);
  return true;
}();

}  // namespace

Secret::Secret(std::string_view text) : size_(text.size()) {
  if (text.empty()) return;
  initialise();
  bytes_ = static_cast<char*>(sodium_malloc(size_));
  UPROAR_CHECK(bytes_ != nullptr, size_);
  std::memcpy(bytes_, text.data(), size_);
}

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  return *this;
}

Secret::~Secret() {
  sodium_free(bytes_);  // which overwrites it
}

void forget(std::string& text) {
  sodium_memzero(text.data(), text.size());
  text.clear();
}

void forget(char* bytes, std::size_t size) {
  sodium_memzero(bytes, size);
}

SecretAllocations::SecretAllocations() {
  ++scopes;
}

SecretAllocations::~SecretAllocations() {
  --scopes;
}

std::size_t secret_allocations_in_use() {
  return pieces().used();
}

}  // namespace uproar::auth
