#include "core/gateway/admin_gateway.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <utility>

#include "core/gateway/login_address.h"
#include "core/gateway/operator_answers.h"
#include "proto/base/weakness.h"
#include "proto/chat/json_writer.h"

namespace uproar::gateway {
namespace {

constexpr std::string_view kMetricsPath = "/metrics";
constexpr std::string_view kNodesPath = "/api/v1/admin/nodes";

std::string_view name_of(storage::NodeState state) {
  return state == storage::NodeState::kLive ? "live" : "draining";  // who is leaving is not listed
}

}  // namespace

AdminGateway::AdminGateway(Parts parts)
    : parts_(std::move(parts)), scrapes_(parts_.connections_max) {}

bool AdminGateway::may_ask(const http::Request& request) const {
  if (parts_.hosts == Hosts::kAny || request.authority.empty()) return true;  // no browser's
  const auto host = normal_host(request.authority);
  if (!host) return false;
  in_addr ignored{};
  return host->front() == '[' || host == "localhost" ||
         inet_pton(AF_INET, host->c_str(), &ignored) == 1;
}

void AdminGateway::on_request(net::ConnectionId connection, const http::Request& request) {
  if (!may_ask(request)) {
    parts_.counters.strangers.add();
    return answer_operator(parts_.net, connection, 403,
                           error_body(error(chat::ErrorCode::kForbidden)));
  }
  const bool asks_metrics = request.path == kMetricsPath;
  if (!asks_metrics && request.path != kNodesPath)
    return answer_operator(parts_.net, connection, 404,
                           error_body(error(chat::ErrorCode::kNotFound)));
  if (refuse_other_methods(parts_.net, connection, request)) return;
  if (asks_metrics) return scrapes_.add(connection);
  list_nodes(connection);
}

void AdminGateway::on_tick(const Now& now) {
  if (scrapes_.is_empty()) return;
  if (!weakened(Weakness::kScrapeStorm) && now.monotonic_us < scrapes_.due_us()) return;
  parts_.counters.renderings.add();
  const std::string text = parts_.render_metrics();
  for (const net::ConnectionId connection : scrapes_.take(now.monotonic_us)) {
    const bool is_there = parts_.net.respond(
        connection, net::Reply{.status = 200,
                               .content_type = "text/plain; version=0.0.4; charset=utf-8",
                               .body = text,
                               .headers = {},
                               .close = false,
                               .shared = false});
    if (is_there) parts_.counters.scrapes.add();
  }
}

void AdminGateway::list_nodes(net::ConnectionId connection) {
  chat::JsonWriter json;
  json.raw(std::string_view(R"({"nodes":[)"));
  std::string_view comma;
  for (const storage::NodeRecord& node : parts_.nodes.all()) {
    json.raw(comma);
    comma = ",";
    json.raw(std::string_view(R"({"id":)"));
    json.uuid(node.id);
    json.raw(std::string_view(R"(,"name":)"));
    json.string(node.name);
    json.raw(std::string_view(R"(,"url":)"));
    json.string(node.url);
    json.raw(std::string_view(R"(,"shards":)"));
    json.number(node.shards);
    json.raw(std::string_view(R"(,"started_at":)"));
    json.time(node.started_us);
    json.raw(std::string_view(R"(,"state":)"));
    json.string(name_of(parts_.nodes.is_self(node) && parts_.draining()
                            ? storage::NodeState::kDraining
                            : node.state));
    json.raw(std::string_view(R"(,"self":)"));
    json.boolean(parts_.nodes.is_self(node));
    json.raw('}');
  }
  json.raw(std::string_view("]}"));
  answer_operator(parts_.net, connection, 200, json.text());
}

}  // namespace uproar::gateway
