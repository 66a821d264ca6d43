// Hot path: publish() per event to another node: three allocations (the command, the name that its answer comes back with,
// the callback) and two copies of the payload, behind its header and into the command; on_channel_message() per event from
// another node: none.
#include "storage/redis/redis_bus.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "proto/base/check.h"

namespace uproar::storage::redis {
namespace {

RedisLinkOptions link_options(const RedisBusOptions& options) {
  return {.user = options.url.user,
          .password = options.url.password,
          .db = options.url.db,
          .client_name = "uproar/" + options.node.text() + "/" + std::to_string(options.shard),
          .heartbeat_ms = options.heartbeat_ms,
          .backoff_ms_min = options.backoff_ms_min,
          .backoff_ms_max = options.backoff_ms_max,
          .jitter_seed = options.node.uuid().low ^ options.shard};
}

// Counters that somebody else keeps as plain sums.
void catch_up(Counter& counter, std::uint64_t sum) {
  if (sum > counter.value()) counter.add(sum - counter.value());
}

}  // namespace

RedisBus::RedisBus(Reactor& reactor, BusListener& listener, const RedisBusOptions& options)
    : reactor_(reactor),
      listener_(listener),
      options_(options),
      self_(std::make_shared<ClientLink>(reactor)),
      commands_(reactor, *this, options_.url, link_options(options_)),
      subscriber_(reactor, *this, commands_, link_options(options_), counters_,
                  options_.monotonic_us) {
  UPROAR_CHECK(!options_.node.is_nil());
  commands_.start();
}

RedisBus::~RedisBus() {
  self_->close();
  if (retry_timer_) reactor_.cancel_timer(*retry_timer_);
}

std::string_view RedisBus::name_of(std::string_view channel) {
  UPROAR_CHECK(channel.size() <= kBusChannelBytesMax, channel.size());
  name_.assign(options_.prefix).append(channel);
  return name_;
}

std::string_view RedisBus::channel_of(std::string_view name) const {
  return name.substr(options_.prefix.size());
}

void RedisBus::subscribe(std::string_view channel) {
  subscriber_.subscribe(name_of(channel));
}
void RedisBus::unsubscribe(std::string_view channel) {
  subscriber_.unsubscribe(name_of(channel));
}

PublishResult RedisBus::publish(std::string_view channel, std::uint8_t kind, std::uint64_t seq,
                                ByteView payload) {
  if (payload.size() > kBusPayloadBytesMax) {
    counters_.refused_too_large.add();
    return PublishResult::kTooLarge;
  }
  const std::string_view name = name_of(channel);
  const auto header =
      encode_bus_header({.node = options_.node, .shard = options_.shard, .kind = kind, .seq = seq});
  message_.assign(as_text(header)).append(as_text(payload));
  const bool is_cluster = commands_.mode() == RedisCommands::Mode::kCluster;
  const SendResult sent =
      commands_.send(name, {is_cluster ? "SPUBLISH" : "PUBLISH", name, message_},
                     [this, name = std::string(name)](const Result<RedisReply, RedisLost>& answer) {
                       published(name, answer);
                     });
  switch (sent) {
    case SendResult::kQueued:
      counters_.published.add();
      counters_.published_bytes.add(payload.size());
      return PublishResult::kQueued;
    case SendResult::kFull:
      counters_.refused_full.add();
      doubt(name);
      return PublishResult::kFull;
    case SendResult::kDown:
      break;
  }
  counters_.refused_down.add();
  doubt(name);
  return PublishResult::kDown;
}

void RedisBus::flush() {
  commands_.flush();
  subscriber_.flush();
  sync_counters();
}

// Of a cluster, also whoever listens at a server that was away when all was reported.
bool RedisBus::is_settled() const {
  return commands_.outgoing_bytes() == 0 && in_doubt_.empty() && !all_in_doubt_ && !told_servers_;
}

const SystemError& RedisBus::last_error() const {
  return commands_.is_whole() && !rejecting_ && !writes_refused_ ? subscriber_.last_error()
                                                                 : commands_.last_error();
}

void RedisBus::set_writes_refused(bool are_refused) {
  if (std::exchange(writes_refused_, are_refused) != are_refused) look_again();
}

void RedisBus::published(std::string_view name, const Result<RedisReply, RedisLost>& answer) {
  if (!answer.ok()) {
    counters_.lost.add();
    return doubt(name);
  }
  if (answer.value().value().is_error()) {
    counters_.rejected.add();
    doubt(name);
    return retry_later();
  }
  if (!in_doubt_.empty() || all_in_doubt_) look_again();
}

void RedisBus::doubt(std::string_view name) {
  if (all_in_doubt_) return;
  if (in_doubt_.size() < kBusInDoubtChannelsMax) {
    in_doubt_.insert(std::string(name));
    return;
  }
  all_in_doubt_ = true;
  in_doubt_.clear();
}

void RedisBus::retry_later() {
  if (!std::exchange(rejecting_, true)) look_again();
  if (retry_timer_) return;
  retry_timer_ = reactor_.arm_timer(kRejectedRetryMs, [this] {
    retry_timer_.reset();
    rejecting_ = false;
    look();
  });
}

void RedisBus::report_doubts() {
  // With half of the room free, what the listener publishes now finds some.
  if (rejecting_ || commands_.outgoing_bytes() > kBusOutgoingBytesMax / 2) return;
  // Whoever is reached is told now, however long another server stays away: then once more for each that comes.
  const std::size_t up = commands_.servers_up();
  const bool has_come = told_servers_ && up > *told_servers_;
  if (told_servers_) told_servers_ = std::min(*told_servers_, up);
  if ((all_in_doubt_ || has_come) && up > 0) {
    all_in_doubt_ = false;
    told_servers_ = commands_.is_whole() ? std::nullopt : std::optional(up);
    listener_.on_publish_lost({}, true);
  }
  if (all_in_doubt_) return;
  std::vector<std::string> channels;
  absl::erase_if(in_doubt_, [&](const std::string& name) {
    if (!commands_.can_reach(name)) return false;
    channels.emplace_back(channel_of(name));
    return true;
  });
  if (!channels.empty()) listener_.on_publish_lost(channels, false);
}

void RedisBus::look_again() {
  if (look_posted_) return;
  look_posted_ = true;
  self_->post([this] {
    look_posted_ = false;
    look();
  });
}

void RedisBus::look() {
  subscriber_.servers_changed();
  if (std::exchange(demotions_, commands_.counts().demotions) != demotions_) {
    all_in_doubt_ = true;  // the replica said that it took them
    in_doubt_.clear();
  }
  sync_counters();
  BusState now = BusState::kDown;
  if (commands_.is_whole() && subscriber_.is_whole() && !rejecting_ && !writes_refused_) {
    now = BusState::kUp;
  } else if (commands_.is_partly_up() || subscriber_.is_partly_up()) {
    now = BusState::kUncertain;
  }
  if (now != state_) {
    state_ = now;
    counters_.state.set(static_cast<std::int64_t>(now));
    listener_.on_bus_state(now);
  }
  report_doubts();
}

void RedisBus::sync_counters() {
  catch_up(counters_.writes, commands_.writes());
  catch_up(counters_.redirects, commands_.counts().redirects);
  counters_.outgoing_bytes.set(static_cast<std::int64_t>(commands_.outgoing_bytes()));
}

void RedisBus::on_channel_message(std::string_view name, std::string_view bytes) {
  const auto message = decode_bus_message(as_bytes(bytes));
  if (!message) return counters_.malformed.add();
  if (message->header.node == options_.node) return counters_.echoes.add();
  counters_.received.add();
  counters_.received_bytes.add(message->payload.size());
  listener_.on_bus_message(channel_of(name), *message);
}

void RedisBus::on_channel_live(std::string_view name, BusGap gap) {
  listener_.on_bus_live(channel_of(name), gap);
}

}  // namespace uproar::storage::redis
