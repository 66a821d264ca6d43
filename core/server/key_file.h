#pragma once

// The HS256 key that signs our tokens and those of trusted backends.

#include <string>
#include <string_view>

#include "proto/auth/secret.h"
#include "proto/base/result.h"

namespace uproar::server {

// Reads the key: the file's bytes without a trailing newline. Makes the file (32 random bytes as base64url, mode 0600; its
// folder with mode 0700) when it does not exist and `make` allows it. Refuses short keys and files that others may read.
[[nodiscard]] Result<auth::Secret, SystemError> read_key_file(const std::string& path, bool make);

// Tells keys apart without telling them: 16 hexadecimal digits.
[[nodiscard]] std::string key_fingerprint(std::string_view key);

}  // namespace uproar::server
