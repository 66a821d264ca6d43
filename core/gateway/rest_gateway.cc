#include "core/gateway/rest_gateway.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/gateway/assets.h"
#include "core/gateway/door.h"
#include "core/gateway/limits.h"
#include "proto/auth/names.h"
#include "proto/http/chars.h"
#include "proto/http/target.h"

namespace uproar::gateway {
namespace {

chat::UserProfile profile_of(const storage::User& user) {
  return {.user = user.id,
          .name = user.name,
          .created_at_us = user.created_at_us,
          .last_online_us = 0,  // presence.get tells it to whom may know
          .online = false,
          .shows_status = false};
}

}  // namespace

RestGateway::RestGateway(Parts parts) : parts_(std::move(parts)) {
  parts_.accounts.on_session_ended(
      [this](SessionId session, UserId user) { end_session(session, user); });
  parts_.accounts.on_second_holder([this] { counters_.refreshes_of_second_holders.add(); });
}

void RestGateway::end_session(SessionId session, UserId user) {
  const SessionRevoked revocation{.session = session, .user = user, .at_us = parts_.now.wall_us};
  for (std::uint32_t shard = 0; shard < parts_.link.shard_count(); ++shard) {
    parts_.link.post(shard, revocation);
  }
  if (parts_.publisher != nullptr) parts_.publisher->publish_revoked(revocation);
}

void RestGateway::on_request(net::ConnectionId connection, const http::Request& request) {
  if (!request.path.starts_with("/api/") && request.path != "/login") {
    return static_file(connection, request);
  }
  const RouteMatch match = match_route(request.method, request.path);
  if (match.route == nullptr) {
    if (match.path_known && request.method == "OPTIONS" &&
        request.headers.find("Access-Control-Request-Method").has_value() &&
        parts_.net.from_listed_origin(connection)) {
      return preflight(connection, request);
    }
    if (match.path_known) return refuse_method(connection, methods_of(request.path));
    return refuse(connection, error(chat::ErrorCode::kNotFound));
  }
  if (match.bad_escape) {
    const auto claims = authenticate(request);
    if (!claims.ok()) return refuse_stranger(connection, request, claims.error());
    return refuse(connection, error(chat::ErrorCode::kInvalidField,
                                    "an id, seq or emoji in the path is badly escaped"));
  }
  switch (match.route->action) {
    case RestAction::kRegister:
    case RestAction::kLogin:
    case RestAction::kRefresh:
      return account(connection, request, match.route->action);
    case RestAction::kCommand:
      return command(connection, request, match);
    case RestAction::kLogout:
      return with_caller(connection, request,
                         [this, connection](Caller caller) { logout(connection, caller); });
    case RestAction::kMe:
      return with_caller(connection, request, [this, connection](Caller caller) {
        show_user(connection, caller, caller.user);
      });
    case RestAction::kFindUser:
      return with_caller(
          connection, request,
          [this, connection, name = parameter(request, query::kName)](Caller caller) {
            if (!name.ok()) return refuse(connection, name.error());
            if (!name.value())
              return refuse(connection, error(chat::ErrorCode::kMissingField,
                                              "name: expected the name of a user, got nothing"));
            find_user(connection, caller, *name.value());
          });
    case RestAction::kUser:
      return with_caller(
          connection, request,
          [this, connection, user = UserId::parse(match.path.user_id)](Caller caller) {
            if (!user)
              return refuse(connection, error(chat::ErrorCode::kInvalidField,
                                              "user_id: expected a UUID, got another string"));
            show_user(connection, caller, *user);
          });
  }
}

void RestGateway::refuse(net::ConnectionId connection, const chat::Error& failure,
                         bool token_refused) {
  const std::string body = error_body(failure);
  respond_json(parts_.net, connection,
               {.status = chat::error_info(failure.code).http_status,
                .body = body,
                .retry_after_ms = failure.retry_after_ms,
                .token_refused = token_refused});
}

void RestGateway::refuse_stranger(net::ConnectionId connection, const http::Request& request,
                                  const chat::Error& failure) {
  const bool gave_token = !bearer_token(request).empty();
  if (gave_token) parts_.events.count_refused_token();
  refuse(connection, failure, gave_token);
}

void RestGateway::refuse_method(net::ConnectionId connection, std::string_view allowed) {
  const std::string body = error_body(error(chat::ErrorCode::kMethodNotAllowed));
  respond_json(parts_.net, connection, {.status = 405, .body = body, .allow = allowed});
}

void RestGateway::preflight(net::ConnectionId connection, const http::Request& request) {
  const std::string methods = methods_of(request.path);
  const std::array<net::ReplyHeader, 3> headers{{
      {"Access-Control-Allow-Methods", methods},
      {"Access-Control-Allow-Headers", "Authorization, Content-Type"},
      {"Access-Control-Max-Age",
       "7200"},  // two hours: no browser of the Chromium family remembers it for longer
  }};
  (void)parts_.net.respond(
      connection,
      net::Reply{
          .status = 204, .content_type = {}, .body = {}, .headers = headers, .close = false});
}

void RestGateway::refuse_waiting(const chat::Endpoint& waiting, const chat::Error& failure) {
  parts_.outbox.reply(waiting, {}, failure);
}

template <class Answer>
void RestGateway::answer(const chat::Endpoint& waiting, const Answer& body, int status,
                         std::string set_cookie) {
  chat::JsonWriter json;
  chat::encode(body, json);
  parts_.outbox.deliver(AnswerRequest{.slot = waiting.slot,
                                      .generation = waiting.generation,
                                      .status = status,
                                      .retry_after_ms = 0,
                                      .body = std::string(json.text()),
                                      .set_cookie = std::move(set_cookie)});
}

std::optional<chat::Endpoint> RestGateway::wait_charged(net::ConnectionId connection, UserId user) {
  const auto waiting = wait(connection);
  if (!waiting) return std::nullopt;
  if (!parts_.chat.admit_request({.user = user, .from = *waiting, .request = {}}, parts_.now)) {
    return std::nullopt;
  }
  return waiting;
}

std::optional<chat::Endpoint> RestGateway::wait(net::ConnectionId connection) {
  auto waiting = parts_.requests.add(connection);
  if (!waiting) refuse(connection, busy());
  return waiting;
}

Result<auth::Claims, chat::Error> RestGateway::authenticate(const http::Request& request) {
  const std::string_view token = bearer_token(request);
  if (token.empty())
    return Err{error(chat::ErrorCode::kUnauthorized, "send Authorization: Bearer <access_token>")};
  auto claims = parts_.verifier.verify(token, parts_.now);
  if (!claims.ok()) return Err{error(auth::error_code_of(claims.error()))};
  const auto session = SessionId::parse(claims->sid);
  if (session && parts_.revocations.contains(*session))
    return Err{error(chat::ErrorCode::kTokenRevoked)};
  return std::move(claims.value());
}

void RestGateway::with_caller(net::ConnectionId connection, const http::Request& request,
                              std::function<void(Caller)> go) {
  auto claims = authenticate(request);
  if (!claims.ok()) return refuse_stranger(connection, request, claims.error());
  const auto session = SessionId::parse(claims->sid);
  const Caller caller{.user = claims->user, .session = session.value_or(SessionId{})};
  if (parts_.known_users.contains(caller.user)) return go(caller);
  parts_.store.directory().ensure_user(
      caller.user, auth::display_name(claims->name), parts_.now.wall_us,
      [this, connection, caller,
       go = std::move(go)](const Result<storage::User, storage::StoreError>& made) {
        if (!made.ok()) return refuse(connection, error_of(made.error()));
        parts_.known_users.add(caller.user);
        go(caller);
      });
}

std::string RestGateway::told_url(const http::Request& request) {
  if (const std::string& node = parts_.nodes.next_url(); !node.empty()) return node;
  if (!parts_.advertised_url.empty()) return parts_.advertised_url;
  if (auto url = parts_.login_address.url_at(request.authority)) return std::move(*url);
  counters_.unknown_hosts.add();
  return parts_.login_address.usual_url();
}

bool RestGateway::came_over_https(const http::Request& request) const {
  const auto origin = request.headers.find("Origin");
  return parts_.advertised_url.starts_with("wss://") ||
         (origin && http::equals_ignoring_case(origin->substr(0, 8), "https://"));
}

void RestGateway::account(net::ConnectionId connection, const http::Request& request,
                          RestAction action) {
  const auto waiting = wait(connection);
  if (!waiting) return;
  const auto agent = request.headers.find("User-Agent");
  Accounts::Caller caller{.address = parts_.net.client_address(connection),
                          .device = std::string(agent.value_or("").substr(0, 128)),
                          .ws_url = told_url(request) + "/ws",
                          .known = parts_.devices.read(request.headers, parts_.now)};
  const int status = action == RestAction::kRegister ? 201 : 200;
  auto answered =
      [this, waiting = *waiting, status, action, device = caller.known,
       over_https = came_over_https(request)](const Result<chat::SignedIn, chat::Error>& result) {
        count(action, result);
        if (!result.ok()) return refuse_waiting(waiting, result.error());
        const AccountTag account = parts_.devices.tag(result->name);
        answer(waiting, result.value(), status,
               parts_.devices.write(device, account, over_https, parts_.now));
      };
  PaddedBytes body(request.body);
  if (action == RestAction::kRegister) {
    auto decoded = parts_.decoder.decode_register(body.bytes());
    if (!decoded.ok()) return refuse_waiting(*waiting, decoded.error());
    return parts_.accounts.sign_up(std::move(decoded.value()), std::move(caller),
                                   std::move(answered));
  }
  if (action == RestAction::kLogin) {
    auto decoded = parts_.decoder.decode_login(body.bytes());
    if (!decoded.ok()) return refuse_waiting(*waiting, decoded.error());
    return parts_.accounts.login(std::move(decoded.value()), std::move(caller),
                                 std::move(answered));
  }
  auto decoded = parts_.decoder.decode_refresh(body.bytes());
  if (!decoded.ok()) return refuse_waiting(*waiting, decoded.error());
  parts_.accounts.refresh(std::move(decoded.value()), std::move(caller), std::move(answered));
}

void RestGateway::count(RestAction action, const Result<chat::SignedIn, chat::Error>& result) {
  struct Kind {
    Counter& granted;
    Counter& refused;
  };
  const Kind kind = action == RestAction::kRegister
                        ? Kind{counters_.registrations, counters_.registrations_refused}
                    : action == RestAction::kLogin
                        ? Kind{counters_.logins, counters_.logins_refused}
                        : Kind{counters_.refreshes, counters_.refreshes_refused};
  if (result.ok()) return kind.granted.add();
  switch (result.error().code) {
    case chat::ErrorCode::kRateLimited:
      return counters_.limited.add();
    case chat::ErrorCode::kOverloaded:
    case chat::ErrorCode::kUnavailable:
      return counters_.unserved.add();
    default:
      return kind.refused.add();
  }
}

void RestGateway::logout(net::ConnectionId connection, Caller caller) {
  if (caller.session.is_nil()) return refuse(connection, nothing_to_log_out_of());
  const auto waiting = wait(connection);
  if (!waiting) return;
  parts_.accounts.logout(caller.session,
                         [this, waiting = *waiting, caller](Result<bool, chat::Error> done) {
                           if (!done.ok()) return refuse_waiting(waiting, done.error());
                           end_session(caller.session, caller.user);
                           parts_.outbox.deliver(AnswerRequest{.slot = waiting.slot,
                                                               .generation = waiting.generation,
                                                               .status = 204,
                                                               .retry_after_ms = 0,
                                                               .body = {}});
                         });
}

void RestGateway::command(net::ConnectionId connection, const http::Request& request,
                          const RouteMatch& match) {
  if (parts_.link.congested()) {
    return refuse(connection, busy());
  }
  auto claims =
      authenticate(request);  // before the body: strangers learn nothing from errors in it
  if (!claims.ok()) return refuse_stranger(connection, request, claims.error());
  const auto limit = parameter(request, query::kLimit);
  const auto before_seq = parameter(request, query::kBeforeSeq);
  const auto after_seq = parameter(request, query::kAfterSeq);
  const auto after = parameter(request, query::kAfter);
  for (const auto* value : {&limit, &before_seq, &after_seq, &after}) {
    if (!value->ok()) return refuse(connection, value->error());
  }
  const chat::RouteFields fields{.conversation_id = match.path.conversation_id,
                                 .message = match.path.message,
                                 .user_id = match.path.user_id,
                                 .emoji = match.path.emoji,
                                 .limit = limit.value(),
                                 .before_seq = before_seq.value(),
                                 .after_seq = after_seq.value(),
                                 .after = after.value()};
  PaddedBytes body(request.body);
  auto decoded =
      parts_.decoder.decode_fields(match.route->command, fields, body.bytes(), parts_.now);
  if (!decoded.ok()) return refuse(connection, decoded.error().error);
  const auto* sync = std::get_if<chat::Sync>(&decoded->event);
  if (sync != nullptr && sync->cursors.size() > kRestSyncConversationsMax) {
    static_assert(kRestSyncConversationsMax == 50);
    return refuse(connection, error(chat::ErrorCode::kTooLarge,
                                    {"cursors", "at most 50 conversations over REST",
                                     chat::Got::kItems, sync->cursors.size()}));
  }
  const bool is_collected =
      sync != nullptr || std::holds_alternative<chat::UnreadFetch>(decoded->event);
  with_caller(connection, request,
              [this, connection, event = std::move(decoded->event), is_collected](Caller caller) {
                const auto waiting = wait(connection);
                if (!waiting) return;
                if (is_collected) parts_.requests.collect(*waiting);
                parts_.chat.apply({.actor = {.user = caller.user, .from = *waiting, .request = {}},
                                   .event = event},
                                  parts_.now);
              });
}

void RestGateway::show_user(net::ConnectionId connection, Caller caller, UserId user) {
  const auto waiting = wait_charged(connection, caller.user);
  if (!waiting) return;
  parts_.store.directory().find_users(
      {user},
      [this, waiting = *waiting](Result<std::vector<storage::User>, storage::StoreError> found) {
        if (!found.ok()) return refuse_waiting(waiting, error_of(found.error()));
        if (found->empty()) return refuse_waiting(waiting, error(chat::ErrorCode::kNotFound));
        answer(waiting, profile_of(found->front()));
      });
}

void RestGateway::find_user(net::ConnectionId connection, Caller caller, const std::string& name) {
  const auto normal = auth::normalize_name(name);
  if (!normal) return refuse(connection, error(chat::ErrorCode::kInvalidField, auth::kNameRule));
  const auto waiting = wait_charged(connection, caller.user);
  if (!waiting) return;
  parts_.store.directory().find_user_by_name(
      *normal, [this, waiting = *waiting](Result<storage::User, storage::StoreError> found) {
        chat::UserList list;
        if (found.ok()) {
          list.users.push_back(profile_of(found.value()));
        } else if (found.error() != storage::StoreError::kNotFound) {
          return refuse_waiting(waiting, error_of(found.error()));
        }
        answer(waiting, list);
      });
}

// ---- the page and the documents -----------------------------------------------------------------------------------

void RestGateway::static_file(net::ConnectionId connection, const http::Request& request) {
  const Asset* asset = find_asset(request.path);
  if (asset == nullptr) return refuse(connection, error(chat::ErrorCode::kNotFound));
  if (request.method != "GET" && request.method != "HEAD") {
    return refuse_method(connection, "GET, HEAD");
  }
  const std::array<net::ReplyHeader, 4> headers{{
      {"ETag", asset->etag},
      {"Cache-Control", "no-cache"},
      {"Content-Security-Policy",
       "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; frame-ancestors "
       "'none'; base-uri 'none'"},
      {"X-Content-Type-Options", "nosniff"},
  }};
  const auto known = request.headers.find("If-None-Match");
  const bool fresh = known && etag_matches(*known, asset->etag);
  (void)parts_.net.respond(connection, net::Reply{.status = fresh ? 304 : 200,
                                                  .content_type = asset->content_type,
                                                  .body = fresh ? std::string_view{} : asset->bytes,
                                                  .headers = headers,
                                                  .close = false});
}

}  // namespace uproar::gateway
