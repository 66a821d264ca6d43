#include "core/server/server.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <filesystem>
#include <optional>
#include <utility>

#include "core/gateway/limits.h"
#include "core/net/listener.h"
#include "core/runtime/blocking_pool.h"
#include "core/runtime/clock.h"
#include "core/runtime/probe.h"
#include "core/server/admin_thread.h"
#include "core/server/departure.h"
#include "core/server/jwks_source.h"
#include "core/server/key_file.h"
#include "core/server/log.h"
#include "core/server/metrics.h"
#include "core/server/own_names.h"
#include "core/server/shard.h"
#include "proto/crypto/random.h"
#include "storage/postgres/postgres_store.h"
#include "storage/sqlite/sqlite_store.h"

namespace uproar::server {
namespace {

std::uint32_t usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return static_cast<std::uint32_t>(std::max(1, CPU_COUNT(&set)));
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "uproar";
  return name.data();
}

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

storage::NodeId fresh_node_id() {
  const auto ms = static_cast<std::uint64_t>(runtime::read_clock().wall_ms());
  return storage::NodeId(Uuid::v7(ms, crypto::random_u64(), crypto::random_u64()));
}

constexpr std::chrono::milliseconds kDepartureLookEvery{20};

std::int64_t now_ms() {
  return runtime::read_clock().monotonic_us / 1000;
}

// True when one of the stop signals came within `timeout`.
bool wait_for_signal(std::chrono::milliseconds timeout) {
  const sigset_t set = stop_signals();
  const timespec limit{.tv_sec = timeout.count() / 1000,
                       .tv_nsec = (timeout.count() % 1000) * 1'000'000};
  return sigtimedwait(&set, nullptr, &limit) > 0;
}

}  // namespace

void resolve(Config& config) {
  if (config.shards == 0) config.shards = usable_processors();
  if (config.node_id.empty()) config.node_id = host_name();
}

void block_signals() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit fails the commit, not the process
}

struct Server::State {
  Config config;
  const storage::NodeId id = fresh_node_id();
  std::uint32_t services_wait_ms = 0;
  std::atomic<bool> draining{false};
  std::uint16_t port = 0;
  std::vector<int> listeners;
  std::unique_ptr<storage::Store> store;
  StoreCounters store_counters;  // of `store`
  std::unique_ptr<runtime::BlockingPool> pool;
  std::unique_ptr<PasswordLine> passwords;
  std::unique_ptr<MailboxGrid> grid;
  std::unique_ptr<gateway::LoginLimits> login_limits;
  std::optional<Cluster> cluster;  // with --redis
  std::unique_ptr<StartGate> gate;
  std::unique_ptr<ShardEnvironment> environment;
  std::unique_ptr<AdminListener> admin_listener;  // until the thread has it
  std::unique_ptr<AdminThread> admin;             // null: off
  std::vector<std::unique_ptr<Shard>> shards;
  std::unique_ptr<JwksRefresher> refresher;

  [[nodiscard]] Result<void, SystemError> open_sqlite();
  [[nodiscard]] Result<void, SystemError> open_postgres();
  [[nodiscard]] Result<void, SystemError> open_environment();
  [[nodiscard]] Result<void, SystemError> open_listeners();
  [[nodiscard]] Result<void, SystemError> open_admin_listener();
  void introduce();
  [[nodiscard]] Result<void, SystemError> prepare_admin();
  void join_cluster();
  [[nodiscard]] Result<void, SystemError> start_shards();
  void drain();
  void stop();
};

Server::Server(Config config, std::uint32_t services_wait_ms) : state_(std::make_unique<State>()) {
  state_->config = std::move(config);
  state_->services_wait_ms = services_wait_ms;
  UPROAR_CHECK(state_->config.shards != 0);  // resolve() chose
}

Server::~Server() {
  stop();
}

std::uint16_t Server::port() const {
  return state_->port;
}

std::string Server::admin_url() const {
  return state_->admin ? state_->admin->listener().url() : "";
}

std::uint16_t Server::admin_port() const {
  return state_->admin ? state_->admin->listener().address().port : std::uint16_t{0};
}

Result<void, SystemError> Server::State::open_sqlite() {
  auto opened = storage::SqliteStore::open({.folder = config.data_dir});
  if (!opened.ok()) return Err{opened.error()};
  store_counters.sqlite = opened.value().get();
  store = std::move(opened.value());
  return {};
}

Result<void, SystemError> Server::State::open_postgres() {
  auto opened =
      storage::PostgresStore::open({.url = config.postgres, .node = config.node_id, .id = id});
  if (!opened.ok()) return Err{opened.error()};
  // Without a bus clients here would not hear those of another node.
  using Claim = storage::PostgresStore::Claim;
  const Claim claim = config.redis.empty() ? Claim::kAlone : Claim::kShared;
  if (auto claimed = opened.value()->claim(claim); !claimed.ok()) return claimed;
  if (auto reserved = opened.value()->reserve(config.shards); !reserved.ok()) return reserved;
  for (const std::string& warning : opened.value()->warnings()) log(LogLevel::kWarn, warning);
  store_counters.postgres = opened.value().get();
  store = std::move(opened.value());
  return {};
}

Result<void, SystemError> Server::State::open_environment() {
  std::string jwks_document;
  if (!config.jwks.empty()) {
    auto document = read_jwks(config.jwks);
    if (!document.ok()) return Err{document.error()};
    jwks_document = std::move(document.value());
  }
  if (auto opened = config.postgres.empty() ? open_sqlite() : open_postgres(); !opened.ok())
    return opened;
  auto key = read_key_file(config.auth_secret_file,
                           config.auth_secret_file == config.data_dir + "/auth.key");
  if (!key.ok()) return Err{key.error()};
  pool = std::make_unique<runtime::BlockingPool>(
      runtime::BlockingPool::Options{.jobs_max = gateway::kPasswordsWaitingMax});
  passwords = std::make_unique<PasswordLine>(*pool);
  grid = std::make_unique<MailboxGrid>(config.shards);
  login_limits = std::make_unique<gateway::LoginLimits>(
      gateway::LoginLimits::Options{.logins_per_address = config.logins_per_address,
                                    .registrations_per_address = config.registrations_per_address});
  // Made in its place: of a temporary's strings g++ 12 is not sure that they were ever made.
  environment.reset(new ShardEnvironment{.config = config,
                                         .store = *store,
                                         .passwords = *passwords,
                                         .login_limits = *login_limits,
                                         .auth_key = std::move(key.value()),
                                         .jwks_document = jwks_document,
                                         .draining = draining});
  if (!jwks_document.empty()) {
    refresher = std::make_unique<JwksRefresher>(config.jwks, jwks_document,
                                                [this](const std::string& document) {
                                                  for (const auto& shard : shards)
                                                    shard->replace_keys(document);
                                                });
  }
  return {};
}

Result<void, SystemError> Server::State::open_listeners() {
  const bool v6 = config.listen_host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + config.listen_host + "]" : config.listen_host;
  port = config.listen_port;
  if (port != 0) {
    if (auto free = net::check_address_free(host + ":" + std::to_string(port)); !free.ok())
      return free;
  }
  for (std::uint32_t i = 0; i < config.shards; ++i) {
    auto listener = net::listen_reuseport(host + ":" + std::to_string(port));
    if (!listener.ok()) return Err{listener.error()};
    listeners.push_back(listener.value());
    port = net::local_port(listener.value());  // with port 0 the first listener chooses for all
  }
  return {};
}

Result<void, SystemError> Server::State::open_admin_listener() {
  const AdminAddress address = admin_address(config);
  if (address.kind == AdminAddress::Kind::kOff) return {};
  auto opened = AdminListener::open(address);
  if (!opened.ok()) return Err{opened.error()};
  admin_listener = std::move(opened.value());
  if (!address.is_local())
    log(LogLevel::kWarn, "--admin-listen " + address.text() +
                             " wants no token: whoever reaches it reads metrics and the list of "
                             "nodes. Try: keep it to a private network");
  return {};
}

// Before the shards run: they tell it of nodes.
Result<void, SystemError> Server::State::prepare_admin() {
  if (!admin_listener) return {};
  admin = std::make_unique<AdminThread>(AdminThread::Parts{
      .listener = std::move(admin_listener),
      .self = environment->self,
      .render_metrics =
          [this] { return server::render_metrics(shards, store_counters, &admin->counters()); },
      .draining = [this] { return draining.load(std::memory_order_relaxed); }});
  environment->on_nodes = [this](const std::vector<storage::NodeRecord>& nodes) {
    admin->see(nodes);
  };
  return admin->prepare();
}

// Who this node is, to the others if there are any. Its port is known by now.
void Server::State::introduce() {
  const Now now = runtime::read_clock();
  const bool v6 = config.listen_host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + config.listen_host + "]" : config.listen_host;
  const std::string here = "ws://" + host + ":" + std::to_string(port);
  environment->self = {.id = id,
                       .name = config.node_id,
                       .url = config.advertise.empty() ? here : config.advertise,
                       .shards = config.shards,
                       .started_us = now.wall_us,
                       .key_fingerprint = key_fingerprint(environment->auth_key.text())};
  environment->login_address =
      login_address(config, bound_address(listeners.front()), port, own_addresses());
}

void Server::State::join_cluster() {
  if (config.redis.empty()) return;
  auto url = redis_url(config);
  UPROAR_CHECK(url.ok());  // it was looked at when the settings were read
  cluster = Cluster{.redis = std::move(url.value()),
                    .etcd_urls = etcd_urls(config),
                    .lease_ms = config.node_lease_ms,
                    .self = environment->self};
  gate = std::make_unique<StartGate>(config.shards);
  environment->cluster = &*cluster;
  environment->gate = gate.get();
  log(LogLevel::kInfo, "node " + cluster->self.name + " is " + cluster->self.id.text() + ", at " +
                           cluster->self.url);
}

Result<void, SystemError> Server::State::start_shards() {
  for (std::uint32_t i = 0; i < config.shards; ++i) {
    shards.push_back(std::make_unique<Shard>(*environment, i, *grid, listeners[i]));
    if (auto prepared = shards.back()->prepare(); !prepared.ok()) return prepared;
  }
  std::vector<runtime::Waker*> wakers;
  for (const auto& shard : shards) wakers.push_back(&shard->waker());
  for (const auto& shard : shards) shard->connect(wakers);
  for (const auto& shard : shards) {
    if (auto started = shard->start(); !started.ok()) return started;
  }
  if (gate) {
    if (auto joined = gate->wait(std::chrono::milliseconds(services_wait_ms)); !joined.ok())
      return joined;
  }
  return admin ? admin->start() : Result<void, SystemError>();
}

Result<void, SystemError> Server::start() {
  State& state = *state_;
  runtime::ProbeOptions wanted{.shards = state.config.shards};
  if (state.config.connections_max != 0) wanted.direct_slots = state.config.connections_max;
  const auto findings = runtime::probe_features(wanted);
  if (auto fit = runtime::require_features(findings); !fit.ok()) return fit;
  for (const runtime::Finding& finding : findings) {
    if (finding.status == runtime::Finding::Status::kOk) continue;
    // Whoever raised no limit meets it when the clients come.
    const bool is_limit = finding.code == EMFILE || finding.code == ENFILE;
    log(finding.required || is_limit ? LogLevel::kWarn : LogLevel::kDebug,
        finding.name + ": " + finding.detail +
            (finding.remedy.empty() ? "" : ". Try: " + finding.remedy));
  }
  auto started = state.open_environment();
  if (started.ok()) started = state.open_listeners();
  if (started.ok()) started = state.open_admin_listener();
  if (started.ok()) state.introduce();
  if (started.ok()) started = state.prepare_admin();
  if (started.ok()) state.join_cluster();
  if (started.ok()) started = state.start_shards();
  if (!started.ok()) stop();
  return started;
}

void Server::State::drain() {
  draining.store(true);
  std::uint64_t connections = 0;
  for (const auto& shard : shards) {
    if (const auto* counters = shard->net_counters())
      connections += static_cast<std::uint64_t>(counters->connections.value());
  }
  const std::uint64_t seconds = std::max<std::uint32_t>(config.drain_seconds, 1);
  const auto closes_per_second =
      static_cast<std::uint32_t>(connections / seconds / shards.size() + 1);
  log(LogLevel::kInfo, "draining " + std::to_string(connections) + " connections over at most " +
                           std::to_string(seconds) + " s; a second signal stops at once");
  Departure departure(shards,
                      {.closes_per_second = config.drain_seconds == 0 ? 0 : closes_per_second,
                       .spread_ms = config.drain_seconds * 1000,
                       .drain_ms_max = static_cast<std::uint32_t>(seconds + 5) * 1000,
                       .has_others = cluster.has_value()},
                      now_ms());
  while (departure.look(now_ms()) != Departure::Step::kOver) {
    if (!wait_for_signal(kDepartureLookEvery)) continue;
    log(LogLevel::kWarn, "second signal: stopping at once");
    return;
  }
}

void Server::run_until_signal() {
  while (!wait_for_signal(std::chrono::hours(1))) {
  }
  state_->drain();
  stop();
  log(LogLevel::kInfo, "stopped");
}

void Server::State::stop() {
  refresher.reset();
  // The pool first: what it was given is answered. Then the shards end their loops and are destroyed, while the store's
  // threads may still work for them: a shard's store client closes its storage::ClientLink as it dies, and an answer
  // that comes later is dropped there. The store goes last and commits what it had been given.
  if (pool) pool->stop();
  for (const auto& shard : shards) shard->request_stop();
  for (const auto& shard : shards) shard->join();
  if (admin) admin->stop();  // it reads what they count
  shards.clear();
  admin.reset();
  admin_listener.reset();
  environment.reset();
  gate.reset();
  cluster.reset();
  store_counters = {};
  store.reset();
  for (const int fd : listeners) ::close(fd);
  listeners.clear();
}

void Server::stop() {
  state_->stop();
}

std::string Server::render_metrics() const {
  return server::render_metrics(state_->shards, state_->store_counters,
                                state_->admin ? &state_->admin->counters() : nullptr);
}

}  // namespace uproar::server
