#include "proto/http/origin.h"

#include <algorithm>

#include "proto/http/chars.h"
#include "proto/http/limits.h"
#include "proto/http/request_line.h"
#include "proto/http/request_parser.h"

namespace uproar::http {
namespace {

constexpr std::string_view kHttp = "http://";
constexpr std::string_view kHttps = "https://";

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), to_lower);
  return out;
}

// `authority` in lower case without the port that the scheme implies.
std::string normal_authority(std::string_view authority, std::string_view scheme) {
  const std::string_view default_port = scheme == kHttps ? ":443" : ":80";
  if (authority.ends_with(default_port)) authority.remove_suffix(default_port.size());
  return lower(authority);
}

struct Origin {
  std::string_view scheme;  // kHttp or kHttps
  std::string authority;    // normalised
};

std::optional<Origin> parse_origin(std::string_view text) {
  for (const std::string_view scheme : {kHttp, kHttps}) {
    if (!equals_ignoring_case(text.substr(0, scheme.size()), scheme)) continue;
    const std::string_view authority = text.substr(scheme.size());
    if (!is_host_and_port(authority)) return std::nullopt;  // also refuses a path, a user, a list
    return Origin{.scheme = scheme, .authority = normal_authority(authority, scheme)};
  }
  return std::nullopt;
}

std::string normal_text(const Origin& origin) {
  return std::string(origin.scheme) + origin.authority;
}

}  // namespace

Result<OriginPolicy, OriginPolicy::ConfigError> OriginPolicy::from(
    std::span<const std::string> allowed) {
  if (allowed.size() > kAllowedOriginsMax) return Err{ConfigError::kTooMany};
  OriginPolicy policy;
  for (const std::string& text : allowed) {
    if (text == "*") {
      policy.allows_all_ = true;
      continue;
    }
    const auto origin = parse_origin(text);
    // A star is a legal host character, but whoever writes one here means a pattern, and we have none.
    if (!origin || text.find('*') != std::string::npos) return Err{ConfigError::kNotAnOrigin};
    policy.allowed_.push_back(normal_text(*origin));
  }
  return policy;
}

bool OriginPolicy::allows(const Request& request) const {
  if (request.headers.count("origin") > 1) return false;
  return allows(request.headers.find("origin"), request.authority);
}

bool OriginPolicy::allows(std::optional<std::string_view> origin,
                          std::string_view authority) const {
  if (!origin || allows_all_) return true;
  const auto parsed = parse_origin(*origin);
  if (!parsed) return false;
  if (parsed->authority == normal_authority(authority, parsed->scheme)) return true;
  return lists(*origin);
}

bool OriginPolicy::lists(std::string_view origin) const {
  if (allows_all_) return true;
  const auto parsed = parse_origin(origin);
  return parsed &&
         std::find(allowed_.begin(), allowed_.end(), normal_text(*parsed)) != allowed_.end();
}

std::optional<std::string_view> OriginPolicy::listed_origin(const Request& request) const {
  const auto origin = request.headers.find("origin");
  if (!origin || request.headers.count("origin") > 1 || !lists(*origin)) return std::nullopt;
  return origin;
}

}  // namespace uproar::http
