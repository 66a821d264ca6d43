#include "core/gateway/rest_routes.h"

#include <array>

namespace uproar::gateway {
namespace {

using chat::CommandType;
using enum RestAction;

constexpr auto kRoutes = std::to_array<RestRoute>({
    {"POST", "/api/v1/register", kRegister},
    {"POST", "/api/v1/login", kLogin},
    {"POST", "/login", kLogin},
    {"POST", "/api/v1/refresh", kRefresh},
    {"POST", "/api/v1/logout", kLogout},
    {"GET", "/api/v1/me", kMe},
    {"GET", "/api/v1/users", kFindUser},
    {"GET", "/api/v1/users/{user}", kUser},
    {"POST", "/api/v1/sync", kCommand, CommandType::kSync},
    {"GET", "/api/v1/unread", kCommand, CommandType::kUnreadFetch},
    {"POST", "/api/v1/messages", kCommand, CommandType::kMessageSend},
    {"POST", "/api/v1/presence", kCommand, CommandType::kPresenceGet},
    {"GET", "/api/v1/conversations", kCommand, CommandType::kConversationList},
    {"POST", "/api/v1/conversations", kCommand, CommandType::kConversationCreate},
    {"GET", "/api/v1/conversations/{id}", kCommand, CommandType::kConversationGet},
    {"PATCH", "/api/v1/conversations/{id}", kCommand, CommandType::kConversationRename},
    {"POST", "/api/v1/conversations/{id}/join", kCommand, CommandType::kConversationJoin},
    {"POST", "/api/v1/conversations/{id}/leave", kCommand, CommandType::kConversationLeave},
    {"POST", "/api/v1/conversations/{id}/members", kCommand, CommandType::kConversationAdd},
    {"PATCH", "/api/v1/conversations/{id}/members/{user}", kCommand,
     CommandType::kConversationRole},
    {"DELETE", "/api/v1/conversations/{id}/members/{user}", kCommand,
     CommandType::kConversationRemove},
    {"PUT", "/api/v1/conversations/{id}/mute", kCommand, CommandType::kConversationMute},
    {"GET", "/api/v1/conversations/{id}/messages", kCommand, CommandType::kHistory},
    {"POST", "/api/v1/conversations/{id}/messages", kCommand, CommandType::kMessageSend},
    {"PATCH", "/api/v1/conversations/{id}/messages/{ref}", kCommand, CommandType::kMessageEdit},
    {"DELETE", "/api/v1/conversations/{id}/messages/{ref}", kCommand, CommandType::kMessageDelete},
    {"PUT", "/api/v1/conversations/{id}/messages/{ref}/reactions/{emoji}", kCommand,
     CommandType::kReactionAdd},
    {"DELETE", "/api/v1/conversations/{id}/messages/{ref}/reactions/{emoji}", kCommand,
     CommandType::kReactionRemove},
    {"POST", "/api/v1/conversations/{id}/delivered", kCommand, CommandType::kMessageDelivered},
    {"POST", "/api/v1/conversations/{id}/read", kCommand, CommandType::kMessageRead},
    {"POST", "/api/v1/conversations/{id}/typing", kCommand, CommandType::kTypingStart},
    {"POST", "/api/v1/conversations/{id}/events", kCommand, CommandType::kEventPublish},
});

std::string* place_of(std::string_view name, RestPath& path) {
  if (name == "{id}") return &path.conversation_id;
  if (name == "{ref}") return &path.message;
  if (name == "{user}") return &path.user_id;
  if (name == "{emoji}") return &path.emoji;
  return nullptr;
}

enum class Match : std::uint8_t { kNo, kYes, kBadEscape };

Match match(std::string_view pattern, const http::PathSegments& segments, RestPath& path) {
  const auto wanted = http::split_path(pattern);
  if (!wanted.ok() || wanted->size != segments.size) return Match::kNo;
  Match found = Match::kYes;
  for (std::size_t i = 0; i < segments.size; ++i) {
    std::string* place = place_of((*wanted)[i], path);
    if (place == nullptr) {
      if ((*wanted)[i] != segments[i]) return Match::kNo;
      continue;
    }
    if (segments[i].empty()) return Match::kNo;
    auto decoded = http::percent_decode(segments[i]);
    if (decoded.ok()) {
      *place = std::move(decoded.value());
    } else {
      found = Match::kBadEscape;
    }
  }
  return found;
}

}  // namespace

std::span<const RestRoute> rest_routes() {
  return kRoutes;
}

RouteMatch match_route(std::string_view method, std::string_view path) {
  RouteMatch result;
  if (method == "HEAD") method = "GET";
  const auto segments = http::split_path(path);
  if (!segments.ok()) return result;
  for (const RestRoute& route : kRoutes) {
    RestPath places;
    const Match found = match(route.pattern, *segments, places);
    if (found == Match::kNo) continue;
    result.path_known = true;
    if (route.method != method) continue;
    result.route = &route;
    result.bad_escape = found == Match::kBadEscape;
    result.path = std::move(places);
    return result;
  }
  return result;
}

std::string methods_of(std::string_view path) {
  std::string methods;
  const auto segments = http::split_path(path);
  if (!segments.ok()) return methods;
  for (const RestRoute& route : kRoutes) {
    RestPath places;
    if (match(route.pattern, *segments, places) == Match::kNo) continue;
    if (!methods.empty()) methods += ", ";
    methods += route.method == "GET" ? "GET, HEAD" : route.method;
  }
  return methods;
}

}  // namespace uproar::gateway
