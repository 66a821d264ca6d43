#pragma once

// Bounds of this layer that are not configuration, each with the arithmetic that chose it. What an operator may turn
// is in net_options.h; its defaults are checked against these at compile time there.

#include <cstdint>

namespace uproar::net {

// One enter carries at most this many sends: 128 * 3.7 us = 0.5 ms during which receives of the shard wait
// (docs/rings.md, "The loop's policy"). A turn begins with 16: the first look at the completion queue comes early.
inline constexpr std::uint32_t kBatchSendsMin = 16;
inline constexpr std::uint32_t kBatchSendsMax = 128;
// To how many members a topic that was at rest may send before older ones. Larger rooms finish among the old topics,
// where a quantum of members is served before the next has its turn. Members who are blocked count: they are given references.
inline constexpr std::uint32_t kNewTopicSends = 64;
inline constexpr std::uint32_t kTopicQuantumSends = 512;
// New topics leave one send in so many to the old ones.
inline constexpr std::uint32_t kOldTopicsPart = 4;
static_assert(kBatchSendsMin >= kOldTopicsPart, "in every batch");
// Members looked at in one batch, sent to or not: 8,192 * 12 bytes is one pass over 96 KiB, under 20 us.
inline constexpr std::uint32_t kBatchVisitsMax = 8192;

// A gather write takes at most this many frames; the rest goes with the next one. 64 * 130 bytes = 8 KiB, and a run of
// large frames is bounded by the socket's own buffer long before.
inline constexpr std::uint32_t kGatherFramesMax = 64;
// iovecs of one batch: 4,096 * 16 bytes = 64 KiB a shard, for 64 sockets with 64 frames each, or 128 with 32.
inline constexpr std::uint32_t kBatchIovecsMax = 4096;
static_assert(kBatchIovecsMax >= kBatchSendsMax, "every socket of a batch gets at least one iovec");

// A topic's run: what a publisher may put between two visits of the cursor before its members are given references
// instead. 1,024 frames is 2 ms of publishing at 0.5 M frames/s; 1 MiB is far more than one socket takes at once.
inline constexpr std::uint32_t kRunFramesMax = 1024;
inline constexpr std::uint32_t kRunBytesMax = 1024 * 1024;
// Idle runs and egress queues kept for reuse; bigger ones give their memory back first.
inline constexpr std::uint32_t kRunsKept = 256;
// 256 * 2 * 64 KiB = 32 MiB at the very most.
inline constexpr std::uint32_t kRunKeptBytesMax = 64 * 1024;
inline constexpr std::uint32_t kEgressQueuesKept = 1024;
inline constexpr std::uint32_t kEgressKeptEntriesMax = 64;  // 1,024 * 64 * 24 bytes = 1.5 MiB

// Charged per queued frame besides its bytes, so that tiny frames are bounded too (the entry is 24 bytes).
inline constexpr std::uint32_t kEgressEntryBytes = 32;

// Topics of one connection. Walked by subscribe, unsubscribe and by a send while topics are active: 4,096 * 12 bytes
// are 5 us when they lie in the cache.
inline constexpr std::uint32_t kTopicsPerConnectionMax = 4096;

// Bytes that wait behind an unanswered HTTP request (pipelining). Above: no more is received until
// it is answered; what the kernel had handed over by then comes on top.
inline constexpr std::uint32_t kPipelinedBytesMax = 64 * 1024;

// Bytes thrown away while lingering for the peer's FIN after an error answer; then TCP is cut.
inline constexpr std::uint32_t kLingerBytesMax = 256 * 1024;

// Starved connections whose receive is armed again per turn, at most; fewer when fewer buffers are free.
inline constexpr std::uint32_t kRearmsPerTurnMax = 256;

// Per-address handshake counters: 4,096 entries * 16 bytes = 64 KiB. A collision forgets the older address, which
// errs on the side of letting people in.
inline constexpr std::uint32_t kAddressEntries = 4096;

// Clients without a connection that still owe work: 16,384 * 104 bytes = 1.7 MiB. Beyond it the one who left first is
// forgiven.
inline constexpr std::uint32_t kIndebtedClientsMax = 16'384;

// --- Work that clients cause, in units of about 2.5 ns: to inflate one byte costs as much ---
// A received byte. Small frames are what makes one expensive: one of 6 bytes takes 50 to 60 ns.
inline constexpr std::uint32_t kReceivedByteUnits = 4;
// A request: 10 us of parsing, handling and answering.
inline constexpr std::uint32_t kRequestUnits = 4'000;
// Bytes of an answer for a unit: copied once, and once more by the kernel, 1 ns each. What is said
// on a WebSocket is charged by the command that causes it.
inline constexpr std::uint32_t kAnsweredBytesPerUnit = 2;
// What one client may cause in one turn, and all together: 0.65 ms and 5 ms. The largest message fits the first. Whoever has
// used it up goes on in the next turn, behind those who wait already.
inline constexpr std::uint32_t kClientTurnUnits = 256 * 1024;
inline constexpr std::uint32_t kShardTurnUnits = 8 * kClientTurnUnits;
// So often a second it is looked whether a connection of a client who owes may go on, 0.3 us each:
// with n connections each waits as long as n such looks take, or thousands of them would all be
// looked at for each that may.
inline constexpr std::int64_t kLooksAtIndebtedPerS = 50'000;
// Bytes of one connection that wait for its next turn before its receive is ended.
inline constexpr std::uint32_t kUnreadBytesMax = 64 * 1024;

// Slots that are kept free by ending connections that have no session, a 64th of them: what is being closed needs its slot for
// a turn or two.
constexpr std::uint32_t spare_slots(std::uint32_t slots_max) {
  return slots_max < 64 ? 1 : slots_max / 64;
}

// Networks of trusted proxies, each compared in turn once per connection and once per hop of a request that a proxy
// sends. The largest content networks publish some twenty.
inline constexpr std::uint32_t kTrustedProxiesMax = 64;

inline constexpr std::uint32_t kListenersMax = 16;

// Direct descriptors and slots of one shard. 24 bits of generation and 32 of slot travel with each completion.
inline constexpr std::uint32_t kConnectionsMaxLimit = 1U << 20;

}  // namespace uproar::net
