#pragma once

// Who is connected where, across nodes. Each shard says what its own node knows of the users it owns; anybody reads what
// all nodes say. Lossy by contract (docs/contract.md, D8): what is said may be late or lost, and is said again.
//
// Changes travel as hints on the bus: whoever watches a user subscribes to presence_channel(user) and hears kinds of
// PresenceStore's owner with a PresenceDelta as payload; when the channel becomes live (BusListener::on_bus_live) it
// reads the store once.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/counters.h"
#include "proto/base/result.h"
#include "proto/chat/ids.h"
#include "storage/node_id.h"

namespace uproar::storage {

// "p:" and the id.
[[nodiscard]] std::string presence_channel(const UserId& user);

// Payload of a hint, 12 bytes: devices (4), heard_us (8), big-endian. The node is in the header of the bus.
struct PresenceDelta {
  std::uint32_t devices = 0;  // of the node that says so, at that time; 0: none any more
  std::int64_t heard_us = 0;  // Unix time; of one node and user the later word is the larger

  friend bool operator==(const PresenceDelta&, const PresenceDelta&) = default;
};
inline constexpr std::size_t kPresenceDeltaBytes = 12;
[[nodiscard]] std::array<std::byte, kPresenceDeltaBytes> encode_presence_delta(
    const PresenceDelta& delta);
// nullopt: not exactly 12 bytes, or a time before 1970.
[[nodiscard]] std::optional<PresenceDelta> decode_presence_delta(ByteView bytes);

struct NodePresence {
  NodeId node;
  PresenceDelta presence;

  friend bool operator==(const NodePresence&, const NodePresence&) = default;
};
struct UserPresence {
  UserId user;
  std::vector<NodePresence>
      nodes;  // only nodes that live and have a device of the user, in the order of their ids
  bool is_known = true;  // false: this one could not be read, though others could; no nodes
};

enum class PresenceError : std::uint8_t {
  kUnavailable,  // for none of the users an answer from the service, or an error
  kOverloaded    // kPresenceReadUsersMax, or too much waits for the service already
};

struct PresenceCounters {
  Counter puts;         // rows handed to the service
  Counter refreshed;    // of those, rows that were there already, told again for their time to live
  Counter restored;     // of those, rows told again because the service had lost them
  Counter reads;        // users
  Counter of_the_dead;  // rows of nodes that do not live, passed over
  Counter failures;
  Gauge rows;  // users of which this shard says something
};

class PresenceStore {
 public:
  using Found = std::function<void(Result<std::vector<UserPresence>, PresenceError>)>;

  virtual ~PresenceStore() = default;
  // What the own node knows of the user from now on. Kept and told again until it is put with no devices. What one turn
  // puts leaves in one write after it, the last of each user.
  virtual void put(const UserId& user, const PresenceDelta& presence) = 0;
  // `found` runs later on the reactor, once, with one entry for each user, in their order.
  virtual void read(std::span<const UserId> users, Found found) = 0;
  // Whether everything that was put is known to be there. False: what others see of our users may be old.
  [[nodiscard]] virtual bool is_certain() const = 0;
  [[nodiscard]] virtual const PresenceCounters& counters() const = 0;
};

}  // namespace uproar::storage
