#pragma once

// Times on the wire: RFC 3339 in UTC with milliseconds, "2026-01-02T03:04:05.678Z". Pure, no locale, no allocation.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace uproar::chat {

inline constexpr std::size_t kRfc3339Bytes = 24;

// Writes exactly kRfc3339Bytes characters, no terminator. Microseconds are cut off, not rounded. Times outside the
// years 0000 to 9999 are shown as the nearest one inside.
void write_rfc3339(std::int64_t unix_us, char* out);
[[nodiscard]] std::string rfc3339(std::int64_t unix_us);

// Any RFC 3339 date-time: fraction of 1 to 9 digits (cut to microseconds) or none, "Z" or an offset, either case of T
// and Z. A leap second counts as the second after it. Anything else is nullopt.
[[nodiscard]] std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace uproar::chat
