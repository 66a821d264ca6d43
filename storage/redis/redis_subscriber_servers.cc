// The servers that a subscriber listens to: who they are, which of them has which channel, and what becomes of the channels of
// one whose connection ends.
#include <algorithm>
#include <functional>
#include <utility>

#include "storage/redis/redis_subscriber.h"

namespace uproar::storage::redis {

void RedisSubscriber::servers_changed() {
  if (map_version_ != commands_.map_version()) {
    map_version_ = commands_.map_version();
    open_servers();
    route_all();
  }
  // A connection that listens cannot ask whom it listens to: a primary that has become a replica is left, and met again
  // only if it says that it is a primary.
  if (std::exchange(demotions_, commands_.counts().demotions) != demotions_) {
    for (auto& [address, server] : servers_)
      server->link->drop({.operation = "listen to Redis",
                          .subject = address + ": it has become a replica",
                          .code = 0,
                          .hint = "name the primary in --redis, or wait for the failover"});
  }
  flush_later();
}

void RedisSubscriber::open_servers() {
  const std::vector<RedisAddress> wanted = commands_.servers();
  for (const RedisAddress& address : wanted) {
    auto& server = servers_[address.text()];
    if (server != nullptr) continue;
    RedisLinkOptions options = options_;
    options.jitter_seed ^= std::hash<std::string>{}("subscriber " + address.text());
    server = std::make_unique<Server>(*this);
    server->link = std::make_unique<RedisLink>(reactor_, *server, RedisLink::Role::kSubscriber,
                                               std::vector<RedisAddress>{address}, options);
    server->link->start();
  }
  for (auto server = servers_.begin(); server != servers_.end();) {
    const auto is_this = [&](const RedisAddress& address) {
      return address.text() == server->first;
    };
    if (std::any_of(wanted.begin(), wanted.end(), is_this)) {
      ++server;
      continue;
    }
    for (auto& [name, channel] : channels_) {
      if (channel.server != server->second.get()) continue;
      interrupt(channel, BusGap::kMoved);
      // A leaving one has left; route_all() takes the rest on.
      channel.server = nullptr;
      if (channel.phase != Phase::kLeaving) channel.phase = Phase::kHomeless;
    }
    absl::erase_if(channels_, [](const auto& entry) {
      return entry.second.phase == Phase::kLeaving && entry.second.server == nullptr;
    });
    server->second->has_slots = false;
    leaving_.push_back(std::move(server->second));
    server = servers_.erase(server);
    self_->post([this] { leaving_.clear(); });
  }
}

void RedisSubscriber::route_all() {
  for (auto& [name, channel] : channels_) {
    if (channel.phase == Phase::kLeaving) continue;
    const auto address = commands_.server_for(name);
    if (!address) continue;
    const auto server = servers_.find(address->text());
    if (server == servers_.end() || server->second.get() == channel.server) continue;
    leave_server(name, channel);
    place(name, channel);
  }
}

void RedisSubscriber::leave_server(const std::string& name, Channel& channel) {
  interrupt(channel, BusGap::kMoved);
  if (channel.server != nullptr && channel.phase != Phase::kQueued)
    ask(*channel.server, name, false);
}

// The connection of `server` has ended: it knows none of its channels any more.
void RedisSubscriber::lost(Server& server) {
  counters_.disconnects.add();
  server.sent.clear();
  server.queue.clear();
  absl::erase_if(channels_, [&](const auto& entry) {
    return entry.second.server == &server && entry.second.phase == Phase::kLeaving;
  });
  counters_.channels.set(static_cast<std::int64_t>(channels_.size()));
  for (auto& [name, channel] : channels_) {
    if (channel.server != &server) continue;
    interrupt(channel, BusGap::kReconnected);
    place(name, channel);
  }
}

void RedisSubscriber::Server::on_link_up(RedisLink& /*link*/) {
  if (!has_slots) return;
  subscriber.ask_for_all(*this);
  subscriber.listener_.on_subscriber_changed();
}

void RedisSubscriber::Server::on_link_down(RedisLink& the_link, bool was_up) {
  if (!has_slots) return;
  subscriber.last_error_ = the_link.last_error();
  if (was_up) subscriber.lost(*this);
  subscriber.commands_.refresh_slots();
  subscriber.listener_.on_subscriber_changed();
}

void RedisSubscriber::Server::on_link_lost(RedisLink& /*link*/, RedisCommand /*command*/,
                                           RedisLost /*lost*/) {
  // on_link_down() has every channel wait for the next connection.
}

void RedisSubscriber::Server::on_link_pinged(RedisLink& /*link*/) {
  sent.pinged();
}

void RedisSubscriber::Server::on_link_suspect(RedisLink& /*link*/) {
  if (has_slots) subscriber.listener_.on_subscriber_changed();
}

void RedisSubscriber::Server::on_link_reply(RedisLink& /*link*/, RedisReply reply,
                                            RedisCommand /*none*/) {
  if (has_slots) subscriber.heard(*this, reply.value());
}

}  // namespace uproar::storage::redis
