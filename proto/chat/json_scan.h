#pragma once

// Checks JSON that is kept as text, because it is echoed to others: event data, attachments, request ids. simdjson's
// On-Demand front finds the end of a value without looking inside; this looks inside.
//
// Stricter than RFC 8259 in two points, so that no hearer's parser stumbles over what another client sent: surrogates
// come in pairs, and numbers fit (integers 64 bits, others a finite double).
//
// Hot path: per event.publish. Allocations: 0. About 1 ns a byte. No recursion.

#include <cstdint>
#include <string_view>

namespace uproar::chat {

enum class JsonKind : std::uint8_t { kObject, kArray, kString, kNumber, kTrue, kFalse, kNull };

enum class JsonFault : std::uint8_t {
  kNone,
  kSyntax,    // no JSON
  kTooDeep,   // the others are JSON that hearers would stumble over
  kHalfPair,  // half of a surrogate pair
  kNumber,    // that does not fit
};

struct JsonShape {
  JsonKind kind = JsonKind::kNull;
  std::uint32_t children = 0;  // elements of an array, members of an object
  bool children_are_objects = true;
  bool holds_nul = false;  // U+0000 in some string: legal JSON, but no text a store could keep
  JsonFault fault = JsonFault::kNone;  // the first one, ...
  std::uint32_t fault_at = 0;  // ... and its offset; the size of the text: it ends too early
};

// The scanner has a bit for each level.
inline constexpr std::uint32_t kScanDepthMax = 64;

// Whether `text` is one whole JSON value with at most `depth_max` (<= kScanDepthMax) arrays and
// objects inside one another. Fills `shape` when it is, else its fault. REQUIRES: `text` is UTF-8.
[[nodiscard]] bool check_json(std::string_view text, std::uint32_t depth_max, JsonShape& shape);

}  // namespace uproar::chat
