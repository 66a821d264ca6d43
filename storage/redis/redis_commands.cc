// Hot path: send() per publish: no allocation beyond the command's own, and in a cluster the text of an address. One write
// for each server and turn.
#include "storage/redis/redis_commands.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "storage/redis/redis_remedy.h"

namespace uproar::storage::redis {
namespace {

// What RESP adds to each argument: "$", its length, two line ends.
constexpr std::size_t kFramingBytes = 16;

}  // namespace

RedisCommands::RedisCommands(Reactor& reactor, Listener& listener, const RedisUrl& url,
                             RedisLinkOptions options)
    : reactor_(reactor),
      listener_(listener),
      options_(std::move(options)),
      self_(std::make_shared<ClientLink>(reactor)),
      seed_(reactor, *this, RedisLink::Role::kCommands, url.seeds, options_) {}

RedisCommands::~RedisCommands() {
  self_->close();
  if (slots_timer_) reactor_.cancel_timer(*slots_timer_);
}

void RedisCommands::start() {
  seed_.start();
}

SendResult RedisCommands::send(std::string_view key, std::span<const std::string_view> arguments,
                               RedisDone done) {
  RedisLink* link = find_link(key);
  if (link == nullptr || !link->is_up()) return SendResult::kDown;
  std::size_t bytes = 0;
  for (const std::string_view argument : arguments) bytes += argument.size() + kFramingBytes;
  if (outgoing_bytes_ + bytes > kBusOutgoingBytesMax) return SendResult::kFull;
  RedisCommand command{.wire = WireCommand(arguments), .done = std::move(done)};
  outgoing_bytes_ += command.wire.size();
  link->send(std::move(command));
  flush_later();
  return SendResult::kQueued;
}

void RedisCommands::flush_later() {
  if (flush_posted_) return;
  flush_posted_ = true;
  self_->post([this] {
    flush_posted_ = false;
    flush();
  });
}

void RedisCommands::flush() {
  seed_.flush();
  for (auto& [address, link] : links_) link->flush();
}

RedisLink* RedisCommands::find_link(std::string_view key) {
  if (mode_ == Mode::kSingle) return &seed_;
  if (mode_ == Mode::kUnknown) return nullptr;
  const RedisAddress* server = slots_.server_of(slot_of(key));
  return server == nullptr ? nullptr : &link_to(*server);
}

RedisLink& RedisCommands::link_to(const RedisAddress& server) {
  auto& link = links_[server.text()];
  if (link == nullptr) {
    RedisLinkOptions options = options_;
    options.jitter_seed ^= std::hash<std::string>{}(server.text());
    RedisLink::Owner& owner = *this;  // make_unique has no access to the private base
    link = std::make_unique<RedisLink>(reactor_, owner, RedisLink::Role::kCommands,
                                       std::vector<RedisAddress>{server}, options);
    link->start();
  }
  return *link;
}

std::optional<RedisAddress> RedisCommands::server_for(std::string_view key) const {
  if (mode_ == Mode::kSingle) return seed_.address();
  const RedisAddress* server = mode_ == Mode::kCluster ? slots_.server_of(slot_of(key)) : nullptr;
  return server == nullptr ? std::nullopt : std::optional(*server);
}

std::vector<RedisAddress> RedisCommands::servers() const {
  if (mode_ == Mode::kSingle) return {seed_.address()};
  return mode_ == Mode::kCluster ? slots_.servers() : std::vector<RedisAddress>();
}

bool RedisCommands::can_reach(std::string_view key) {
  const RedisLink* link = find_link(key);
  return link != nullptr && link->is_up();
}

bool RedisCommands::is_whole() const {
  const auto is_well = [](const RedisLink& link) { return link.is_up() && !link.is_suspect(); };
  if (mode_ != Mode::kCluster) return mode_ == Mode::kSingle && is_well(seed_);
  return slots_.is_complete() && std::all_of(links_.begin(), links_.end(), [&](const auto& link) {
           return is_well(*link.second);
         });
}

bool RedisCommands::is_partly_up() const {
  return servers_up() > 0;
}

std::size_t RedisCommands::servers_up() const {
  if (mode_ != Mode::kCluster) return seed_.is_up() ? 1 : 0;
  return static_cast<std::size_t>(std::count_if(
      links_.begin(), links_.end(), [](const auto& link) { return link.second->is_up(); }));
}

void RedisCommands::learn(const Redirect& redirect) {
  ++counts_.redirects;
  if (mode_ != Mode::kCluster || redirect.is_ask) return;
  const RedisAddress* known = slots_.server_of(redirect.slot);
  if (known != nullptr && *known == redirect.address) return;  // somebody else was told before
  slots_.assign(redirect.slot, redirect.address);
  ++map_version_;
  (void)link_to(redirect.address);
  refresh_slots();
}

void RedisCommands::refresh_slots() {
  if (mode_ != Mode::kCluster) return;
  slots_wanted_ = true;
  if (!slots_timer_) ask_for_slots();
}

RedisLink* RedisCommands::next_to_ask() {
  std::vector<RedisLink*> up;
  for (auto& [address, link] : links_)
    if (link->is_up()) up.push_back(link.get());
  if (up.empty()) return seed_.is_up() ? &seed_ : nullptr;
  return up[asked_++ % up.size()];
}

void RedisCommands::ask_for_slots() {
  RedisLink* link = next_to_ask();
  slots_timer_ = reactor_.arm_timer(kSlotMapIntervalMs, [this] {
    slots_timer_.reset();
    if (slots_wanted_) refresh_slots();
  });
  if (link == nullptr) return;  // stays wanted
  slots_wanted_ = false;
  RedisCommand command{
      .wire = WireCommand{"CLUSTER", "SLOTS"},
      .done = [this, from = link->address()](const auto& result) { slots_answered(from, result); }};
  outgoing_bytes_ += command.wire.size();
  link->send(std::move(command));
  flush_later();
}

void RedisCommands::slots_answered(const RedisAddress& from,
                                   const Result<RedisReply, RedisLost>& result) {
  if (mode_ != Mode::kCluster) return;
  SlotMap told;
  if (!result.ok() || !told.read(result.value().value(), from)) return refresh_slots();
  // A server that knows less, because it was reset or is no member any more, takes nothing away; another is asked.
  if (!told.is_complete()) refresh_slots();
  if (told.servers().empty() && links_.empty())
    return seed_.drop({.operation = "ask for the slots of the cluster",
                       .subject = from.text() + ": it knows of none",
                       .code = 0,
                       .hint = "make it a member of the cluster, or name others in --redis"});
  told.fill_from(slots_);
  if (told == slots_) return;
  slots_ = std::move(told);
  ++map_version_;
  open_links();
  listener_.on_redis_changed();
}

void RedisCommands::open_links() {
  const auto& servers = slots_.servers();
  for (const RedisAddress& server : servers) (void)link_to(server);
  for (auto link = links_.begin(); link != links_.end();) {
    const auto is_this = [&](const RedisAddress& server) { return server.text() == link->first; };
    if (std::any_of(servers.begin(), servers.end(), is_this)) {
      ++link;
      continue;
    }
    // What it has not answered is reported lost before it goes. It may be the one whose answer is being read, so it
    // goes in the next turn.
    RedisLink& leaving = *leaving_.emplace_back(std::move(link->second));
    link = links_.erase(link);
    writes_of_closed_ += leaving.writes();
    leaving.drop({.operation = "leave a server that has no slots",
                  .subject = leaving.address().text(),
                  .code = 0,
                  .hint = ""});
    self_->post([this] { leaving_.clear(); });
  }
}

void RedisCommands::on_link_up(RedisLink& link) {
  if (&link == &seed_) {
    ++map_version_;
    const Mode mode = link.server().is_cluster ? Mode::kCluster : Mode::kSingle;
    if (mode != mode_) {
      mode_ = mode;
      slots_.clear();
      open_links();
    }
    if (mode_ == Mode::kCluster) refresh_slots();
  }
  listener_.on_redis_changed();
}

void RedisCommands::on_link_down(RedisLink& link, bool was_up) {
  last_error_ = link.last_error();
  if (was_up) ++counts_.disconnects;
  if (was_up && mode_ == Mode::kSingle && link.server().is_replica) ++counts_.demotions;
  if (&link != &seed_) refresh_slots();
  listener_.on_redis_changed();
}

void RedisCommands::on_link_lost(RedisLink& /*link*/, RedisCommand command, RedisLost lost) {
  answer(command, Err{lost});
}

void RedisCommands::on_link_suspect(RedisLink& /*link*/) {
  listener_.on_redis_changed();
}

void RedisCommands::on_link_reply(RedisLink& link, RedisReply reply, RedisCommand command) {
  const RedisValue value = reply.value();
  if (value.is_error()) {
    const auto redirect = parse_redirect(value.text(), link.address());
    if (redirect && mode_ == Mode::kCluster && command.redirects < kRedirectsMax) {
      learn(*redirect);
      return follow(*redirect, std::move(command));
    }
    if (value.text().starts_with("CLUSTERDOWN")) refresh_slots();
    last_error_ = {.operation = "command to Redis",
                   .subject = link.address().text() + ": " + std::string(value.text()),
                   .code = 0,
                   .hint = std::string(remedy_for(value.text()))};
  }
  answer(command, std::move(reply));
}

void RedisCommands::follow(const Redirect& redirect, RedisCommand command) {
  RedisLink& link = link_to(redirect.address);
  if (!link.is_up()) return answer(command, Err{RedisLost{.was_written = false}});
  ++command.redirects;
  if (redirect.is_ask) {
    RedisCommand asking{.wire = WireCommand{"ASKING"}, .done = {}};
    outgoing_bytes_ += asking.wire.size();
    link.send(std::move(asking));
  }
  link.send(std::move(command));
  flush_later();
}

void RedisCommands::answer(RedisCommand& command, const Result<RedisReply, RedisLost>& result) {
  outgoing_bytes_ -= command.wire.size();
  if (command.done) command.done(result);
}

std::uint64_t RedisCommands::writes() const {
  std::uint64_t sum = seed_.writes() + writes_of_closed_;
  for (const auto& [address, link] : links_) sum += link->writes();
  return sum;
}

}  // namespace uproar::storage::redis
