#pragma once

// Base64 (RFC 4648 §4, padded) and base64url (§5, never padded, as JOSE wants it).
//
// The decoders are strict: exactly one text decodes to given bytes. No white space, no foreign characters, padding
// just where it belongs (base64) or nowhere (base64url), unused bits zero. Two texts for one secret would let a
// signature be altered without being broken.

#include <optional>
#include <string>
#include <string_view>

#include "proto/base/bytes.h"

namespace uproar::crypto {

// REQUIRES: data.size() <= kBase64BytesMax (limits.h).
[[nodiscard]] std::string base64_encode(ByteView data);
[[nodiscard]] std::string base64url_encode(ByteView data);

// The decoded bytes (any values, held in a string), or nullopt for anything but the one strict form, and for
// texts above kBase64TextBytesMax. Empty text is empty bytes.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);
[[nodiscard]] std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace uproar::crypto
