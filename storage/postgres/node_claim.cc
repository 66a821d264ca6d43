#include "storage/postgres/node_claim.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include <libpq-fe.h>

#include "storage/postgres/failure.h"
#include "storage/postgres/limits.h"
#include "storage/postgres/node_lock.h"

namespace uproar::storage::postgres {
namespace {

constexpr const char* kAlone =
    "select pg_try_advisory_lock(" UPROAR_CLAIM_CLASS ", hashtext(current_schema()))";
constexpr const char* kShared =
    "select pg_try_advisory_lock_shared(" UPROAR_CLAIM_CLASS ", hashtext(current_schema()))";
constexpr const char* kHolders =
    "l.classid = " UPROAR_CLAIM_CLASS "::oid and " UPROAR_CLAIM_OF_SCHEMA;

}  // namespace

Result<AdminSession, SystemError> NodeClaim::claim(const ServerOptions& options, Kind kind,
                                                   std::uint32_t wait_ms) {
  auto session = AdminSession::open(options, kAnswerTimeoutMs, wait_ms);
  if (!session.ok()) return session;
  for (std::uint32_t waited_ms = 0;; waited_ms += kClaimRetryMs) {
    const std::string got = session->value(kind == Kind::kAlone ? kAlone : kShared);
    if (!session->ok()) return Err{session->error()};
    if (got == "t" && options.digest == 0) return session;
    if (got == "t") {
      session->run(enter_database(options.digest, kind == Kind::kAlone).c_str());
      if (session->ok()) return session;
      // Its claim has ended, and another session of it works still.
      if (!is_in_use(session->error()) || waited_ms >= wait_ms) return Err{session->error()};
      session = AdminSession::open(options, kAnswerTimeoutMs, wait_ms);
      if (!session.ok()) return session;
    }
    if (waited_ms >= wait_ms) break;
    poll(nullptr, 0, static_cast<int>(kClaimRetryMs));
  }
  const std::string others = session->value(holders_of(kHolders).c_str());
  return Err{SystemError{
      .operation = "open",
      .subject =
          describe_server(options.url) + ": another node is on this database (" + others + ")",
      .code = 0,
      .hint =
          kind == Kind::kAlone
              ? "stop it, or give all nodes a bus: without one their clients do not hear each other"
              : "stop the node that has no bus, or give it one"}};
}

Result<std::unique_ptr<NodeClaim>, SystemError> NodeClaim::take(ServerOptions options, Kind kind,
                                                                Health& health) {
  auto session = claim(options, kind, kClaimWaitMs);
  if (!session.ok()) return Err{session.error()};
  const int stop_fd = eventfd(0, EFD_CLOEXEC);
  if (stop_fd < 0)
    return Err{SystemError{.operation = "eventfd", .subject = {}, .code = errno, .hint = {}}};
  return std::unique_ptr<NodeClaim>(
      new NodeClaim(std::move(options), kind, health, std::move(session).value(), stop_fd));
}

NodeClaim::NodeClaim(ServerOptions options, Kind kind, Health& health, AdminSession session,
                     int stop_fd)
    : options_(std::move(options)),
      kind_(kind),
      health_(health),
      session_(std::move(session)),
      stop_fd_(stop_fd),
      thread_([this] { run(); }) {}

NodeClaim::~NodeClaim() {
  const std::uint64_t one = 1;
  (void)!::write(stop_fd_, &one, sizeof(one));
  thread_.join();
  close(stop_fd_);
  if (!is_held()) health_.recovered();
}

bool NodeClaim::wait_for_end_of_session(int timeout_ms) {
  pollfd fds[2] = {
      {.fd = stop_fd_, .events = POLLIN, .revents = 0},
      {.fd = is_held() ? PQsocket(session_.connection()) : -1, .events = POLLIN, .revents = 0}};
  poll(fds, 2, timeout_ms);
  return (fds[0].revents & POLLIN) != 0;
}

void NodeClaim::run() {
  while (!wait_for_end_of_session(is_held() ? -1 : static_cast<int>(kProbeIntervalMs))) {
    if (is_held()) {
      // Nobody talks on this session but the server: what comes is a notice, or the end.
      if (PQconsumeInput(session_.connection()) == 1 &&
          PQstatus(session_.connection()) == CONNECTION_OK) {
        continue;
      }
      const char* why = PQerrorMessage(session_.connection());
      health_.say(describe_failure(options_.url, "talk to", why).text());
      health_.fell_sick();
      is_held_.store(false, std::memory_order_release);
    }
    auto again = claim(options_, kind_, 0);
    if (!again.ok()) {
      health_.say(again.error().text());
      continue;
    }
    session_ = std::move(again).value();
    is_held_.store(true, std::memory_order_release);
    health_.recovered();
  }
}

}  // namespace uproar::storage::postgres
