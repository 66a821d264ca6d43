#pragma once

// SharedBytes: immutable encoded bytes with an intrusive reference count, in one allocation. The one object
// that crosses shards by reference: a message is encoded once and every socket, on any shard, points at it.
//
//   +-------+-------+----------------------+
//   | count | size  | size bytes ...       |
//   +-------+-------+----------------------+
//
// Hot path: per publish, not per recipient. Copying is one atomic increment; take one reference per batch and
// another only for a socket that blocks.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "proto/base/bytes.h"

namespace uproar {

class SharedBytes {
 public:
  SharedBytes() = default;

  // Room for `bytes` uninitialised bytes; fill through mutable_data() before sharing.
  [[nodiscard]] static SharedBytes allocate(std::uint32_t bytes) {
    void* raw = ::operator new(sizeof(Header) + bytes);
    auto* header = new (raw) Header{.references = {1}, .size = bytes};
    return SharedBytes(header);
  }
  [[nodiscard]] static SharedBytes copy_of(ByteView bytes) {
    SharedBytes out = allocate(static_cast<std::uint32_t>(bytes.size()));
    if (!bytes.empty()) std::memcpy(out.mutable_data(), bytes.data(), bytes.size());
    return out;
  }
  [[nodiscard]] static SharedBytes copy_of(std::string_view text) {
    return copy_of(as_bytes(text));
  }

  SharedBytes(const SharedBytes& other) : header_(other.header_) {
    if (header_ != nullptr) header_->references.fetch_add(1, std::memory_order_relaxed);
  }
  SharedBytes(SharedBytes&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  SharedBytes& operator=(SharedBytes other) noexcept {
    std::swap(header_, other.header_);
    return *this;
  }
  ~SharedBytes() { release(); }

  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::uint32_t size() const { return header_ == nullptr ? 0 : header_->size; }
  [[nodiscard]] const std::byte* data() const { return header_ == nullptr ? nullptr : payload(); }
  [[nodiscard]] ByteView view() const { return {data(), size()}; }

  // REQUIRES: the caller holds the only reference (it has just allocated).
  [[nodiscard]] std::byte* mutable_data() { return payload(); }

 private:
  struct Header {
    std::atomic<std::uint32_t> references;
    std::uint32_t size;
  };

  explicit SharedBytes(Header* header) : header_(header) {}
  [[nodiscard]] std::byte* payload() const { return reinterpret_cast<std::byte*>(header_ + 1); }
  void release() {
    if (header_ == nullptr) return;
    if (header_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    header_->~Header();
    ::operator delete(header_);
  }

  Header* header_ = nullptr;
};
static_assert(sizeof(SharedBytes) == sizeof(void*), "queues of blocked sockets hold many of these");

}  // namespace uproar
