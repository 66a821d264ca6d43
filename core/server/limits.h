#pragma once

// Bounds of the process, and the relations between the layers' own.

#include <cstdint>

#include "core/chat/limits.h"
#include "core/gateway/limits.h"
#include "core/net/limits.h"
#include "proto/chat/limits.h"
#include "storage/limits.h"

namespace uproar::server {

// Parcels of one shard for another within about a turn: 8,192 * some 400 bytes = 3.2 MiB per ordered pair, while they wait.
inline constexpr std::uint32_t kMailboxParcels = 8'192;
// Beyond this many parcels waiting for a full mailbox, lossy publishes are dropped instead of queued.
inline constexpr std::uint32_t kHeldBackLossyMax = 8'192;
// From here on new commands are refused as overloaded until the other shard has caught up. 65,536 *
// some 400 bytes = 26 MiB per shard, and what accepted commands still cause on top of it.
inline constexpr std::int64_t kHeldBackParcelsMax = 65'536;
// How soon a full mailbox is tried again. Its reader drains half of it in a turn, which takes about a millisecond.
inline constexpr std::int64_t kHeldBackRetryUs = 1'000;
// A store that cannot be read at start is asked again for the revoked sessions after this time.
inline constexpr std::uint32_t kAskRevocationsAgainMs = 500;
// Parcels handled in one turn, so that sockets and timers get their share.
inline constexpr std::uint32_t kParcelsPerTurnMax = 4'096;

static_assert(chat::kAudienceConversationsMax + chat::kAudiencePeersMax + chat::kPresenceListMax +
                      chat::kSyncConversationsMax <=
                  net::kTopicsPerConnectionMax,
              "a session that starts, watches and syncs finds room for every topic");
static_assert(chat::kMessageBytesMax >= chat::kContentBytesMax,
              "a message fits a WebSocket message");
static_assert(storage::kRevokedReadMax > gateway::kRevokedMax,
              "a shard that forgets revocations at start knows that it does");

}  // namespace uproar::server
