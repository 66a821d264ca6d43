// Hot path: heard() per event from another node: one look into channels_, no allocation.
#include "storage/redis/redis_subscriber.h"

#include <algorithm>
#include <utility>

#include "absl/strings/string_view.h"
#include "storage/redis/redis_remedy.h"

namespace uproar::storage::redis {
namespace {

// Abseil of Debian 12 has a string_view of its own, and hashes no other.
absl::string_view key_of(std::string_view name) {
  return {name.data(), name.size()};
}

}  // namespace

RedisSubscriber::RedisSubscriber(Reactor& reactor, Listener& listener, RedisCommands& servers,
                                 const RedisLinkOptions& options, BusCounters& counters,
                                 std::int64_t (*monotonic_us)())
    : reactor_(reactor),
      listener_(listener),
      commands_(servers),
      options_(options),
      counters_(counters),
      monotonic_us_(monotonic_us),
      self_(std::make_shared<ClientLink>(reactor)) {}

RedisSubscriber::~RedisSubscriber() {
  self_->close();
  if (retry_timer_) reactor_.cancel_timer(*retry_timer_);
}

void RedisSubscriber::subscribe(std::string_view name) {
  const auto [found, is_new] = channels_.try_emplace(std::string(name));
  counters_.channels.set(static_cast<std::int64_t>(channels_.size()));
  Channel& channel = found->second;
  if (is_new) return place(found->first, channel);
  if (channel.phase != Phase::kLeaving) return;
  // The UNSUBSCRIBE is on its way already; this follows it.
  channel.phase = Phase::kQueued;
  channel.gap = BusGap::kSubscribed;
  ask(*channel.server, found->first, true);
}

void RedisSubscriber::unsubscribe(std::string_view name) {
  const auto found = channels_.find(key_of(name));
  if (found == channels_.end() || found->second.phase == Phase::kLeaving) return;
  Channel& channel = found->second;
  if (channel.phase != Phase::kLive && channel.gap != BusGap::kSubscribed) --interrupted_;
  if (channel.phase == Phase::kSent || channel.phase == Phase::kLive) {
    channel.phase = Phase::kLeaving;
    channel.gap = BusGap::kSubscribed;
    ask(*channel.server, found->first, false);
  } else {
    forget(name);
  }
  if (interrupted_ == 0) listener_.on_subscriber_changed();
}

// Gives a channel that is nowhere to the server that has it now.
void RedisSubscriber::place(const std::string& name, Channel& channel) {
  channel.phase = Phase::kHomeless;
  channel.server = nullptr;
  const auto address = commands_.server_for(name);
  if (!address) return;  // servers_changed() comes
  const auto server = servers_.find(address->text());
  if (server == servers_.end()) return;  // likewise
  channel.phase = Phase::kQueued;
  channel.server = server->second.get();
  ask(*channel.server, name, true);
}

// A server that is away is asked for nothing: however often somebody comes and goes meanwhile, there is no queue to grow.
void RedisSubscriber::ask(Server& server, const std::string& name, bool is_subscribe) {
  if (!server.link->is_up()) return;
  server.queue.push_back({.channel = name, .is_subscribe = is_subscribe});
  flush_later();
}

// It is there: everything that it has to know.
void RedisSubscriber::ask_for_all(Server& server) {
  for (const auto& [name, channel] : channels_) {
    if (channel.server == &server && channel.phase == Phase::kQueued)
      server.queue.push_back({.channel = name, .is_subscribe = true});
  }
  pump(server);
}

// It is not live from now on, though it may have been.
void RedisSubscriber::interrupt(Channel& channel, BusGap gap) {
  if (channel.phase != Phase::kLive) return;
  channel.gap = gap;
  channel.interrupted_us = monotonic_us_ != nullptr ? monotonic_us_() : 0;
  ++interrupted_;
}

void RedisSubscriber::flush_later() {
  if (flush_posted_) return;
  flush_posted_ = true;
  self_->post([this] {
    flush_posted_ = false;
    flush();
  });
}

void RedisSubscriber::flush() {
  for (auto& [address, server] : servers_) pump(*server);
}

// Moves what may be sent next from the queue into `batch`: as many of one kind as one command takes.
bool RedisSubscriber::take_next(Server& server, Sent& batch, std::size_t channels_max) {
  batch = {};
  batch.serial = ++last_serial_;
  while (!server.queue.empty() && batch.channels.size() < channels_max) {
    Intent& next = server.queue.front();
    if (!batch.channels.empty() && batch.is_subscribe != next.is_subscribe) break;
    const auto found = channels_.find(key_of(next.channel));
    const bool is_here = found != channels_.end() && found->second.server == &server;
    if (next.is_subscribe) {
      if (!is_here || found->second.phase != Phase::kQueued) {
        server.queue.pop_front();
        continue;
      }
      found->second.phase = Phase::kSent;
    }
    if (is_here) found->second.serial = batch.serial;
    batch.is_subscribe = next.is_subscribe;
    batch.channels.push_back(std::move(next.channel));
    server.queue.pop_front();
  }
  return !batch.channels.empty();
}

void RedisSubscriber::pump(Server& server) {
  if (!server.link->is_up()) return;
  const bool is_cluster = commands_.mode() == RedisCommands::Mode::kCluster;
  // Channels of one sharded command must share a slot, which random names do not.
  const std::size_t channels_max = is_cluster ? 1 : kChannelsPerCommandMax;
  Sent batch;
  while (server.sent.unconfirmed() < kUnconfirmedMax && take_next(server, batch, channels_max)) {
    std::vector<std::string_view> arguments;
    arguments.reserve(batch.channels.size() + 1);
    if (batch.is_subscribe) {
      arguments.push_back(is_cluster ? "SSUBSCRIBE" : "SUBSCRIBE");
    } else {
      arguments.push_back(is_cluster ? "SUNSUBSCRIBE" : "UNSUBSCRIBE");
    }
    arguments.insert(arguments.end(), batch.channels.begin(), batch.channels.end());
    server.link->send({.wire = WireCommand(arguments), .done = {}});
    server.sent.sent(std::move(batch));
  }
  server.link->flush();
}

// A PING is answered by a status before the first subscription, by an array after it.
void RedisSubscriber::heard(Server& server, const RedisValue& push) {
  if (server.sent.is_ping_next() && push.is_error()) return server.sent.ping_answered();
  if (push.is_error()) return refused(server, push);
  if (push.text() == "PONG" || (push.size() > 0 && push[0].text() == "pong"))
    return server.sent.ping_answered();
  if (push.size() < 3) return;
  const std::string_view kind = push[0].text();
  const std::string_view name = push[1].text();
  if (kind == "message" || kind == "smessage") {
    const auto found = channels_.find(key_of(name));
    const bool is_live = found != channels_.end() && found->second.server == &server &&
                         found->second.phase == Phase::kLive;
    if (is_live) listener_.on_channel_message(name, push[2].text());
  } else if (kind == "subscribe" || kind == "ssubscribe") {
    confirmed(server, name);
  } else if (kind == "unsubscribe" || kind == "sunsubscribe") {
    left(server, name);
  }
}

void RedisSubscriber::confirmed(Server& server, std::string_view name) {
  const std::uint64_t serial = server.sent.confirmed(name, true);
  if (serial != 0 && !server.queue.empty()) flush_later();
  const auto found = channels_.find(key_of(name));
  if (found == channels_.end() || found->second.server != &server) return;
  Channel& channel = found->second;
  if (channel.phase != Phase::kSent || channel.serial != serial) return;
  channel.phase = Phase::kLive;
  channel.redirects = 0;
  const BusGap gap = std::exchange(channel.gap, BusGap::kSubscribed);
  if (gap != BusGap::kSubscribed) {
    --interrupted_;
    counters_.gaps.add();
    if (monotonic_us_ != nullptr)
      counters_.outage_us.record(static_cast<std::uint64_t>(
          std::max<std::int64_t>(0, monotonic_us_() - channel.interrupted_us)));
  }
  listener_.on_channel_live(name, gap);
  if (gap != BusGap::kSubscribed && interrupted_ == 0) listener_.on_subscriber_changed();
}

void RedisSubscriber::left(Server& server, std::string_view name) {
  const std::uint64_t serial = server.sent.confirmed(name, false);
  if (serial != 0 && !server.queue.empty()) flush_later();
  const auto found = channels_.find(key_of(name));
  if (found == channels_.end() || found->second.server != &server) return;
  Channel& channel = found->second;
  if (channel.phase == Phase::kLeaving && channel.serial == serial) return forget(name);
  if (serial != 0 || channel.phase != Phase::kLive) return;
  // Nobody asked: its slot has moved to another server.
  interrupt(channel, BusGap::kMoved);
  place(found->first, channel);
  commands_.refresh_slots();
  listener_.on_subscriber_changed();
}

void RedisSubscriber::refused(Server& server, const RedisValue& error) {
  const Sent command = server.sent.refused();
  if (command.channels.empty()) return;
  const auto redirect = parse_redirect(error.text(), server.link->address());
  if (!redirect)
    last_error_ = {.operation = "subscribe",
                   .subject = server.link->address().text() + ": " + std::string(error.text()),
                   .code = 0,
                   .hint = std::string(remedy_for(error.text()))};
  if (redirect) commands_.learn(*redirect);
  if (error.text().starts_with("CLUSTERDOWN")) commands_.refresh_slots();
  for (const std::string& name : command.channels) {
    const auto found = channels_.find(key_of(name));
    if (found == channels_.end() || found->second.server != &server ||
        found->second.serial != command.serial)
      continue;
    Channel& channel = found->second;
    if (channel.phase == Phase::kLeaving) {
      forget(name);
    } else if (channel.phase == Phase::kSent) {
      channel.phase = Phase::kHomeless;
      channel.server = nullptr;
      // Servers that send it to and fro disagree, and need time.
      const bool waits = !redirect || ++channel.redirects > kRedirectsMax;
      if (waits) {
        refused_.push_back(name);
      } else {
        place(name, channel);
      }
    }
  }
  if (!refused_.empty()) retry_later();
  // A server that was not known before is opened, and all channels are looked at, once a turn: slots move by thousands.
  if (redirect) listener_.on_subscriber_changed();
}

void RedisSubscriber::forget(std::string_view name) {
  channels_.erase(key_of(name));
  counters_.channels.set(static_cast<std::int64_t>(channels_.size()));
}

void RedisSubscriber::retry_later() {
  if (retry_timer_) return;
  retry_timer_ = reactor_.arm_timer(kRejectedRetryMs, [this] {
    retry_timer_.reset();
    for (const std::string& name : std::exchange(refused_, {})) {
      const auto found = channels_.find(key_of(name));
      if (found == channels_.end() || found->second.phase != Phase::kHomeless) continue;
      found->second.redirects = 0;
      place(found->first, found->second);
    }
  });
}

bool RedisSubscriber::is_whole() const {
  return interrupted_ == 0 && !servers_.empty() &&
         std::all_of(servers_.begin(), servers_.end(), [](const auto& server) {
           return server.second->link->is_up() && !server.second->link->is_suspect();
         });
}

std::size_t RedisSubscriber::queued() const {
  std::size_t sum = 0;
  for (const auto& [address, server] : servers_) sum += server->queue.size();
  return sum;
}

bool RedisSubscriber::is_partly_up() const {
  return std::any_of(servers_.begin(), servers_.end(),
                     [](const auto& server) { return server.second->link->is_up(); });
}

}  // namespace uproar::storage::redis
