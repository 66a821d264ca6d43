#include "core/gateway/admin_gateway.h"

#include <utility>

#include "core/gateway/event_gateway.h"
#include "core/gateway/request_table.h"
#include "proto/chat/json_writer.h"

namespace uproar::gateway {
namespace {
// A canary gives up after two seconds; a deaf shard never answers.
constexpr std::uint32_t kRoundDeadlineMs = 3000;

constexpr std::string_view kNodesPath = "/api/v1/admin/nodes";

std::string_view name_of(storage::NodeState state) {
  return state == storage::NodeState::kLive ? "live" : "draining";  // who is leaving is not listed
}

std::string_view name_of(storage::BusState state) {
  return state == storage::BusState::kUp     ? "up"
         : state == storage::BusState::kDown ? "down"
                                             : "uncertain";
}
}  // namespace

AdminGateway::AdminGateway(Parts parts) : parts_(std::move(parts)) {}

bool AdminGateway::on_request(net::ConnectionId connection, const http::Request& request) {
  if (request.path != "/healthz" && request.path != "/readyz" && request.path != "/metrics" &&
      request.path != kNodesPath)
    return false;
  if (request.method != "GET" && request.method != "HEAD") {
    const chat::Error refusal{
        .code = chat::ErrorCode::kMethodNotAllowed, .detail = {}, .retry_after_ms = 0};
    answer_operator(connection, 405, error_body(refusal), "GET, HEAD");
    return true;
  }
  if (request.path == "/healthz") {
    answer_operator(connection, 200, R"({"status":"alive"})");
    return true;
  }
  if (request.path == "/readyz") {
    ready(connection);
    return true;
  }
  if (request.path == kNodesPath) {
    list_nodes(connection);
    return true;
  }
  const std::string metrics = parts_.render_metrics();
  (void)parts_.net.respond(connection,
                           net::Reply{.status = 200,
                                      .content_type = "text/plain; version=0.0.4; charset=utf-8",
                                      .body = metrics,
                                      .headers = {},
                                      .close = false,
                                      .shared = false});
  return true;
}

// Not for pages of other origins, listed or not: what they are listed for is the API.
void AdminGateway::answer_operator(net::ConnectionId connection, int status, std::string_view body,
                                   std::string_view allow) {
  respond_json(parts_.net, connection,
               {.status = status, .body = body, .allow = allow, .shared = false});
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
  answer_operator(connection, 200, json.text());
}

void AdminGateway::ready(net::ConnectionId connection) {
  if (parts_.draining()) {
    return answer_operator(connection, 503, R"({"status":"draining"})");
  }
  waiting_.push_back(connection);
  if (waiting_.size() > 1) return;
  ++round_;
  answers_.clear();
  deadline_ = parts_.reactor.arm_timer(kRoundDeadlineMs, [this, round = round_] {
    if (round == round_ && !waiting_.empty()) report(false);
  });
  const auto self = static_cast<std::uint16_t>(parts_.link.self());
  for (std::uint32_t shard = 0; shard < parts_.link.shard_count(); ++shard) {
    parts_.link.post(shard, CanaryAsked{.from_shard = self, .round = round_});
  }
}

void AdminGateway::asked(const CanaryAsked& asked) {
  parts_.canary.ask([this, asked](Canary::Verdict verdict) {
    parts_.link.post(asked.from_shard,
                     CanaryAnswered{.shard = static_cast<std::uint16_t>(parts_.link.self()),
                                    .round = asked.round,
                                    .receive_path = verdict.receive_path,
                                    .store = verdict.store,
                                    .bus = parts_.bus_state()});
  });
}

void AdminGateway::answered(const CanaryAnswered& answer) {
  if (answer.round != round_ || waiting_.empty()) return;
  answers_.push_back(answer);
  if (answers_.size() == parts_.link.shard_count()) report(true);
}

void AdminGateway::report(bool all_answered) {
  parts_.reactor.cancel_timer(deadline_);
  bool ready = all_answered;
  bool hears_others = true;  // without them it serves its own clients all the same
  std::string shards;
  for (const CanaryAnswered& answer : answers_) {
    ready = ready && answer.receive_path && answer.store;
    if (!shards.empty()) shards += ',';
    shards += R"({"shard":)" + std::to_string(answer.shard) + R"(,"receive_path":)" +
              (answer.receive_path ? "true" : "false") + R"(,"store":)" +
              (answer.store ? "true" : "false");
    if (answer.bus) shards += R"(,"bus":")" + std::string(name_of(*answer.bus)) + '"';
    shards += '}';
    hears_others = hears_others && (!answer.bus || *answer.bus == storage::BusState::kUp);
  }
  const std::string body = std::string(R"({"status":)") +
                           (!ready         ? R"("not_ready")"
                            : hears_others ? R"("ready")"
                                           : R"("degraded")") +
                           R"(,"shards":[)" + shards + R"(],"shards_expected":)" +
                           std::to_string(parts_.link.shard_count()) + "}";
  for (const net::ConnectionId connection : std::exchange(waiting_, {})) {
    answer_operator(connection, ready ? 200 : 503, body);
  }
}

}  // namespace uproar::gateway
