#pragma once

// Which pages may talk to us (RFC 6454, RFC 6455 §10.2). Browsers do not hold WebSockets to the same-origin rule,
// so the server looks at Origin itself.
//
// Allowed are: requests without Origin (no browser), requests from the page's own server (the host and port of
// Origin equal those of the request; the scheme is not compared, as TLS may end in a proxy), and the origins the
// operator listed. "*" lists all of them. "null" (sandboxed frames, files) is allowed by "*" alone.
//
// Pages of listed origins may also read our answers (Fetch standard §3.2, "CORS protocol"); those of our own origin need
// no permission for it.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/result.h"

namespace uproar::http {

struct Request;

class OriginPolicy {
 public:
  enum class ConfigError : std::uint8_t {
    kNotAnOrigin,  // not "*" and not http(s)://host[:port]
    kTooMany,      // above kAllowedOriginsMax
  };

  // Same origin and non-browser clients.
  OriginPolicy() = default;
  // And these: exact origins ("https://chat.example", "http://localhost:3000") or "*".
  [[nodiscard]] static Result<OriginPolicy, ConfigError> from(std::span<const std::string> allowed);

  // A repeated Origin header is refused.
  [[nodiscard]] bool allows(const Request& request) const;
  // `origin` as in the header, nullopt without one; `authority` is Request::authority.
  [[nodiscard]] bool allows(std::optional<std::string_view> origin,
                            std::string_view authority) const;

  // The Origin header of a request that a page of a listed origin sent: what Access-Control-Allow-Origin repeats.
  [[nodiscard]] std::optional<std::string_view> listed_origin(const Request& request) const;
  // Answers depend on Origin: a cache must tell them apart.
  [[nodiscard]] bool lists_any() const { return allows_all_ || !allowed_.empty(); }

 private:
  [[nodiscard]] bool lists(std::string_view origin) const;

  std::vector<std::string> allowed_;  // normalised: lower case, default port left out
  bool allows_all_ = false;
};

}  // namespace uproar::http
