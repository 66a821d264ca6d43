#include "proto/crypto/base64.h"

#include <algorithm>

#include <openssl/evp.h>

#include "proto/base/check.h"
#include "proto/crypto/limits.h"

namespace uproar::crypto {
namespace {

bool is_base64_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

bool is_base64url_character(char c) {
  return is_base64_character(c) ? c != '+' && c != '/' : c == '-' || c == '_';
}

}  // namespace

std::string base64_encode(ByteView data) {
  UPROAR_CHECK(data.size() <= kBase64BytesMax, data.size());
  if (data.empty()) return {};
  std::string text((data.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a NUL
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(data.data()),
                                   static_cast<int>(data.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.empty()) return std::string();
  if (text.size() % 4 != 0 || text.size() > kBase64TextBytesMax) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && text[text.size() - 1 - padding] == '=') ++padding;
  // OpenSSL's decoder skips white space and takes '=' in odd places: look at every character first.
  const std::string_view digits = text.substr(0, text.size() - padding);
  if (!std::all_of(digits.begin(), digits.end(), is_base64_character)) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0 || static_cast<std::size_t>(size) < padding) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(size) - padding);
  // Unused bits that are not zero decode to the same bytes; encoding again shows them.
  if (base64_encode(as_bytes(bytes)) != text) return std::nullopt;
  return bytes;
}

std::string base64url_encode(ByteView data) {
  std::string text = base64_encode(data);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.erase(std::find(text.begin(), text.end(), '='), text.end());
  return text;
}

std::optional<std::string> base64url_decode(std::string_view text) {
  if (text.size() > kBase64TextBytesMax - 3)
    return std::nullopt;  // leaves room for the padding below
  if (!std::all_of(text.begin(), text.end(), is_base64url_character)) return std::nullopt;
  std::string padded(text);
  std::replace(padded.begin(), padded.end(), '-', '+');
  std::replace(padded.begin(), padded.end(), '_', '/');
  // One digit left over carries 6 bits, no byte: "====" would be needed, and base64_decode refuses three.
  padded.append((4 - padded.size() % 4) % 4, '=');
  return base64_decode(padded);
}

}  // namespace uproar::crypto
