// Hot path: send() and the reply per publish, the reply per event from another node: no allocations here once the queue is
// warm; system calls: one for kGatherMax commands, one for kReadBytes of replies.
#include "storage/redis/redis_link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "proto/base/check.h"
#include "storage/file_remedy.h"
#include "storage/redis/redis_remedy.h"

namespace uproar::storage::redis {
namespace {

// splitmix64: enough to keep a hundred shards from knocking at the same moment.
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

constexpr const char* kStartIt = "start Redis there, or correct host and port in --redis";
constexpr const char* kIsItRedis = "correct host and port in --redis, if that is no Redis";
constexpr const char* kSeeWhy = "look at its log, and at the network between";
constexpr const char* kNoAnswer =
    "look at that server, and at a firewall before it: nothing answers at this host and port";

}  // namespace

RedisLink::RedisLink(Reactor& reactor, Owner& owner, Role role, std::vector<RedisAddress> addresses,
                     const RedisLinkOptions& options)
    : reactor_(reactor),
      owner_(owner),
      role_(role),
      addresses_(std::move(addresses)),
      options_(options),
      lookups_(std::make_shared<ClientLink>(reactor)),
      jitter_(options.jitter_seed) {
  UPROAR_CHECK(!addresses_.empty());
}

RedisLink::~RedisLink() {
  lookups_->close();
  close_socket();
}

void RedisLink::start() {
  UPROAR_CHECK(state_ == State::kStopped);
  connect();
}

void RedisLink::connect() {
  state_ = State::kResolving;
  ++attempt_;
  // Looking up, connecting and greeting together have as long as a server that is up may be silent.
  arm(options_.heartbeat_ms * static_cast<std::uint32_t>(kDeadHeartbeats), &RedisLink::heartbeat);
  LookedUp number = look_up_number(address());
  if (number.ok()) return resolved(std::move(number));
  look_up();
}

// One at a time: a resolver may need longer than the attempt that asked has, and then serves the next.
void RedisLink::look_up() {
  if (std::exchange(is_looking_up_, true)) return;
  look_up_name(address(), lookups_, [this, asked = address()](LookedUp found) {
    is_looking_up_ = false;
    if (state_ != State::kResolving) return;
    if (asked != address()) return look_up();
    resolved(std::move(found));
  });
}

void RedisLink::resolved(LookedUp found) {
  if (!found.ok()) return fail(found.error());
  if (found->empty())
    return fail(error_of("look up host", 0, "correct the host in --redis", "it has no address"));
  state_ = State::kConnecting;
  // A name may have several addresses; the attempts go through them.
  const SocketAddress& target = (*found)[attempt_ % found->size()];
  fd_ = ::socket(target.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return fail(error_of("open a socket to Redis", errno, file_remedy(errno, "")));
  const int on = 1;
  (void)::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(fd_, target.data(), target.bytes) == 0) return connected();
  if (errno != EINPROGRESS) return fail(error_of("connect to Redis", errno, kStartIt));
  writable_ = reactor_.watch(fd_, POLLOUT, [this](short) {
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0)
      return fail(error_of("connect to Redis", error, error == ETIMEDOUT ? kNoAnswer : kStartIt));
    reactor_.unwatch(*std::exchange(writable_, std::nullopt));
    connected();
  });
}

void RedisLink::connected() {
  state_ = State::kGreeting;
  reader_.emplace();
  readable_ = reactor_.watch(fd_, POLLIN, [this](short events) { on_socket(events); });
  greet();
}

void RedisLink::greet() {
  std::vector<std::string_view> hello{"HELLO", "2"};
  const std::string_view user = options_.user.empty() ? "default" : std::string_view(options_.user);
  if (!options_.password.empty())
    for (const std::string_view word :
         {std::string_view("AUTH"), user, std::string_view(options_.password)})
      hello.push_back(word);
  if (!options_.client_name.empty()) {
    hello.emplace_back("SETNAME");
    hello.emplace_back(options_.client_name);
  }
  commands_.push_back({.wire = WireCommand(hello),
                       .done = [this](const auto& answer) { greeted(answer.value()); }});
  flush();
}

std::optional<SystemError> RedisLink::refusal_of(const RedisValue& hello) {
  if (hello.is_error()) return error_of("greet Redis", 0, remedy_for(hello.text()), hello.text());
  server_ = {};
  for (std::size_t i = 0; i + 1 < hello.size(); i += 2) {
    const std::string_view key = hello[i].text();
    if (key == "version") server_.version = hello[i + 1].text();
    if (key == "mode") server_.is_cluster = hello[i + 1].text() == "cluster";
    if (key == "role") server_.is_replica = hello[i + 1].text() != "master";
  }
  if (server_.version.empty())
    return error_of("greet Redis", 0, "correct host and port in --redis",
                    "the answer to HELLO is none of Redis");
  const bool is_too_old = server_.version[0] < '7' && server_.version.find('.') == 1;
  if (server_.is_cluster && is_too_old)
    return error_of(
        "greet Redis", 0, "run Redis 7.0 or later",
        "a cluster of version " + server_.version + " has no sharded publish/subscribe");
  if (server_.is_cluster && options_.db != 0)
    return error_of("greet Redis", 0, "leave the number at the end out of --redis",
                    "a cluster has no database but 0");
  if (!server_.is_cluster && server_.is_replica)
    return error_of("greet Redis", 0, "name the primary in --redis",
                    "this is a replica, and what is published to it stays there");
  return std::nullopt;
}

void RedisLink::greeted(const RedisReply& answer) {
  if (auto refusal = refusal_of(answer.value())) return fail(std::move(*refusal));
  if (options_.db == 0) return become_up();
  commands_.push_back(
      {.wire = WireCommand{"SELECT", std::to_string(options_.db)},
       .done = [this](const auto& selected) { database_selected(selected.value()); }});
  flush();
}

void RedisLink::database_selected(const RedisReply& answer) {
  const RedisValue value = answer.value();
  if (value.is_error())
    return fail(error_of("select database", 0, remedy_for(value.text()), value.text()));
  become_up();
}

void RedisLink::become_up() {
  state_ = State::kUp;
  silent_heartbeats_ = 0;
  heard_since_heartbeat_ = true;
  arm(options_.heartbeat_ms, &RedisLink::heartbeat);
  owner_.on_link_up(*this);
}

void RedisLink::drop(SystemError reason) {
  if (fd_ >= 0) fail(std::move(reason));
}

void RedisLink::send(RedisCommand command) {
  UPROAR_CHECK(is_up());
  commands_.push_back(std::move(command));
}

void RedisLink::flush() {
  if (fd_ < 0 || writable_.has_value()) return;  // blocked: on_socket() goes on
  while (written_ < commands_.size()) {
    std::array<iovec, kGatherMax> pieces;
    const std::size_t count = std::min(kGatherMax, commands_.size() - written_);
    for (std::size_t i = 0; i < count; ++i) {
      const WireCommand& wire = commands_[written_ + i].wire;
      const std::size_t skip = i == 0 ? written_of_next_ : 0;
      pieces[i] = {.iov_base = const_cast<char*>(wire.data()) + skip,
                   .iov_len = wire.size() - skip};
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return fail(error_of("speak to Redis", errno, kSeeWhy));
    if (sent < 0) {
      writable_ = reactor_.watch(fd_, POLLOUT, [this](short) {
        reactor_.unwatch(*std::exchange(writable_, std::nullopt));
        flush();
      });
      return;
    }
    ++writes_;
    written_of_next_ += static_cast<std::size_t>(sent);
    while (written_ < commands_.size() && written_of_next_ >= commands_[written_].wire.size()) {
      written_of_next_ -= commands_[written_].wire.size();
      const bool awaits_reply = role_ == Role::kCommands || state_ != State::kUp;
      if (awaits_reply) {
        ++written_;
      } else {
        commands_.pop_front();
      }
    }
  }
}

void RedisLink::on_socket(short events) {
  if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) receive();
}

void RedisLink::receive() {
  const std::uint64_t attempt = attempt_;
  std::array<std::byte, kReadBytes> buffer;
  for (int reads = 0; reads < kReadsPerTurnMax; ++reads) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) return fail(error_of("hear Redis", errno, kSeeWhy));
    if (got == 0)
      return state_ == State::kUp
                 ? fail(error_of("hear Redis", 0, "look at its log: was it stopped?",
                                 "it closed the connection"))
                 : fail(error_of("greet Redis", 0,
                                 "correct host and port in --redis, if that is no Redis",
                                 "it closed the connection before it answered"));
    heard_since_heartbeat_ = true;
    if (!reader_->feed(ByteView(buffer.data(), static_cast<std::size_t>(got))))
      return fail(error_of("hear Redis", 0, kIsItRedis, reader_->error()));
    while (auto reply = reader_->next()) {
      dispatch(std::move(*reply));
      if (attempt != attempt_ || fd_ < 0) return;  // a callback ended this connection
    }
    if (reader_->failed()) return fail(error_of("hear Redis", 0, kIsItRedis, reader_->error()));
    if (static_cast<std::size_t>(got) < buffer.size()) return;
  }
}

void RedisLink::dispatch(RedisReply reply) {
  if (role_ == Role::kSubscriber && state_ == State::kUp) {
    owner_.on_link_reply(*this, std::move(reply), {});
    return;
  }
  if (written_ == 0)
    return fail(error_of("hear Redis", 0, kIsItRedis, "it answered what was not asked"));
  RedisCommand command = std::move(commands_.front());
  commands_.pop_front();
  --written_;
  if (state_ == State::kGreeting) {
    command.done(std::move(reply));
  } else if (command.is_heartbeat) {
    heartbeat_answered(reply.value());
  } else {
    owner_.on_link_reply(*this, std::move(reply), std::move(command));
  }
}

void RedisLink::heartbeat() {
  if (state_ != State::kUp)
    return fail(error_of(state_ == State::kGreeting ? "greet Redis" : "connect to Redis", ETIMEDOUT,
                         kNoAnswer));
  backoff_ms_ = 0;  // it has lived for a while
  const bool was_suspect = is_suspect();
  silent_heartbeats_ = heard_since_heartbeat_ ? 0 : silent_heartbeats_ + 1;
  heard_since_heartbeat_ = false;
  if (silent_heartbeats_ >= kDeadHeartbeats)
    return fail(error_of("hear the pulse of Redis", ETIMEDOUT,
                         "look at that server: it is stopped, overloaded or cut off"));
  arm(options_.heartbeat_ms, &RedisLink::heartbeat);
  // HELLO tells the role, too; where one listens only PING is allowed.
  if (role_ == Role::kCommands) {
    send({.wire = WireCommand{"HELLO", "2"}, .done = {}, .is_heartbeat = true});
  } else {
    send({.wire = WireCommand{"PING"}, .done = {}, .is_heartbeat = true});
    owner_.on_link_pinged(*this);
  }
  flush();
  if (is_up() && was_suspect != is_suspect()) owner_.on_link_suspect(*this);
}

// A primary may become a replica and stay connected. It would take what is published, and keep it to itself.
void RedisLink::heartbeat_answered(const RedisValue& hello) {
  if (hello.is_error()) return;  // it answers
  if (auto refusal = refusal_of(hello)) fail(std::move(*refusal));
}

void RedisLink::arm(std::uint32_t delay_ms, void (RedisLink::*then)()) {
  if (timer_) reactor_.cancel_timer(*timer_);
  timer_ = reactor_.arm_timer(delay_ms, [this, then] {
    timer_.reset();
    (this->*then)();
  });
}

std::uint32_t RedisLink::next_backoff_ms() {
  backoff_ms_ = std::clamp(backoff_ms_ * 2, options_.backoff_ms_min, options_.backoff_ms_max);
  const std::uint32_t half = backoff_ms_ / 2;
  return half + static_cast<std::uint32_t>(next_random(jitter_) % (backoff_ms_ - half + 1));
}

void RedisLink::fail(SystemError error) {
  const bool was_up = is_up();
  last_error_ = std::move(error);
  close_socket();
  state_ = State::kWaiting;
  ++attempt_;
  silent_heartbeats_ = 0;
  std::deque<RedisCommand> lost;
  lost.swap(commands_);
  const std::size_t written = std::exchange(written_, 0) + (written_of_next_ > 0 ? 1 : 0);
  written_of_next_ = 0;
  address_index_ = (address_index_ + 1) % addresses_.size();
  arm(next_backoff_ms(), &RedisLink::connect);
  owner_.on_link_down(*this, was_up);
  if (!was_up) return;  // only the greeting was waiting
  for (std::size_t i = 0; i < lost.size(); ++i) {
    if (lost[i].is_heartbeat) continue;
    owner_.on_link_lost(*this, std::move(lost[i]), {.was_written = i < written});
  }
}

void RedisLink::close_socket() {
  if (readable_) reactor_.unwatch(*std::exchange(readable_, std::nullopt));
  if (writable_) reactor_.unwatch(*std::exchange(writable_, std::nullopt));
  if (timer_) reactor_.cancel_timer(*std::exchange(timer_, std::nullopt));
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  reader_.reset();
}

SystemError RedisLink::error_of(std::string operation, int code, std::string_view hint,
                                std::string_view why) const {
  return {.operation = std::move(operation),
          .subject = address().text() + (why.empty() ? "" : ": ") + std::string(why),
          .code = code,
          .hint = std::string(hint)};
}

}  // namespace uproar::storage::redis
