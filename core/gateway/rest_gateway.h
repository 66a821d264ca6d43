#pragma once

// HTTP requests other than upgrades: REST commands into the domain, accounts, people, the page and the documents.
// Health is HealthGateway's, what operators ask AdminGateway's.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/chat/chat_shard.h"
#include "core/gateway/accounts.h"
#include "core/gateway/device_cookie.h"
#include "core/gateway/event_gateway.h"
#include "core/gateway/event_outbox.h"
#include "core/gateway/known_users.h"
#include "core/gateway/login_address.h"
#include "core/gateway/nodes.h"
#include "core/gateway/request_table.h"
#include "core/gateway/rest_routes.h"
#include "core/gateway/revocations.h"
#include "core/gateway/shard_parcel.h"
#include "core/net/shard_net.h"
#include "proto/base/counters.h"
#include "proto/chat/client_event_decoder.h"
#include "storage/store.h"

namespace uproar::gateway {

// How it went with the routes that give tokens. What a request itself got wrong (its JSON, its fields) is not counted.
struct AccountCounters {
  Counter registrations;
  Counter registrations_refused;  // name or password against the rules, name taken
  Counter logins;
  Counter logins_refused;
  Counter refreshes;
  Counter refreshes_refused;
  Counter refreshes_of_second_holders;  // with a token that was used just before
  Counter limited;  // any of the three: too many of them from the address or for the account
  // Any of the three: passwords wait in a queue that is full, or the store is down.
  Counter unserved;
  Counter unknown_hosts;  // any of the three: told the usual address, as Host is no name of ours
};

class RestGateway {
 public:
  struct Parts {  // all outlive the gateway
    net::ShardNet& net;
    EventOutbox& outbox;
    RequestTable& requests;
    chat::ChatShard& chat;
    chat::ClientEventDecoder& decoder;
    storage::StoreClient& store;
    const auth::TokenVerifier& verifier;
    Accounts& accounts;
    const DeviceCookies& devices;
    Revocations& revocations;
    KnownUsers& known_users;
    ShardLink& link;
    EventGateway& events;  // counts refused tokens
    const Now& now;
    NodePublisher* publisher;    // null: this node is alone
    Nodes& nodes;                // where logins are sent
    std::string advertised_url;  // alone: "wss://chat.example.com"; empty: as login_address says
    LoginAddress login_address;
  };

  explicit RestGateway(Parts parts);

  // Answers every request it is given, sooner or later.
  void on_request(net::ConnectionId connection, const http::Request& request);

  [[nodiscard]] const AccountCounters& counters() const { return counters_; }

 private:
  struct Caller {
    UserId user;
    SessionId session;
  };

  [[nodiscard]] Result<auth::Claims, chat::Error> authenticate(const http::Request& request);
  // The user behind the token is in the store; then `go` runs.
  void with_caller(net::ConnectionId connection, const http::Request& request,
                   std::function<void(Caller)> go);
  void account(net::ConnectionId connection, const http::Request& request, RestAction action);
  // Where whoever asks for tokens is told to connect: a base URL.
  [[nodiscard]] std::string told_url(const http::Request& request);
  // As far as can be seen from here: a page of https asks, or clients are told to come by wss.
  [[nodiscard]] bool came_over_https(const http::Request& request) const;
  void count(RestAction action, const Result<chat::SignedIn, chat::Error>& result);
  // Every shard refuses its tokens, and its live connections are closed, wherever they are.
  void end_session(SessionId session, UserId user);
  void logout(net::ConnectionId connection, Caller caller);
  void command(net::ConnectionId connection, const http::Request& request, const RouteMatch& match);
  void show_user(net::ConnectionId connection, Caller caller, UserId user);
  void find_user(net::ConnectionId connection, Caller caller, const std::string& name);
  void static_file(net::ConnectionId connection, const http::Request& request);
  void refuse(net::ConnectionId connection, const chat::Error& error, bool token_refused = false);
  // Who gave no token, or a bad one.
  void refuse_stranger(net::ConnectionId connection, const http::Request& request,
                       const chat::Error& error);
  // Whether a page of another origin may go ahead with what it means to ask (Fetch standard, "CORS-preflight request").
  void preflight(net::ConnectionId connection, const http::Request& request);
  void refuse_method(net::ConnectionId connection, std::string_view allowed);
  void refuse_waiting(const chat::Endpoint& waiting, const chat::Error& error);
  template <class Answer>
  void answer(const chat::Endpoint& waiting, const Answer& body, int status = 200,
              std::string set_cookie = {});
  // A waiting slot, or the request is refused as overloaded and nullopt comes back.
  [[nodiscard]] std::optional<chat::Endpoint> wait(net::ConnectionId connection);
  // The same for what the store answers without the domain: counts against the user's rate, too.
  [[nodiscard]] std::optional<chat::Endpoint> wait_charged(net::ConnectionId connection,
                                                           UserId user);

  Parts parts_;
  AccountCounters counters_;
};

}  // namespace uproar::gateway
