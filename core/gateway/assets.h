#pragma once

// What the binary carries for browsers: the page and the API documents, embedded at build time.

#include <string_view>

namespace uproar::gateway {

struct Asset {
  std::string_view path;  // as requested: "/", "/page/app.js", "/openapi.json"
  std::string_view content_type;
  std::string_view bytes;
  std::string_view etag;  // quoted
};

// nullptr: nothing of ours. Views live as long as the program.
[[nodiscard]] const Asset* find_asset(std::string_view path);

// Whether a client that sends this If-None-Match has what `etag` names (RFC 9110 §13.1.2: a list or *, compared weakly,
// since proxies that compress turn "x" into W/"x"). A header that is no such list matches nothing.
[[nodiscard]] bool etag_matches(std::string_view if_none_match, std::string_view etag);

}  // namespace uproar::gateway
