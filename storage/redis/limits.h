#pragma once

// Bounds and times of storage/redis: unit, arithmetic and what happens at the bound.

#include <cstddef>
#include <cstdint>

#include "storage/limits.h"

namespace uproar::storage::redis {

// One reply. The largest we ask for is a page of presence hashes (64 KiB) or the slot map of a large cluster (1,000
// nodes * 150 bytes); the largest we are sent is a published payload. Beyond it: the connection is closed.
inline constexpr std::size_t kReplyBytesMax = std::size_t{16} * 1024 * 1024;
static_assert(kReplyBytesMax > 4 * kBusPayloadBytesMax);
// Elements of one array in a reply. 16,384 slots of the most fragmented cluster fit. Beyond it: closed, too.
inline constexpr std::size_t kReplyElementsMax = 65536;

// Read at once, and how often in a row before others get their turn: 16 * 64 KiB = 1 MiB.
inline constexpr std::size_t kReadBytes = std::size_t{64} * 1024;
inline constexpr int kReadsPerTurnMax = 16;
// Commands of one sendmsg; the kernel's bound is 1,024.
inline constexpr std::size_t kGatherMax = 256;

// A server that stops answering is suspected after two heartbeats (BusState::kUncertain) and given up after four: a
// pause of less than 3 s costs nothing, since TCP keeps what was sent.
inline constexpr std::uint32_t kHeartbeatMs = 1000;
inline constexpr int kSuspectHeartbeats = 1;
inline constexpr int kDeadHeartbeats = 3;

// Reconnecting: 50 ms, doubled up to 2 s, each time between half of that and all of it.
inline constexpr std::uint32_t kBackoffMsMin = 50;
inline constexpr std::uint32_t kBackoffMsMax = 2000;

// Channels of one SUBSCRIBE, and subscriptions that wait for their confirmation at one time: 4,096 * 60 bytes = 240 KiB
// under way while 100,000 channels come back.
inline constexpr std::size_t kChannelsPerCommandMax = 256;
inline constexpr std::size_t kUnconfirmedMax = 4096;

// Times that one command follows MOVED or ASK. Two are usual while a slot moves; more means the servers disagree.
inline constexpr int kRedirectsMax = 5;
// Servers of a cluster that one shard keeps connections to. Beyond it: their slots count as down.
inline constexpr std::size_t kClusterNodesMax = 1000;
// Between two questions for the slot map.
inline constexpr std::uint32_t kSlotMapIntervalMs = 500;
// Between two readings of the list of nodes that others asked for by a word on the bus: a node that says so in a loop
// costs ten a second.
inline constexpr std::uint32_t kPokeIntervalMs = 100;
// After a publish was refused by an error, its channel is reported for another try this much later.
inline constexpr std::uint32_t kRejectedRetryMs = 1000;

}  // namespace uproar::storage::redis
