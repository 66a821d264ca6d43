#pragma once

// Which pages may talk to us (RFC 6454, RFC 6455 §10.2). Browsers do not hold WebSockets to the same-origin rule,
// so the server looks at Origin itself.
//
// Allowed are: requests without Origin (no browser), requests from the page's own server (the host and port of
// Origin equal those of the request; the scheme is not compared, as TLS may end in a proxy), and the origins the
// operator listed. "*" lists all of them. "null" (sandboxed frames, files) is allowed by "*" alone.

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

 private:
  std::vector<std::string> allowed_;  // normalised: lower case, default port left out
  bool allows_all_ = false;
};

}  // namespace uproar::http
