#pragma once

// Bounds of the process, and the relations between the layers' own.

#include <cstdint>

#include "core/chat/limits.h"
#include "core/gateway/limits.h"
#include "core/net/limits.h"
#include "core/net/work_share.h"
#include "proto/chat/limits.h"
#include "storage/limits.h"

namespace uproar::server {

// Parcels of one shard for another within about a turn: 8,192 * 544 bytes = 4.3 MiB per ordered pair, while they wait.
inline constexpr std::uint32_t kMailboxParcels = 8'192;
// Beyond this many parcels waiting for a full mailbox, lossy publishes are dropped instead of queued.
inline constexpr std::uint32_t kHeldBackLossyMax = 8'192;
// From here on new commands are refused as overloaded until the other shard has caught up. 65,536 *
// 544 bytes = 34 MiB per shard, and what accepted commands still cause on top of it.
inline constexpr std::int64_t kHeldBackParcelsMax = 65'536;
// How soon a full mailbox is tried again. Its reader drains half of it in a turn, which takes about a millisecond.
inline constexpr std::int64_t kHeldBackRetryUs = 1'000;
// A store that cannot be read is asked again for the revoked sessions after this time; so is one that can, while the nodes
// cannot tell each other of logouts.
inline constexpr std::uint32_t kAskRevocationsAgainMs = 500;
// How far the clocks of two nodes may be apart, so that neither misses what the other revoked.
inline constexpr std::int64_t kRevocationsOverlapUs = 60'000'000;
// So is one that does not say which nodes work on it (unlisted_nodes.h).
inline constexpr std::uint32_t kAskNodesAtWorkAgainMs = 1'000;
// How long a start waits for Redis and etcd: several attempts to connect, the longest pause between which is 2 s.
inline constexpr std::uint32_t kServicesWaitMs = 6'000;
// Nodes at work that were not heard yet are called that often, and given up after that many calls: three seconds, well
// within what a start waits. An answer takes a turn of the other node.
inline constexpr std::uint32_t kRollCallEveryMs = 250;
inline constexpr std::uint32_t kRollCallsMax = 12;
static_assert(2 * kRollCallEveryMs * kRollCallsMax <= kServicesWaitMs);
// Nodes that were heard: 1,024 * 4 bytes.
inline constexpr std::size_t kHeardNodesMax = 4 * storage::kNodesMax;
// How long an end waits until the other nodes have been told everything, and again until they can know of the end. Without
// either they take it for a death, and look for what they were not told.
inline constexpr std::uint32_t kLeaveWaitMs = 2'000;
// --server-name: as many as origins may be listed (http::kAllowedOriginsMax).
inline constexpr std::size_t kServerNamesMax = 64;
// Addresses of this machine that are looked at: 1,024 * about 50 bytes per shard. A host of
// containers has hundreds.
inline constexpr std::size_t kOwnAddressesMax = 1'024;
// What all connections of one address may make core/net do: a quarter of a core, and a quarter of a second at once. Ten
// thousand people behind one address who say 200 bytes a second need 2 % of a core.
inline constexpr net::WorkShare kAddressWork = net::WorkShare::of(100'000'000, 25'000'000);
// What one user may, for each byte that commands may have (chat::ChatLimits::bytes_per_s): 16 units are four times what a
// byte that is no longer inflated costs. By default 4 million units a second, 1 % of a core.
inline constexpr std::uint64_t kUserWorkPerByte = 16;
// The listener of operators (admin_thread.h): scrapers, a person and a few more. Beyond, whoever connects waits.
inline constexpr std::uint32_t kAdminConnectionsMax = 64;
// Nothing that is asked there has a body. Requests that are not whole: 64 * 16 KiB of headers.
inline constexpr std::uint32_t kAdminBodyBytesMax = 1024;
inline constexpr std::uint64_t kAdminRequestBytesMax = 1024 * 1024;
// Of answers that are not read: a text has about 45 KB on two shards and 20 KB for each further one, so 16 MiB are
// twelve of the largest (64 shards), or one for each connection with ten shards.
inline constexpr std::uint64_t kAdminAnswerBytesMax = 16 * 1024 * 1024;
// Parcels handled in one turn, so that sockets and timers get their share.
inline constexpr std::uint32_t kParcelsPerTurnMax = 4'096;

// A connection is pinged once it was silent for so long. Later than the heartbeat that clients are advised, so that who
// follows the advice is never asked; early enough for a proxy that closes what is silent for 60 s.
constexpr std::uint32_t ping_interval_ms_of(std::uint32_t timeout_ms) {
  return static_cast<std::uint32_t>(std::uint64_t{timeout_ms} * 9 / 20);
}
static_assert(ping_interval_ms_of(chat::kHeartbeatTimeoutMs) >=
                  chat::heartbeat_interval_ms_of(chat::kHeartbeatTimeoutMs) + 5'000 &&
              ping_interval_ms_of(chat::kHeartbeatTimeoutMs) < 60'000);

static_assert(chat::kAudienceConversationsMax + chat::kAudiencePeersMax + chat::kPresenceListMax +
                      chat::kSyncConversationsMax <=
                  net::kTopicsPerConnectionMax,
              "a session that starts, watches and syncs finds room for every topic");
static_assert(chat::kMessageBytesMax >= chat::kContentBytesMax,
              "a message fits a WebSocket message");
static_assert(storage::kRevokedReadMax > gateway::kRevokedMax,
              "a shard that forgets revocations at start knows that it does");

}  // namespace uproar::server
