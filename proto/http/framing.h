#pragma once

// Where a body ends: Content-Length (RFC 9112 §6.2), Transfer-Encoding (§6.1) and chunk lines (§7.1). Strict
// throughout: two readers that differ on a length are how requests are smuggled.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http/request_error.h"

namespace uproar::http {

// Digits alone, 1 to 19 of them, so that no value overflows.
[[nodiscard]] RequestError parse_content_length(std::string_view value, std::uint64_t& length);

// One Transfer-Encoding line. `chunked` says on entry whether an earlier line had it and on kNone whether it has
// been seen now: it must be the last coding of all lines, and it is the only one we know.
[[nodiscard]] RequestError parse_transfer_encoding(std::string_view value, bool& chunked);

struct ChunkLine {
  std::uint64_t size = 0;             // bytes of data that follow; 0 is the last chunk
  std::uint32_t extension_bytes = 0;  // what stood after the size; checked, then ignored
};
// `line` comes without its CRLF.
[[nodiscard]] RequestError parse_chunk_line(std::string_view line, ChunkLine& out);

}  // namespace uproar::http
