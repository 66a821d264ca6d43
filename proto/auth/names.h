#pragma once

// What people may call themselves and which passwords are taken.
//
// Names: 3 to 32 characters out of a-z 0-9 _ . - , beginning and ending with a letter or digit, no two of _ . - in a row.
// Upper case is folded, so "Ada" and "ada" are one account. ASCII alone: two names that look alike are alike. (What is
// shown on screen may be any text; that is the "name" claim of a token, not the key of an account.)
//
// Passwords: 8 to 128 bytes of UTF-8, anything but control characters. Not folded, not trimmed. No composition rules
// (NIST SP 800-63B §5.1.1.2); the limit above keeps hashing bounded.

#include <optional>
#include <string>
#include <string_view>

namespace uproar::auth {

// The folded name, or nullopt when it breaks the rules.
[[nodiscard]] std::optional<std::string> normalize_name(std::string_view name);

[[nodiscard]] bool password_acceptable(std::string_view password);

// Sentences for the error that refuses them.
inline constexpr std::string_view kNameRule =
    "name must be 3 to 32 of a-z 0-9 _ . - and begin and end with a letter or digit";
inline constexpr std::string_view kPasswordRule =
    "password must be 8 to 128 bytes without control characters";

// What is left of a display name ("name" claim) for showing: control characters removed, cut to 64 bytes at a character
// boundary. Empty when nothing is left or it was not UTF-8.
[[nodiscard]] std::string display_name(std::string_view name);

}  // namespace uproar::auth
