#include "proto/http/framing.h"

#include "proto/http/chars.h"

namespace uproar::http {
namespace {

constexpr std::size_t kLengthDigitsMax = 19;  // 10^19 - 1 < 2^64
constexpr std::size_t kChunkDigitsMax = 16;   // 16^16 - 1 = 2^64 - 1

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Length of the token at the front of `text`, 0 if there is none.
std::size_t token_bytes(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && is_in(text[size], kTokenChar)) ++size;
  return size;
}

// Length of the quoted-string at the front of `text` (RFC 9110 §5.6.4), 0 if it is not well formed.
std::size_t quoted_bytes(std::string_view text) {
  if (!text.starts_with('"')) return 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\') ++i;
    if (i == text.size() || !is_field_value(text.substr(i, 1))) return 0;
  }
  return 0;
}

// *( ";" name [ "=" value ] ). The grammar allows "bad white space" around both signs for the sake of old
// senders; proxies disagree about it, so we do not.
bool is_chunk_extension(std::string_view text) {
  while (!text.empty()) {
    if (text.front() != ';') return false;
    text.remove_prefix(1);
    const std::size_t name = token_bytes(text);
    if (name == 0) return false;
    text.remove_prefix(name);
    if (!text.starts_with('=')) continue;
    text.remove_prefix(1);
    const std::size_t value = text.starts_with('"') ? quoted_bytes(text) : token_bytes(text);
    if (value == 0) return false;
    text.remove_prefix(value);
  }
  return true;
}

}  // namespace

RequestError parse_content_length(std::string_view value, std::uint64_t& length) {
  if (value.empty() || value.size() > kLengthDigitsMax) return RequestError::kBadContentLength;
  length = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') return RequestError::kBadContentLength;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return RequestError::kNone;
}

RequestError parse_transfer_encoding(std::string_view value, bool& chunked) {
  for (bool more = true; more;) {
    more = value.find(',') != std::string_view::npos;
    const std::string_view coding = trimmed(split_off(value, ','));
    if (chunked)
      return RequestError::kBadTransferEncoding;  // something after chunked, or chunked twice
    const std::size_t name = token_bytes(coding);
    if (name == 0) return RequestError::kBadTransferEncoding;
    const std::string_view rest = trimmed(coding.substr(name));
    if (!rest.empty() && rest.front() != ';') return RequestError::kBadTransferEncoding;
    if (!equals_ignoring_case(coding.substr(0, name), "chunked"))
      return RequestError::kUnknownTransferEncoding;
    if (!rest.empty()) return RequestError::kBadTransferEncoding;  // chunked has no parameters
    chunked = true;
  }
  return RequestError::kNone;
}

RequestError parse_chunk_line(std::string_view line, ChunkLine& out) {
  out = ChunkLine{};
  std::size_t digits = 0;
  for (; digits < line.size() && hex_value(line[digits]) >= 0; ++digits) {
    if (digits == kChunkDigitsMax) return RequestError::kBadChunkSize;
    out.size = out.size << 4U | static_cast<std::uint64_t>(hex_value(line[digits]));
  }
  const std::string_view extension = line.substr(digits);
  if (line.find('\r') != std::string_view::npos) return RequestError::kBareCr;
  if (digits == 0 || (!extension.empty() && extension.front() != ';'))
    return RequestError::kBadChunkSize;
  if (!is_chunk_extension(extension)) return RequestError::kBadChunkExtension;
  out.extension_bytes = static_cast<std::uint32_t>(extension.size());
  return RequestError::kNone;
}

}  // namespace uproar::http
