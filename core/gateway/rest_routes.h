#pragma once

// REST as a second door to the same commands: one table from method and path to what is meant.
// A pattern's segments are literals or one of {id} {ref} {user} {emoji}; the first matching row wins.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proto/chat/command_type.h"
#include "proto/http/target.h"

namespace uproar::gateway {

// Routes that are no command of the domain.
enum class RestAction : std::uint8_t {
  kCommand,
  kRegister,
  kLogin,
  kRefresh,
  kLogout,
  kMe,
  kFindUser,
  kUser
};

struct RestRoute {
  std::string_view method;
  std::string_view pattern;  // "/api/v1/conversations/{id}"
  RestAction action = RestAction::kCommand;
  chat::CommandType command = chat::CommandType::kPing;
};

[[nodiscard]] std::span<const RestRoute> rest_routes();

// What stood in the places of a pattern, percent-decoded.
struct RestPath {
  std::string conversation_id;
  std::string message;
  std::string user_id;
  std::string emoji;
};

struct RouteMatch {
  const RestRoute* route = nullptr;  // null: no such path, or only with other methods
  bool path_known = false;           // the path exists: 405 rather than 404
  bool bad_escape = false;           // it does, but what stands in a place is no text (%zz, %00)
  RestPath path;
};
// HEAD is GET (RFC 9110 §9.3.2): whoever writes the answer leaves its body out.
[[nodiscard]] RouteMatch match_route(std::string_view method, std::string_view path);

// The methods that `path` knows, as an Allow header lists them: "GET, HEAD, POST"; empty for an unknown path.
[[nodiscard]] std::string methods_of(std::string_view path);

}  // namespace uproar::gateway
