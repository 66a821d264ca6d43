#pragma once

// How the shards of different nodes tell each other what has just happened. The bus is a hint (docs/contract.md, D5): it
// may lose, repeat and reorder. It promises one thing instead: whenever something may have been missed, the listener is
// told so, and is told when listening works again, so that reading the store then leaves no hole.
//
// A shard owns one Bus over its reactor; all calls and callbacks are on that thread. A channel is a name: that of a
// conversation, or any other up to kBusChannelBytesMax bytes. What the own node publishes does not come back.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "proto/base/bytes.h"
#include "proto/base/counters.h"
#include "proto/base/result.h"
#include "proto/chat/ids.h"
#include "storage/bus_envelope.h"

namespace uproar::storage {

// "c:" and the id. Names of other kinds begin with something else.
[[nodiscard]] std::string conversation_channel(const ConversationId& id);

enum class BusState : std::uint8_t {
  kDown,  // nothing is heard and nothing goes out
  kUncertain,  // in part: a server is silent or missing, subscriptions are not confirmed, or publishes are refused
  kUp  // every subscription is confirmed and its server answers
};

enum class PublishResult : std::uint8_t {
  kQueued,   // leaves with this turn's write; on_publish_lost() tells if it may not have arrived
  kFull,     // kBusOutgoingBytesMax are waiting already; on_publish_lost() comes when there is room
  kDown,     // no server for this channel; on_publish_lost() comes when there is one
  kTooLarge  // above kBusPayloadBytesMax: never goes out, nothing follows
};

// Why a channel may have missed something.
enum class BusGap : std::uint8_t {
  kSubscribed,  // the first confirmation: what was published before it was not for us
  kReconnected,  // the connection was lost: server gone, restarted, silent, or tired of our slow reading
  kMoved         // another server of the cluster has taken the channel over
};

class BusListener {
 public:
  virtual ~BusListener() = default;
  // Both views die on return.
  virtual void on_bus_message(std::string_view channel, const BusMessage& message) = 0;
  // From here on what is published to `channel` is heard; what was published before may have been missed. Comes once
  // after each subscribe() and after every interruption: whoever must not miss anything reads the store now.
  virtual void on_bus_live(std::string_view channel, BusGap gap) = 0;
  // Something that this shard published to `channels` may not have arrived, and publishing to them works again: say
  // what the newest state is. `all`: more channels than could be remembered, so any channel that was published to.
  virtual void on_publish_lost(std::span<const std::string> channels, bool all) = 0;
  virtual void on_bus_state(BusState state) = 0;
};

// Written on the shard's thread, read from any.
struct BusCounters {
  Counter published;        // accepted
  Counter published_bytes;  // payloads of those
  Counter writes;  // system calls that carried publishes: published / writes is the gathering
  Counter refused_full;
  Counter refused_down;
  Counter refused_too_large;
  Counter lost;      // accepted, and the connection ended before the answer
  Counter rejected;  // accepted, and the server answered with an error
  Counter received;
  Counter received_bytes;
  Counter echoes;     // of the own node, dropped
  Counter malformed;  // no header of ours, dropped
  Counter gaps;       // on_bus_live() other than the first of a subscription
  Counter disconnects;
  Counter redirects;  // MOVED and ASK
  Gauge channels;     // subscribed, confirmed or not
  Gauge outgoing_bytes;
  Gauge state;          // BusState
  Histogram outage_us;  // a channel's way from interruption to live again; empty without a clock
};

class Bus {
 public:
  virtual ~Bus() = default;
  // Repeating either is harmless. After unsubscribe() nothing of the channel is heard any more.
  virtual void subscribe(std::string_view channel) = 0;
  virtual void unsubscribe(std::string_view channel) = 0;
  // Copies `payload`. Gathers: what one turn publishes leaves in one write after it.
  virtual PublishResult publish(std::string_view channel, std::uint8_t kind, std::uint64_t seq,
                                ByteView payload) = 0;
  // Writes what was gathered. Without it that happens in the reactor's next turn.
  virtual void flush() = 0;
  [[nodiscard]] virtual BusState state() const = 0;
  // Whatever was published has been taken by its server, and nothing is in doubt: no on_publish_lost() is due.
  [[nodiscard]] virtual bool is_settled() const = 0;
  // Why it is not up; the last thing that went wrong when it is. Empty when nothing has.
  [[nodiscard]] virtual const SystemError& last_error() const = 0;
  [[nodiscard]] virtual const BusCounters& counters() const = 0;
};

}  // namespace uproar::storage
