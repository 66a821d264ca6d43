#pragma once

// One connection to one Redis server that is there again whenever it can be: connects (from several addresses to the next
// after a failure), greets (HELLO, authentication, database), watches the server's pulse, and after any failure begins
// again with backoff. On the reactor's thread alone.
//
//   waiting --timer--> resolving --> connecting --> greeting --HELLO answered--> up
//      ^                   |              |             |                        |
//      +---------------- error, time-out, end of stream, no pulse ---------------+

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/result.h"
#include "storage/client_link.h"
#include "storage/reactor.h"
#include "storage/redis/host_lookup.h"
#include "storage/redis/limits.h"
#include "storage/redis/redis_url.h"
#include "storage/redis/resp.h"

namespace uproar::storage::redis {

// Why a command has no reply.
struct RedisLost {
  bool was_written;  // it may have been executed
};
// The reply (which may be an error of the server's), or why there is none. Runs once, on the reactor.
using RedisDone = std::function<void(const Result<RedisReply, RedisLost>&)>;

struct RedisCommand {
  WireCommand wire;
  RedisDone done;              // may be empty: nobody wants to know
  std::uint8_t redirects = 0;  // times it was sent elsewhere
  bool is_heartbeat = false;   // the link's own
};

// What the server said of itself in HELLO.
struct RedisServerFacts {
  std::string version;  // "7.0.15"
  bool is_cluster = false;
  bool is_replica = false;
};

struct RedisLinkOptions {
  std::string user;
  std::string password;
  std::uint32_t db = 0;
  std::string client_name;  // seen in CLIENT LIST; no spaces
  std::uint32_t heartbeat_ms = kHeartbeatMs;
  std::uint32_t backoff_ms_min = kBackoffMsMin;
  std::uint32_t backoff_ms_max = kBackoffMsMax;
  std::uint64_t jitter_seed = 0;  // different for each shard of each node
};

class RedisLink {
 public:
  // Commands: one reply each, in order. Subscriber: replies are pushes that answer nothing, `done` is not used.
  enum class Role : std::uint8_t { kCommands, kSubscriber };

  // Callbacks may use the link, and may not destroy it.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_link_up(RedisLink& link) = 0;
    // An attempt failed, or the connection ended (`was_up`): on_link_lost() follows for each command that was waiting.
    virtual void on_link_down(RedisLink& link, bool was_up) = 0;
    virtual void on_link_lost(RedisLink& link, RedisCommand command, RedisLost lost) = 0;
    // The server has missed heartbeats, or is heard again.
    virtual void on_link_suspect(RedisLink& link) = 0;
    // kSubscriber: a PING goes out behind what was sent so far.
    virtual void on_link_pinged(RedisLink& /*link*/) {}
    // kCommands: `command` is what was answered, heartbeats excepted. kSubscriber: it is empty, and PONGs come, too.
    virtual void on_link_reply(RedisLink& link, RedisReply reply, RedisCommand command) = 0;
  };

  // All of it outlives the link. `addresses` are tried in turn; there is one at least.
  RedisLink(Reactor& reactor, Owner& owner, Role role, std::vector<RedisAddress> addresses,
            const RedisLinkOptions& options);
  // Silent: no callback comes any more, not even on_link_lost().
  ~RedisLink();
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  void start();
  // Ends the connection as if it had failed for that reason.
  void drop(SystemError reason);
  // REQUIRES: is_up(). Nothing is written before flush().
  void send(RedisCommand command);
  void flush();

  [[nodiscard]] bool is_up() const { return state_ == State::kUp; }
  [[nodiscard]] bool is_suspect() const { return silent_heartbeats_ >= kSuspectHeartbeats; }
  [[nodiscard]] const RedisAddress& address() const { return addresses_[address_index_]; }
  [[nodiscard]] const RedisServerFacts& server() const { return server_; }
  [[nodiscard]] const SystemError& last_error() const { return last_error_; }
  [[nodiscard]] std::uint64_t writes() const { return writes_; }  // system calls

 private:
  enum class State : std::uint8_t { kStopped, kWaiting, kResolving, kConnecting, kGreeting, kUp };

  void connect();
  void look_up();
  void resolved(LookedUp found);
  void connected();
  void greet();
  void greeted(const RedisReply& answer);
  [[nodiscard]] std::optional<SystemError> refusal_of(const RedisValue& hello);
  void database_selected(const RedisReply& answer);
  void become_up();
  void on_socket(short events);
  void receive();
  void dispatch(RedisReply reply);
  void heartbeat();
  void heartbeat_answered(const RedisValue& hello);
  void arm(std::uint32_t delay_ms, void (RedisLink::*then)());
  void fail(SystemError error);
  void close_socket();
  [[nodiscard]] std::uint32_t next_backoff_ms();
  [[nodiscard]] SystemError error_of(std::string operation, int code, std::string_view hint,
                                     std::string_view why = {}) const;

  Reactor& reactor_;
  Owner& owner_;
  const Role role_;
  const std::vector<RedisAddress> addresses_;
  const RedisLinkOptions options_;
  std::shared_ptr<ClientLink> lookups_;

  State state_ = State::kStopped;
  std::size_t address_index_ = 0;
  std::uint64_t attempt_ = 0;  // tells a callback that outlived its connection from the present
  bool is_looking_up_ = false;
  std::uint32_t backoff_ms_ = 0;
  std::uint64_t jitter_ = 0;
  int fd_ = -1;
  std::optional<Reactor::WatchId> readable_;
  std::optional<Reactor::WatchId> writable_;
  std::optional<Reactor::TimerId> timer_;

  std::optional<RespReader> reader_;
  std::deque<RedisCommand>
      commands_;  // the first written_ await their replies, the rest the socket
  std::size_t written_ = 0;
  std::size_t written_of_next_ = 0;  // bytes of commands_[written_] that the socket has taken
  bool heard_since_heartbeat_ = false;
  int silent_heartbeats_ = 0;
  RedisServerFacts server_;
  SystemError last_error_;
  std::uint64_t writes_ = 0;
};

}  // namespace uproar::storage::redis
