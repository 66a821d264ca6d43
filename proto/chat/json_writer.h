#pragma once

// Appends JSON text to a buffer of its own that is reused from message to message.
//
// Hot path: per publish and per reply. Allocations: 0 once the buffer has grown to the usual message (it doubles and
// never shrinks, except through release()).
//
// The writer knows tokens, not grammar: the encoder places commas by passing whole `,"name":` literals.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "proto/base/bytes.h"
#include "proto/base/uuid.h"
#include "proto/chat/rfc3339.h"

namespace uproar::chat {

class JsonWriter {
 public:
  JsonWriter() = default;
  explicit JsonWriter(std::size_t capacity_bytes) { reserve(capacity_bytes); }

  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;
  JsonWriter(JsonWriter&& other) noexcept { swap(other); }
  JsonWriter& operator=(JsonWriter&& other) noexcept {
    swap(other);
    return *this;
  }

  // What was written since the last clear(). Dies with the next write, clear() or release().
  [[nodiscard]] std::string_view text() const { return {data_.get(), size_}; }
  [[nodiscard]] ByteView bytes() const { return as_bytes(text()); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  void clear() { size_ = 0; }
  // Gives the memory back: for a buffer that one unusual answer has blown up.
  void release() {
    data_.reset();
    size_ = 0;
    capacity_ = 0;
  }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  // As it is: literals, and JSON that was validated before.
  void raw(std::string_view text) {
    char* out = reserve(text.size());
    if (!text.empty()) std::memcpy(out, text.data(), text.size());
    size_ += text.size();
  }
  void raw(char c) {
    *reserve(1) = c;
    ++size_;
  }
  // A JSON string: quoted and escaped (RFC 8259 §7). REQUIRES: `text` is UTF-8; every byte of 0x80 and above is copied.
  void string(std::string_view text);
  // A string whose characters need no escape: words of ours.
  void plain_string(std::string_view text) {
    char* out = reserve(text.size() + 2);
    *out = '"';
    if (!text.empty()) std::memcpy(out + 1, text.data(), text.size());
    out[text.size() + 1] = '"';
    size_ += text.size() + 2;
  }
  void number(std::uint64_t value);
  void boolean(bool value) { raw(value ? std::string_view("true") : std::string_view("false")); }
  void uuid(const Uuid& id) {
    char* out = reserve(Uuid::kTextBytes + 2);
    *out = '"';
    id.write_text(out + 1);
    out[Uuid::kTextBytes + 1] = '"';
    size_ += Uuid::kTextBytes + 2;
  }
  template <class Tag>
  void uuid(const StrongId<Tag>& id) {
    uuid(id.uuid());
  }
  void time(std::int64_t unix_us) {
    char* out = reserve(kRfc3339Bytes + 2);
    *out = '"';
    write_rfc3339(unix_us, out + 1);
    out[kRfc3339Bytes + 1] = '"';
    size_ += kRfc3339Bytes + 2;
  }

 private:
  // Room for `bytes` more; returns where they go.
  char* reserve(std::size_t bytes) {
    if (capacity_ - size_ < bytes) [[unlikely]]
      grow(bytes);
    return data_.get() + size_;
  }
  void grow(std::size_t bytes);
  void swap(JsonWriter& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace uproar::chat
