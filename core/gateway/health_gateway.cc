#include "core/gateway/health_gateway.h"

#include <utility>

#include "core/gateway/operator_answers.h"

namespace uproar::gateway {
namespace {

// A canary gives up after two seconds; a deaf shard never answers.
constexpr std::uint32_t kRoundDeadlineMs = 3000;

std::string_view name_of(storage::BusState state) {
  return state == storage::BusState::kUp     ? "up"
         : state == storage::BusState::kDown ? "down"
                                             : "uncertain";
}

}  // namespace

HealthGateway::HealthGateway(Parts parts) : parts_(std::move(parts)) {}

bool HealthGateway::on_request(net::ConnectionId connection, const http::Request& request) {
  const bool asks_ready = request.path == "/readyz";
  if (!asks_ready && request.path != "/healthz") return false;
  if (refuse_other_methods(parts_.net, connection, request)) return true;
  if (asks_ready) {
    ready(connection);
  } else {
    answer_operator(parts_.net, connection, 200, R"({"status":"alive"})");
  }
  return true;
}

void HealthGateway::ready(net::ConnectionId connection) {
  if (parts_.draining())
    return answer_operator(parts_.net, connection, 503, R"({"status":"draining"})");
  if (parts_.now.monotonic_us < fresh_until_us_) return tell(connection);
  waiting_.push_back(connection);
  if (waiting_.size() > 1) return;
  ++round_;
  answers_.clear();
  deadline_ = parts_.reactor.arm_timer(kRoundDeadlineMs, [this, round = round_] {
    if (round == round_ && !waiting_.empty()) conclude(false);
  });
  const auto self = static_cast<std::uint16_t>(parts_.link.self());
  for (std::uint32_t shard = 0; shard < parts_.link.shard_count(); ++shard) {
    parts_.link.post(shard, CanaryAsked{.from_shard = self, .round = round_});
  }
}

void HealthGateway::asked(const CanaryAsked& asked) {
  parts_.canary.ask([this, asked](Canary::Verdict verdict) {
    parts_.link.post(asked.from_shard,
                     CanaryAnswered{.shard = static_cast<std::uint16_t>(parts_.link.self()),
                                    .round = asked.round,
                                    .receive_path = verdict.receive_path,
                                    .store = verdict.store,
                                    .bus = parts_.bus_state()});
  });
}

void HealthGateway::answered(const CanaryAnswered& answer) {
  if (answer.round != round_ || waiting_.empty()) return;
  answers_.push_back(answer);
  if (answers_.size() == parts_.link.shard_count()) conclude(true);
}

void HealthGateway::conclude(bool all_answered) {
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
  status_ = ready ? 200 : 503;
  report_ = std::string(R"({"status":)") +
            (!ready         ? R"("not_ready")"
             : hears_others ? R"("ready")"
                            : R"("degraded")") +
            R"(,"shards":[)" + shards + R"(],"shards_expected":)" +
            std::to_string(parts_.link.shard_count()) + "}";
  fresh_until_us_ = parts_.now.monotonic_us + std::int64_t{kReportFreshMs} * 1000;
  for (const net::ConnectionId connection : std::exchange(waiting_, {})) tell(connection);
}

void HealthGateway::tell(net::ConnectionId connection) {
  answer_operator(parts_.net, connection, status_, report_);
}

}  // namespace uproar::gateway
