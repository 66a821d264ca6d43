#include "storage/postgres/connector.h"

#include <poll.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <libpq-fe.h>

#include "storage/postgres/failure.h"
#include "storage/postgres/limits.h"
#include "storage/postgres/node_lock.h"
#include "storage/postgres/patience.h"
#include "storage/postgres/statements.h"

namespace uproar::storage::postgres {
namespace {

// Plans are pinned to what every one of our statements wants, index look-ups in a nested loop: a plan that was made
// while a table was small would otherwise stay, and read the whole of it when it has grown.
constexpr const char* kSessionSetup = R"sql(
set client_encoding = 'UTF8';
set client_min_messages = warning;
set plan_cache_mode = force_generic_plan;
set jit = off;
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off;
set enable_material = off;
set client_connection_check_interval = 1000;
-- D1: an operator may ask for more than the local disk (remote_apply), never for less.
select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') in ('off');
)sql";

// Reads answers until `is_last(result)`, null ones included; the first failure is the outcome.
template <class IsLast>
Result<void, SystemError> finish(PGconn* connection, const ServerOptions& options,
                                 const char* operation, IsLast is_last) {
  const Patience patience(options.connect_timeout_s * 1000);
  Result<void, SystemError> outcome;
  while (true) {
    const std::optional<PGresult*> next = patience.next_result(connection);
    if (!next) return Err{describe_failure(options.url, operation, "no answer in time")};
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(*next, &PQclear);
    if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR && result && outcome.ok()) {
      outcome = Err{describe_failure(options.url, operation, failure_of(result.get()))};
    }
    if (PQstatus(connection) != CONNECTION_OK) {
      if (!outcome.ok()) return outcome;
      return Err{describe_failure(options.url, operation, PQerrorMessage(connection))};
    }
    if (is_last(result.get())) return outcome;
  }
}

Result<void, SystemError> run(PGconn* connection, const ServerOptions& options, const char* sql) {
  PQsendQuery(connection, sql);
  return finish(connection, options, "set up a session",
                [](const PGresult* result) { return result == nullptr; });
}

// All in one round trip.
Result<void, SystemError> prepare(PGconn* connection, const ServerOptions& options,
                                  std::span<const char* const> texts) {
  PQenterPipelineMode(connection);
  for (std::size_t i = 0; i < texts.size(); ++i)
    PQsendPrepare(connection, std::to_string(i).c_str(), texts[i], 0, nullptr);
  PQpipelineSync(connection);
  return finish(connection, options, "prepare statements", [](const PGresult* result) {
    return result != nullptr && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
  });
}

}  // namespace

void CloseConnection::operator()(pg_conn* connection) const {
  PQfinish(connection);
}

namespace {

// What the server reports by itself since version 14; behind a pooler, which may keep it, the first write tells.
bool takes_no_writes(const PGconn* connection) {
  for (const char* name : {"in_hot_standby", "default_transaction_read_only"}) {
    const char* value = PQparameterStatus(connection, name);
    if (value != nullptr && std::string_view(value) == "on") return true;
  }
  return false;
}

// Of libpq's words on a URL: that they end with the quoted name of an option that it does not know.
bool names_option(std::string_view why) {
  for (const std::string_view words :
       {"invalid connection option \"", "invalid URI query parameter: \""}) {
    if (!why.starts_with(words) || !why.ends_with('"')) continue;
    why.remove_prefix(words.size());
    why.remove_suffix(why.empty() ? 0 : 1);
    return !why.empty() &&
           why.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos;
  }
  return false;
}

// A host that lost its power says no goodbye: without these its sessions, and the locks that say that the node is at work,
// stay for hours. With TCP_USER_TIMEOUT the kernel ends by that and counts no probes (tcp(7)). Over a Unix-domain socket
// they mean nothing.
std::string end_when_client_is_gone() {
  return "set tcp_keepalives_idle = " + std::to_string(kKeepaliveIdleS) +
         ";set tcp_keepalives_interval = " + std::to_string(kKeepaliveIntervalS) +
         ";set tcp_user_timeout = " + std::to_string(kPeerGoneMs) + ";";
}

}  // namespace

Result<ConnectionPtr, SystemError> connect(const ServerOptions& options, Purpose purpose) {
  char* parse_error = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(options.url.c_str(), &parse_error);
  if (parsed == nullptr) {
    std::string why = parse_error == nullptr ? "" : parse_error;
    PQfreemem(parse_error);
    while (!why.empty() && why.back() == '\n') why.pop_back();
    // The words may quote the URL, and with it the password; the name of an option is none.
    if (const auto at = why.find('"'); at != std::string::npos && !names_option(why))
      why.erase(at ? at - 1 : 0);
    return Err{SystemError{.operation = "connect",
                           .subject = "postgres: this is no URL of a database (" + why + ")",
                           .code = 0,
                           .hint = "write postgres://USER:PASSWORD@HOST:5432/DATABASE"}};
  }
  PQconninfoFree(parsed);

  const std::string timeout = std::to_string(options.connect_timeout_s);
  const std::string name = "uproar " + options.node;
  const std::string idle = std::to_string(kKeepaliveIdleS);
  const std::string interval = std::to_string(kKeepaliveIntervalS);
  const std::string count = std::to_string(kKeepaliveCount);
  // Later ones win: what the URL itself says about keepalives and the like stands, our name does not hide its own.
  const char* keywords[] = {"fallback_application_name",
                            "connect_timeout",
                            "keepalives_idle",
                            "keepalives_interval",
                            "keepalives_count",
                            "dbname",
                            nullptr};
  const char* values[] = {name.c_str(),  timeout.c_str(),     idle.c_str(), interval.c_str(),
                          count.c_str(), options.url.c_str(), nullptr};
  ConnectionPtr connection(PQconnectdbParams(keywords, values, 1));
  if (PQstatus(connection.get()) != CONNECTION_OK)
    return Err{describe_failure(options.url, "connect", PQerrorMessage(connection.get()))};
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  std::string setup = end_when_client_is_gone();
  if (purpose == Purpose::kAdmin) {
    if (auto ready = run(connection.get(), options, setup.c_str()); !ready.ok())
      return Err{ready.error()};
    return connection;
  }
  // The setting is taken over when a session begins and stays: kept, such a session would refuse writes for ever.
  if (purpose == Purpose::kWrite && takes_no_writes(connection.get())) {
    return Err{describe_failure(
        options.url, "connect",
        Failure{.sqlstate = sqlstate::kReadOnly,
                .words = "it takes no writes (in_hot_standby or default_transaction_read_only)"})};
  }

  setup += kSessionSetup;
  setup += "set statement_timeout = " + std::to_string(options.statement_timeout_ms) + ";";
  setup += "set lock_timeout = " + std::to_string(options.statement_timeout_ms) + ";";
  setup +=
      "set idle_in_transaction_session_timeout = " + std::to_string(kIdleInTransactionMs) + ";";
  // Several statements of one unit see one state of the database.
  setup += purpose == Purpose::kRead ? "set default_transaction_isolation = 'repeatable read';"
                                       "set default_transaction_read_only = on;"
                                     : "set default_transaction_isolation = 'read committed';";
  if (purpose == Purpose::kWrite && options.digest != 0)
    setup += enter_database(options.digest, options.is_lone);
  auto ready = run(connection.get(), options, setup.c_str());
  if (!ready.ok()) return Err{ready.error()};
  ready = prepare(connection.get(), options,
                  purpose == Purpose::kRead ? read_statements() : write_statements());
  if (!ready.ok()) return Err{ready.error()};
  PQsetnonblocking(connection.get(), 1);
  return connection;
}

Result<ConnectionPtr, SystemError> connect_when_there_is_room(const ServerOptions& options,
                                                              Purpose purpose,
                                                              std::uint32_t wait_ms) {
  for (std::uint32_t waited_ms = 0;; waited_ms += kClaimRetryMs) {
    auto made = connect(options, purpose);
    if (made.ok() || !is_no_room(made.error()) || waited_ms >= wait_ms) return made;
    poll(nullptr, 0, static_cast<int>(kClaimRetryMs));
  }
}

Connector::Connector(ServerOptions options)
    : options_(std::move(options)), thread_([this] { run(); }) {}

Connector::~Connector() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  has_requests_.notify_one();
  thread_.join();
}

Result<void, SystemError> Connector::stock(Purpose purpose, std::uint32_t count,
                                           std::uint32_t wait_ms) {
  for (std::uint32_t i = 0; i < count; ++i) {
    auto made = connect_when_there_is_room(options_, purpose, wait_ms);
    if (!made.ok()) return Err{made.error()};
    const std::lock_guard lock(mutex_);
    stock_.emplace_back(purpose, std::move(made).value());
  }
  return {};
}

ConnectionPtr Connector::take_from_stock(Purpose purpose) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(stock_.begin(), stock_.end(),
                                  [&](const auto& one) { return one.first == purpose; });
  if (found == stock_.end()) return nullptr;
  ConnectionPtr ready = std::move(found->second);
  stock_.erase(found);
  return ready;
}

void Connector::request(Purpose purpose, Connected connected) {
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back({.purpose = purpose, .connected = std::move(connected)});
  }
  has_requests_.notify_one();
}

void Connector::run() {
  while (true) {
    Request next;
    {
      std::unique_lock lock(mutex_);
      has_requests_.wait(lock, [this] { return is_stopping_ || !requests_.empty(); });
      if (is_stopping_) return;
      next = std::move(requests_.front());
      requests_.pop_front();
    }
    if (ConnectionPtr ready = take_from_stock(next.purpose)) {
      next.connected(std::move(ready));
      continue;
    }
    auto made = connect(options_, next.purpose);
    if (made.ok()) {
      next.connected(std::move(made));
      continue;
    }
    // The server that refused this one would let the others wait as long, one after the other.
    std::deque<Request> others;
    {
      const std::lock_guard lock(mutex_);
      others.swap(requests_);
    }
    const SystemError why = made.error();
    next.connected(Err{why});
    for (Request& other : others) other.connected(Err{why});
  }
}

}  // namespace uproar::storage::postgres
