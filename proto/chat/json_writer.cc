// Hot path: per publish and per reply. Allocations: 0 once the buffer has grown.
#include "proto/chat/json_writer.h"

#include <algorithm>
#include <charconv>

namespace uproar::chat {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::size_t kFirstCapacity = 1024;  // most messages fit; a page doubles its way up once
constexpr std::size_t kBlock = 32;            // one AVX2 register
constexpr std::size_t kEscapeBytesMax = 6;    // \u001f

constexpr bool needs_escape(unsigned char c) {
  return c < 0x20 || c == '"' || c == '\\';
}

// A loop of fixed length without a branch inside: both compilers turn it into vector compares.
bool block_is_plain(const char* in) {
  unsigned found = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const auto c = static_cast<unsigned char>(in[i]);
    found |= static_cast<unsigned>(c < 0x20) | static_cast<unsigned>(c == '"') |
             static_cast<unsigned>(c == '\\');
  }
  return found == 0;
}

char* write_escaped(char* out, unsigned char c) {
  if (!needs_escape(c)) {
    *out = static_cast<char>(c);
    return out + 1;
  }
  *out++ = '\\';
  switch (c) {
    case '"':
      *out++ = '"';
      return out;
    case '\\':
      *out++ = '\\';
      return out;
    case '\b':
      *out++ = 'b';
      return out;
    case '\f':
      *out++ = 'f';
      return out;
    case '\n':
      *out++ = 'n';
      return out;
    case '\r':
      *out++ = 'r';
      return out;
    case '\t':
      *out++ = 't';
      return out;
    default:
      break;
  }
  *out++ = 'u';
  *out++ = '0';
  *out++ = '0';
  *out++ = kHex[c >> 4];
  *out++ = kHex[c & 15U];
  return out;
}

}  // namespace

void JsonWriter::string(std::string_view text) {
  // Room for the worst block after the next one keeps the checks out of the inner loops: what is left of the text as it
  // is, one block all of escapes, and the quotes.
  char* out = reserve(text.size() + kBlock * kEscapeBytesMax + 2);
  *out++ = '"';
  const char* in = text.data();
  std::size_t left = text.size();
  while (left >= kBlock) {
    if (block_is_plain(in)) {
      std::memcpy(out, in, kBlock);
      out += kBlock;
    } else {
      for (std::size_t i = 0; i < kBlock; ++i)
        out = write_escaped(out, static_cast<unsigned char>(in[i]));
      size_ = static_cast<std::size_t>(out - data_.get());
      out = reserve(left - kBlock + kBlock * kEscapeBytesMax + 2);
    }
    in += kBlock;
    left -= kBlock;
  }
  for (; left > 0; --left, ++in) out = write_escaped(out, static_cast<unsigned char>(*in));
  *out++ = '"';
  size_ = static_cast<std::size_t>(out - data_.get());
}

void JsonWriter::number(std::uint64_t value) {
  constexpr std::size_t kDigitsMax = 20;
  char* out = reserve(kDigitsMax);
  const auto result = std::to_chars(out, out + kDigitsMax, value);
  size_ += static_cast<std::size_t>(result.ptr - out);
}

void JsonWriter::grow(std::size_t bytes) {
  const std::size_t wanted = std::max({kFirstCapacity, capacity_ * 2, size_ + bytes});
  std::unique_ptr<char[]> bigger(
      new char[wanted]);  // not make_unique: it would zero what is overwritten anyway
  if (size_ > 0) std::memcpy(bigger.get(), data_.get(), size_);
  data_ = std::move(bigger);
  capacity_ = wanted;
}

}  // namespace uproar::chat
