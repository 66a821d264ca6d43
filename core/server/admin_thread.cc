#include "core/server/admin_thread.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/runtime/clock.h"
#include "core/server/limits.h"

namespace uproar::server {
namespace {

runtime::ShardThread::Options thread_options() {
  runtime::ShardThread::Options options;
  options.pin = false;
  options.ring = {.sq_entries = runtime::kSmallSqEntries,
                  .cq_entries = runtime::kSmallCqEntries,
                  .direct_slots = kAdminConnectionsMax,
                  .recv_buffers = runtime::kSmallRecvBuffers};
  return options;
}

net::NetOptions net_options(std::uint32_t direct_slots) {
  net::NetOptions options;
  options.connections_max = direct_slots;
  options.http_body_bytes_max = kAdminBodyBytesMax;
  options.input_shard_bytes_max = kAdminRequestBytesMax;
  options.egress_shard_bytes_max = kAdminAnswerBytesMax;
  options.handshakes_per_address_per_second_max = 0;
  return options;
}

}  // namespace

AdminThread::AdminThread(Parts parts)
    : parts_(std::move(parts)), nodes_(parts_.self, 0), thread_(thread_options(), *this) {}

AdminThread::~AdminThread() {
  stop();
}

void AdminThread::stop() {
  thread_.request_stop();
  thread_.join();
}

void AdminThread::see(std::vector<storage::NodeRecord> nodes) {
  fresh_nodes_.leave(std::move(nodes));
  (void)thread_.waker().wake_from_thread();
}

Result<void, SystemError> AdminThread::on_start(runtime::ShardContext& context) {
  (void)::pthread_setname_np(::pthread_self(), "admin");
  // Best effort, and of this thread alone: on Linux the priority is the thread's.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), runtime::kBlockingNice);
  context_ = &context;
  const std::uint32_t slots = context.ring().direct_slots();
  net_ = std::make_unique<net::ShardNet>(context.ring(), *this, net_options(slots));
  gateway_ = std::make_unique<gateway::AdminGateway>(gateway::AdminGateway::Parts{
      .net = *net_,
      .nodes = nodes_,
      .counters = counters_.gateway,
      .render_metrics = [this] { return render(); },
      .draining = parts_.draining,
      .hosts = parts_.listener->address().is_local() ? gateway::AdminGateway::Hosts::kNoNames
                                                     : gateway::AdminGateway::Hosts::kAny,
      .connections_max = slots});
  net_->on_tick(context.now());
  net_->add_listener(parts_.listener->fd());
  return {};
}

std::string AdminThread::render() {
  const std::int64_t began_us = runtime::monotonic_us();
  std::string text = parts_.render_metrics();
  counters_.rendering_us.record(static_cast<std::uint64_t>(runtime::monotonic_us() - began_us));
  return text;
}

void AdminThread::on_completion(const runtime::Completion& completion) {
  net_->on_completion(completion, context_->now());
}

void AdminThread::on_parcels() {
  if (auto fresh = fresh_nodes_.take()) nodes_.see(std::move(*fresh));
}

void AdminThread::on_tick(const Now& now) {
  net_->on_tick(now);
  gateway_->on_tick(now);
}

bool AdminThread::flush(const Now& now) {
  return net_->flush(now);
}

std::int64_t AdminThread::next_deadline_us() const {
  constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  return std::min(net_->next_deadline().value_or(kNever), gateway_->next_deadline_us());
}

void AdminThread::on_request(net::ConnectionId connection, const http::Request& request) {
  gateway_->on_request(connection, request);
}

net::UpgradeAnswer AdminThread::on_upgrade(net::ConnectionId, const http::Request&) {
  return {.accept = false, .status = 404, .subprotocol = {}, .body = {}};
}

}  // namespace uproar::server
