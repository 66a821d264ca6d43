#include "tests/sim/node.h"

#include "proto/base/check.h"

namespace uproar::sim {
namespace {

constexpr std::uint32_t kClosesPerSecond = 2;
constexpr std::uint32_t kSpreadMs = 1'000;
constexpr std::uint32_t kDrainMsMax = 6'000;

server::Config config_of(const Node::Options& options) {
  server::Config config;
  config.shards = options.shards;
  config.node_id = "node-" + std::to_string(options.number) + "-" + std::to_string(options.life);
  config.connections_max = 64;
  config.connections_per_address = 0;
  config.connections_per_user = 64;
  config.commands_per_second = 1000;
  config.deflate = false;  // the same bytes for all are what on_sent() reads
  return config;
}

// A process that restarts is another node to its peers.
storage::NodeId id_of(const Node::Options& options) {
  return storage::NodeId(
      Uuid{0x0190'0000'0000'7000ULL + options.number, 0x8000'0000'0000'0000ULL + options.life});
}

}  // namespace

Node::Node(Kernel& kernel, SimStore& store, Options options)
    : kernel_(kernel),
      config_(config_of(options)),
      store_(store, options.network != nullptr ? id_of(options) : storage::NodeId()),
      services_(options.network, options.number, id_of(options)),
      cluster_({.redis = {},
                .etcd_urls = {},
                .lease_ms = 3'000,
                .self = {.id = id_of(options),
                         .name = config_.node_id,
                         .url = "ws://" + config_.node_id,
                         .shards = options.shards,
                         .started_us = kernel.now().wall_us},
                .services = &services_}),
      gate_(options.shards),
      grid_(options.shards),
      login_limits_({.logins_per_address = 1'000}),
      environment_({.config = config_,
                    .store = store_,
                    .passwords = passwords_,
                    .login_limits = login_limits_,
                    .auth_key = auth::Secret(kAuthKey),
                    .jwks_document = {},
                    .draining = draining_,
                    .cluster = options.network != nullptr ? &cluster_ : nullptr,
                    .gate = &gate_,
                    .tune = options.tune}) {
  kernel.make_rings_of(options.number);
  std::vector<runtime::Waker*> wakers;
  for (std::uint32_t i = 0; i < options.shards; ++i) {
    // A descriptor that no process has: the simulated ring only counts listeners.
    shards_.push_back(std::make_unique<server::Shard>(environment_, i, grid_, 1 << 24));
    UPROAR_CHECK(shards_.back()->prepare().ok());
    wakers.push_back(&shards_.back()->waker());
  }
  for (const auto& shard : shards_) shard->connect(wakers);
  for (const auto& shard : shards_) UPROAR_CHECK(shard->start().ok());
}

void Node::begin_to_leave() {
  draining_.store(true);
  departure_.emplace(shards_,
                     server::Departure::Order{.closes_per_second = kClosesPerSecond,
                                              .spread_ms = kSpreadMs,
                                              .drain_ms_max = kDrainMsMax,
                                              .has_others = environment_.cluster != nullptr},
                     kernel_.now_us() / 1'000);
}

bool Node::is_over() {
  return departure_ && departure_->look(kernel_.now_us() / 1'000) == server::Departure::Step::kOver;
}

}  // namespace uproar::sim
