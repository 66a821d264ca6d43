#include "core/server/shard.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "core/runtime/clock.h"
#include "core/server/limits.h"
#include "core/server/log.h"
#include "storage/commit_lanes.h"

namespace uproar::server {
namespace {

net::NetOptions net_options(const Config& config, std::uint32_t direct_slots) {
  net::NetOptions options;
  options.connections_max = direct_slots;  // what was asked for, or what RLIMIT_NOFILE left of it
  options.message_bytes_max = chat::kMessageBytesMax;
  options.deflate = config.deflate;
  options.idle_timeout_ms = config.heartbeat_timeout_s * 1000;
  options.ping_interval_ms = ping_interval_ms_of(options.idle_timeout_ms);
  options.allowed_origins = config.allow_origins;
  options.handshakes_per_address_per_second_max = config.connections_per_address;
  for (const std::string& text : config.trusted_proxies) {
    const auto network = IpNetwork::parse(text);
    UPROAR_CHECK(network.ok());  // it was read when it was set
    options.trusted_proxies.push_back(network.value());
  }
  options.proxy_protocol = config.proxy_protocol;
  options.egress_shard_bytes_max = std::uint64_t{config.egress_mb_max} << 20;
  options.has_sessions = true;
  options.sessionless_message_bytes_max = gateway::kSessionlessMessageBytesMax;
  options.sessionless_max = options.connections_max / 2;
  options.connections_per_address_max =
      config.open_per_address != 0 ? config.open_per_address : options.connections_max / 4 * 3;
  options.address_work = kAddressWork;
  return options;
}

// Said bytes are charged four times by core/net, and once more for each that inflating makes of them.
net::WorkShare user_work(const chat::ChatLimits& limits) {
  return net::WorkShare::of(kUserWorkPerByte * limits.bytes_per_s,
                            kUserWorkPerByte * limits.bytes_burst);
}

chat::ChatLimits chat_limits(const Config& config) {
  chat::ChatLimits limits;
  limits.message_bytes_max = chat::kMessageBytesMax;
  limits.commands_per_s = config.commands_per_second;
  limits.commands_burst = config.commands_per_second * 4;
  const std::uint64_t bytes_per_s =
      std::max<std::uint64_t>(limits.bytes_per_s, std::uint64_t{config.commands_per_second} * 2048);
  constexpr std::uint64_t kBytesMax = 1ULL << 30;  // the buckets count in 32 bits
  limits.bytes_per_s = static_cast<std::uint32_t>(std::min(bytes_per_s, kBytesMax / 4));
  limits.bytes_burst = limits.bytes_per_s * 4;
  limits.presence_is_public = config.presence_is_public;
  limits.connections_per_user_max = config.connections_per_user;
  limits.conversations_per_day = config.conversations_per_day;
  limits.first_contacts_per_day = config.first_contacts_per_day;
  limits.stored_pages_per_day = chat::stored_pages_of_mb(config.message_mb_per_day);
  limits.heartbeat_interval_ms = chat::heartbeat_interval_ms_of(config.heartbeat_timeout_s * 1000);
  return limits;
}

// Bounds of a shard.
struct Bounds {
  net::NetOptions net;
  chat::ChatLimits chat;
};
Bounds bounds_of(const ShardEnvironment& environment, std::uint32_t direct_slots) {
  Bounds bounds{.net = net_options(environment.config, direct_slots),
                .chat = chat_limits(environment.config)};
  bounds.net.user_work = user_work(bounds.chat);
  if (environment.tune) environment.tune(bounds.net, bounds.chat);
  return bounds;
}

runtime::ShardThread::Options thread_options(const Config& config, std::uint32_t index) {
  runtime::ShardThread::Options options;
  options.index = index;
  if (config.connections_max != 0) options.ring.direct_slots = config.connections_max;
  return options;
}

auth::TokenVerifier make_verifier(const ShardEnvironment& environment) {
  auto verifier = auth::TokenVerifier::make(environment.auth_key.text());
  UPROAR_CHECK(verifier.has_value());  // the key was checked when it was read
  if (!environment.jwks_document.empty()) {
    auto keys = auth::parse_jwks(environment.jwks_document);
    UPROAR_CHECK(keys.ok());  // and so was the document
    const bool added = verifier->add_issuer({.issuer = environment.config.jwt_issuer,
                                             .audience = environment.config.jwt_audience,
                                             .keys = std::move(keys.value())});
    UPROAR_CHECK(added);
  }
  return std::move(*verifier);
}

}  // namespace

class Shard::NodeNews final : public NodeLink::Listener {
 public:
  explicit NodeNews(Shard& shard) : shard_(shard) {}
  void on_nodes(const gateway::NodesSeen& seen) override { shard_.tell_nodes(seen); }
  void on_revoked(const gateway::SessionRevoked& revoked) override;
  void on_revocations_missed() override { shard_.ask_revocations(); }

 private:
  Shard& shard_;
};

struct Shard::Parts {
  Parts(Shard& shard, runtime::ShardContext& context, ShardEnvironment& environment)
      : Parts(shard, context, environment, bounds_of(environment, context.ring().direct_slots())) {}
  Parts(Shard& shard, runtime::ShardContext& context, ShardEnvironment& environment,
        const Bounds& bounds)
      : now(context.now()),
        node_news(shard),
        nodes(make_link(shard, context, environment, node_news)),
        store(environment.store.open_client(shard.reactor_)),
        net(context.ring(), shard, bounds.net),
        requests(static_cast<std::uint16_t>(context.index()), gateway::kRequestsWaitingMax),
        outbox(net, requests, shard.router_,
               {.deflate = environment.config.deflate,
                .deflate_bytes_min = environment.config.deflate_bytes_min},
               nodes ? &nodes->ports() : nullptr),
        log(store->lanes(), shard.reactor_,
            {.monotonic_us = [] { return runtime::read_clock().monotonic_us; }}),
        chat({.outbox = outbox,
              .router = shard.router_,
              .log = log,
              .history = store->history(),
              .directory = store->directory(),
              .ids = ids,
              .nodes = nodes ? &nodes->ports() : nullptr,
              .presence = nodes ? &nodes->presence() : nullptr},
             bounds.chat, environment.config.node_id),
        verifier(make_verifier(environment)),
        signer(std::move(*auth::TokenSigner::make(environment.auth_key.text()))),
        tickets(static_cast<std::uint16_t>(context.index())),
        node_tickets(environment.auth_key),
        known_nodes(environment.self, context.index()),
        devices(environment.auth_key),
        passwords(environment.passwords, context.inbox()),
        accounts(
            store->directory(), passwords, shard.reactor_, signer,
            [this](const chat::TokenProof& holder, Now at) -> std::optional<std::string> {
              if (nodes) return node_tickets.issue(holder, at);
              return tickets.issue(holder, at);
            },
            [&context] { return context.now(); }, environment.login_limits, devices),
        events({.net = net,
                .outbox = outbox,
                .chat = chat,
                .decoder = decoder,
                .directory = store->directory(),
                .verifier = verifier,
                .tickets = tickets,
                .node_tickets = nodes ? &node_tickets : nullptr,
                .ticket_claims = nodes ? nodes->ticket_claims() : nullptr,
                .revocations = revocations,
                .known_users = known_users,
                .link = shard.router_,
                .now = now,
                .openings_per_second = environment.config.openings_per_second,
                .resumes_per_second = environment.config.resumes_per_second}),
        rest({.net = net,
              .outbox = outbox,
              .requests = requests,
              .chat = chat,
              .decoder = decoder,
              .store = *store,
              .verifier = verifier,
              .accounts = accounts,
              .devices = devices,
              .revocations = revocations,
              .known_users = known_users,
              .link = shard.router_,
              .events = events,
              .now = now,
              .publisher = nodes ? &nodes->ports() : nullptr,
              .nodes = known_nodes,
              .advertised_url = environment.config.advertise,
              .login_address = environment.login_address}),
        canary([this](int fd) { net.admit(fd); }, *store, shard.reactor_, now),
        health({.net = net,
                .canary = canary,
                .link = shard.router_,
                .reactor = shard.reactor_,
                .now = now,
                .draining =
                    [&environment] { return environment.draining.load(std::memory_order_relaxed); },
                .bus_state = [this]() -> std::optional<storage::BusState> {
                  if (!nodes) return std::nullopt;
                  return nodes->bus_state();
                }}) {
    log.set_listener(chat);
    chat.set_token_judge(events);
    if (nodes) nodes->attach(chat, store->nodes_at_work());
  }

  static std::unique_ptr<NodeLink> make_link(Shard& shard, runtime::ShardContext& context,
                                             const ShardEnvironment& environment, NodeNews& news) {
    if (environment.cluster == nullptr) return nullptr;
    return std::make_unique<NodeLink>(shard.reactor_, *environment.cluster, context.index(),
                                      context.now(), news);
  }

  const Now& now;
  NodeNews node_news;
  std::unique_ptr<NodeLink> nodes;  // null: this node is alone
  std::unique_ptr<storage::StoreClient> store;
  net::ShardNet net;
  gateway::RequestTable requests;
  gateway::EventOutbox outbox;
  storage::CommitLanes log;
  RandomIds ids;
  chat::ChatShard chat;
  chat::ClientEventDecoder decoder;
  auth::TokenVerifier verifier;
  auth::TokenSigner signer;
  gateway::Tickets tickets;
  gateway::NodeTickets node_tickets;
  gateway::Nodes known_nodes;
  gateway::Revocations revocations;
  gateway::KnownUsers known_users;
  const gateway::DeviceCookies devices;
  PasswordPool passwords;
  gateway::Accounts accounts;
  gateway::EventGateway events;
  gateway::RestGateway rest;
  gateway::Canary canary;
  gateway::HealthGateway health;
};

Shard::Shard(ShardEnvironment& environment, std::uint32_t index, MailboxGrid& grid, int listen_fd)
    : environment_(environment),
      listen_fd_(listen_fd),
      thread_(thread_options(environment.config, index), *this),
      router_(grid, index),
      reactor_(thread_) {}

Shard::~Shard() = default;

Result<void, SystemError> Shard::on_start(runtime::ShardContext& context) {
  context_ = &context;
  reactor_.attach(context);
  parts_ = std::make_unique<Parts>(*this, context, environment_);
  parts_->net.on_tick(context.now());
  is_through_gate_ = parts_->nodes == nullptr;
  ask_revocations();
  started_.store(true, std::memory_order_release);
  return {};
}

void Shard::NodeNews::on_revoked(const gateway::SessionRevoked& revoked) {
  shard_.parts_->events.revoked_elsewhere(revoked);
}

// At start all of the last token lifetime. Later, when other nodes may have said something that was not heard, those
// since the last time; nodes' clocks may differ by kRevocationsOverlapUs.
void Shard::ask_revocations() {
  if (asks_revocations_) {
    asks_revocations_again_ = true;  // what is being read may be from before
    return;
  }
  asks_revocations_ = true;
  const std::int64_t now_us = context_->now().wall_us;
  const std::int64_t since_us =
      std::max(now_us - gateway::kAccessTokenLifeUs, revocations_read_us_ - kRevocationsOverlapUs);
  parts_->store->directory().revoked_since(
      since_us, [this, now_us](Result<std::vector<SessionId>, storage::StoreError> sessions) {
        asks_revocations_ = false;
        if (sessions.ok()) revocations_read_us_ = now_us;
        revocations_known(std::move(sessions));
      });
}

void Shard::revocations_known(Result<std::vector<SessionId>, storage::StoreError> sessions) {
  if (!sessions.ok()) {
    if (!knows_revocations_ && !std::exchange(said_revocations_wait_, true))
      log(LogLevel::kWarn, "waiting for the store to say which sessions were revoked of late");
    return ask_revocations_later();
  }
  parts_->events.found_revoked(sessions.value());
  knows_revocations_ = true;
  open_door();
  if (std::exchange(asks_revocations_again_, false)) return ask_revocations();
  // While nodes cannot tell each other of logouts, the store is asked every now and then.
  if (parts_->nodes && parts_->nodes->bus_state() != storage::BusState::kUp)
    ask_revocations_later();
}

void Shard::ask_revocations_later() {
  if (std::exchange(asks_revocations_later_, true)) return;
  reactor_.arm_timer(kAskRevocationsAgainMs, [this] {
    asks_revocations_later_ = false;
    ask_revocations();
  });
}

void Shard::look_at_gate() {
  NodeWatch* const watch = parts_->nodes->watch();
  if (const auto* stranger = watch == nullptr ? nullptr : watch->stranger()) {
    environment_.gate->refuse(
        {.operation = "join the nodes: another one signs with another key:",
         .subject = stranger->name + " at " + stranger->url,
         .code = 0,
         .hint = "give all nodes the same --auth-secret-file; after a change of the key start none "
                 "before the last with the old one has stopped"});
    return;
  }
  if (const std::string strangers = parts_->nodes->strangers_to_bus(); !strangers.empty()) {
    environment_.gate->refuse(
        {.operation =
             "join the nodes: this one does not hear over Redis who works on the database:",
         .subject = strangers,
         .code = 0,
         .hint = "give all nodes the same --redis; if they have it, the other one is cut off from "
                 "Redis or frozen: mend that or stop it, then start this one"});
    return;
  }
  if (!parts_->nodes->is_ready()) {
    environment_.gate->waits(context_->index(), parts_->nodes->why_not());
    return;
  }
  is_through_gate_ = true;
  environment_.gate->ready(context_->index());
  open_door();
}

// Nobody is let in before the revocations of the last token lifetime are known and, with several nodes, the others hear
// what is said here. Connections wait in the backlog.
void Shard::open_door() {
  if (!knows_revocations_ || !is_through_gate_ || door_is_open_) return;
  door_is_open_ = true;
  parts_->net.add_listener(listen_fd_);
}

void Shard::tell_nodes(const gateway::NodesSeen& seen) {
  for (std::uint32_t shard = 0; shard < router_.shard_count(); ++shard)
    router_.post(shard, gateway::ShardParcel(seen));
  if (environment_.on_nodes) environment_.on_nodes(seen.nodes);
}

void Shard::on_completion(const runtime::Completion& completion) {
  if (completion.key.kind == runtime::OpKind::kPoll) {
    reactor_.on_completion(completion);
  } else {
    parts_->net.on_completion(completion, context_->now());
  }
  settle();
}

void Shard::on_parcels() {
  take_orders();
  router_.drain(
      [this](gateway::ShardParcel&& parcel) {
        on_parcel(std::move(parcel));
        settle();
      },
      kParcelsPerTurnMax);
}

bool Shard::parcels_waiting() const {
  return router_.waiting() || drain_order_.is_waiting() || fresh_keys_.is_waiting() ||
         leave_order_.is_waiting();
}

void Shard::take_orders() {
  if (const auto order = drain_order_.take()) {
    parts_->events.spread_reconnects(order->spread_ms);
    parts_->net.drain(order->closes_per_second);
    if (parts_->nodes && parts_->nodes->watch() != nullptr)
      parts_->nodes->watch()->announce_draining();
  }
  if (leave_order_.take())
    parts_->nodes->watch()->withdraw([this] { has_left_.store(true, std::memory_order_release); });
  if (const auto document = fresh_keys_.take()) use_keys(*document);
}

void Shard::settle() {
  if (!router_.own_waiting()) return;
  router_.drain_own([this](gateway::ShardParcel&& parcel) { on_parcel(std::move(parcel)); },
                    kParcelsPerTurnMax);
}

void Shard::on_parcel(gateway::ShardParcel&& parcel) {
  const Now& now = context_->now();
  Parts& parts = *parts_;
  struct Dispatch {
    Shard& shard;
    Parts& parts;
    const Now& now;
    void operator()(chat::Parcel& p) const { parts.chat.on_parcel(std::move(p), now); }
    void operator()(gateway::PublishFrames& p) const { parts.outbox.deliver(p); }
    void operator()(gateway::SendFrames& p) const { parts.outbox.deliver(p); }
    void operator()(gateway::AnswerRequest& p) const { parts.outbox.deliver(std::move(p)); }
    void operator()(gateway::CloseConnection& p) const { parts.outbox.deliver(p); }
    void operator()(gateway::SessionRevoked& p) const { parts.events.revoked(p); }
    void operator()(gateway::TicketPresented& p) const { parts.events.judge(p); }
    void operator()(gateway::TicketJudged& p) const { parts.events.judged(p); }
    void operator()(gateway::CanaryAsked& p) const { parts.health.asked(p); }
    void operator()(gateway::CanaryAnswered& p) const { parts.health.answered(p); }
    void operator()(gateway::NodesSeen& p) const {
      parts.nodes->on_nodes(p);
      if (p.may_have_missed) {
        parts.chat.on_gap(now);
        shard.ask_revocations();  // a logout that was stored, and not said
      }
      parts.known_nodes.see(std::move(p.nodes));
    }
  };
  std::visit(Dispatch{.shard = *this, .parts = parts, .now = now}, parcel);
}

void Shard::on_timer(std::uint64_t key) {
  reactor_.on_timer(key);
  settle();
}

void Shard::on_tick(const Now& now) {
  if (reactor_.posted_waiting()) reactor_.run_posted();
  parts_->net.on_tick(now);
  parts_->chat.tick(now);
  parts_->events.on_tick();
  settle();
  if (!is_through_gate_) look_at_gate();
  watch_clock(now);
  watch_store(now);
}

// One shard says it for all.
void Shard::watch_clock(const Now& now) {
  const std::int64_t jump_us = clock_watch_.look(now);
  if (jump_us != 0 && context_->index() == 0) log(LogLevel::kWarn, describe_jump(jump_us));
}

void Shard::watch_store(const Now& now) {
  const bool works = parts_->log.works();
  if (works != store_works_) environment_.store_watch->circuit_changed(!works);
  store_works_ = works;
  environment_.store_watch->look(now.monotonic_us);
}

bool Shard::flush(const Now& now) {
  bool busy = parts_->net.flush(now);
  busy = router_.own_waiting() || busy;  // what settle() says goes out in the next turn
  settle();                              // flush reports closings, and the domain reacts
  if (parts_->nodes) parts_->nodes->flush();
  router_.publish(*context_);
  if (parts_->net.drained()) {
    const bool parcels_rest = router_.waiting() || router_.own_waiting() || router_.holding_back();
    const bool has_told_all = parts_->nodes == nullptr || parts_->nodes->has_told_all();
    has_told_all_.store(has_told_all, std::memory_order_release);
    drained_.store(parts_->log.is_idle() && !parcels_rest, std::memory_order_release);
  }
  return busy || router_.own_waiting();
}

std::int64_t Shard::next_deadline_us() const {
  constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  const std::int64_t held_back =
      router_.holding_back() ? context_->now().monotonic_us + kHeldBackRetryUs : kNever;
  return std::min({parts_->net.next_deadline().value_or(kNever),
                   parts_->chat.next_deadline().value_or(kNever), parts_->events.next_deadline_us(),
                   held_back});
}

void Shard::on_stop() {
  started_.store(false, std::memory_order_release);
  if (parts_->nodes) parts_->nodes->close();
  reactor_.detach();
}

void Shard::begin_drain(std::uint32_t closes_per_second, std::uint32_t spread_ms) {
  drain_order_.leave({.closes_per_second = closes_per_second, .spread_ms = spread_ms});
  (void)thread_.waker().wake_from_thread();
}

void Shard::begin_leave() {
  leave_order_.leave(true);
  (void)thread_.waker().wake_from_thread();
}

void Shard::replace_keys(std::string document) {
  fresh_keys_.leave(std::move(document));
  (void)thread_.waker().wake_from_thread();
}

void Shard::use_keys(const std::string& document) {
  auto keys = auth::parse_jwks(document);  // parsed here: a key set belongs to one thread
  if (keys.ok() &&
      parts_->verifier.replace_keys(environment_.config.jwt_issuer, std::move(keys.value())))
    return;
  log(LogLevel::kWarn, "a new key set of the issuer cannot be used: the old keys stay");
}

const net::NetCounters* Shard::net_counters() const {
  return started_.load(std::memory_order_acquire) ? &parts_->net.counters() : nullptr;
}
const chat::ChatCounters* Shard::chat_counters() const {
  return started_.load(std::memory_order_acquire) ? &parts_->chat.counters() : nullptr;
}
const gateway::EventCounters* Shard::event_counters() const {
  return started_.load(std::memory_order_acquire) ? &parts_->events.counters() : nullptr;
}
const gateway::RevocationCounters* Shard::revocation_counters() const {
  return started_.load(std::memory_order_acquire) ? &parts_->revocations.counters() : nullptr;
}
const gateway::AccountCounters* Shard::account_counters() const {
  return started_.load(std::memory_order_acquire) ? &parts_->rest.counters() : nullptr;
}
const storage::BatchWriterCounters* Shard::batch_counters() const {
  return started_.load(std::memory_order_acquire) ? &parts_->log.counters() : nullptr;
}
const NodeLink* Shard::node_link() const {
  return started_.load(std::memory_order_acquire) ? parts_->nodes.get() : nullptr;
}

// ---- net::Handler --------------------------------------------------------------------------------------------------

void Shard::on_request(net::ConnectionId connection, const http::Request& request) {
  if (parts_->health.on_request(connection, request)) return;
  parts_->rest.on_request(connection, request);
}

net::UpgradeAnswer Shard::on_upgrade(net::ConnectionId connection, const http::Request& request) {
  return parts_->events.on_upgrade(connection, request);
}
void Shard::on_open(net::ConnectionId connection) {
  parts_->events.on_open(connection);
}
void Shard::on_message(net::ConnectionId connection, net::MessageKind kind, MutableBytes payload) {
  parts_->events.on_message(connection, kind, payload);
}
void Shard::on_ping(net::ConnectionId connection) {
  parts_->events.on_ping(connection);
}
void Shard::on_drained(net::ConnectionId connection) {
  parts_->events.on_drained(connection);
}
void Shard::on_draining(net::ConnectionId connection) {
  parts_->events.on_draining(connection);
}
void Shard::on_left(net::ConnectionId connection) {
  parts_->events.on_left(connection);
}
void Shard::on_closed(net::ConnectionId connection, net::CloseCause cause) {
  parts_->events.on_closed(connection, cause);
}

}  // namespace uproar::server
