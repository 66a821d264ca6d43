#include "storage/redis/sent_subscriptions.h"

#include <utility>

namespace uproar::storage::redis {

void SentSubscriptions::sent(Command command) {
  unconfirmed_ += command.channels.size();
  sent_.push_back({.command = std::move(command)});
}

void SentSubscriptions::pinged() {
  sent_.emplace_back().is_ping = true;
}

std::uint64_t SentSubscriptions::confirmed(std::string_view channel, bool is_subscribe) {
  if (sent_.empty()) return 0;
  Entry& oldest = sent_.front();
  if (oldest.is_ping || oldest.command.is_subscribe != is_subscribe) return 0;
  if (oldest.command.channels[oldest.confirmed] != channel) return 0;
  const std::uint64_t serial = oldest.command.serial;
  --unconfirmed_;
  if (++oldest.confirmed == oldest.command.channels.size()) sent_.pop_front();
  return serial;
}

SentSubscriptions::Command SentSubscriptions::refused() {
  if (sent_.empty()) return {};
  const Entry oldest = std::move(sent_.front());
  sent_.pop_front();
  unconfirmed_ -= oldest.command.channels.size() - oldest.confirmed;
  return oldest.command;
}

void SentSubscriptions::ping_answered() {
  if (is_ping_next()) sent_.pop_front();
}

void SentSubscriptions::clear() {
  sent_.clear();
  unconfirmed_ = 0;
}

}  // namespace uproar::storage::redis
