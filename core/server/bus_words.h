#pragma once

// What the shards of different nodes say over the bus: on which channels, of which kinds, and hints as bytes. The header
// before it is storage/bus_envelope.h's.
//
//   channel          who listens                                kinds
//   c:<id>           the owner of a conversation, on each node  kEvent (as clients get it), kHint
//                    that has it in memory
//   u:<topic>        the owner of a user, on each node where    kHint
//                    that user is
//   p:<user>         the same where somebody watches that user  kPresence (storage::PresenceDelta)
//   gaps             every shard                                kGap
//   revoked          every shard                                kRevoked
//   roll-call        the shard that keeps discovery             kCall, kHere
//   nodes            the shard that keeps discovery             kNodes (storage::kNodesChannel)

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/chat/ports.h"
#include "core/chat/topic.h"
#include "core/gateway/shard_parcel.h"
#include "proto/base/bytes.h"

namespace uproar::server {

// BusHeader::kind. Numbers are for ever: nodes of two versions meet on one bus, and each drops what it does not know.
enum class BusKind : std::uint8_t {
  kEvent =
      1,  // a server event in JSON; BusHeader::seq is its place in its conversation, 0: ephemeral
  kHint = 2,      // a chat::NodeHint
  kGap = 3,       // no payload: of what the sender has published, anything may be missing
  kNodes = 4,     // no payload: the list of nodes has changed
  kPresence = 5,  // of storage/redis/redis_presence.h
  kRevoked = 6,   // a session has ended; no payload: some have, read the store
  kCall = 7,      // no payload: whoever hears it, says kHere
  kHere = 8       // no payload: who it is, the header says
};

inline constexpr std::string_view kGapChannel = "gaps";
inline constexpr std::string_view kRevokedChannel = "revoked";
inline constexpr std::string_view kRollCallChannel = "roll-call";

[[nodiscard]] std::string channel_of(const chat::TopicId& topic);
// nullopt: no topic's channel.
[[nodiscard]] std::optional<chat::TopicId> topic_of_channel(std::string_view channel);

// Of storage::presence_channel(). nullopt: another channel.
[[nodiscard]] std::optional<UserId> user_of_presence_channel(std::string_view channel);

// The payload of a hint: its kind as one byte, and behind it the 16 bytes of the conversation (kJoined) or of the
// session (kRevoked). Its seq travels in the header; the conversation of a kCommitted is the channel's.
inline constexpr std::size_t kHintBytesMax = 17;
struct HintBytes {
  std::byte bytes[kHintBytesMax]{};
  std::size_t size = 0;
  [[nodiscard]] ByteView view() const { return {bytes, size}; }
};
[[nodiscard]] HintBytes encode_node_hint(const chat::NodeHint& hint);
// nullopt: an unknown kind, another length than that kind has, or an id that is none.
[[nodiscard]] std::optional<chat::NodeHint> decode_node_hint(Seq seq, ByteView payload);

// 40 bytes: session, user, and when in Unix microseconds, big-endian.
inline constexpr std::size_t kRevocationBytes = 40;
[[nodiscard]] std::array<std::byte, kRevocationBytes> encode_revocation(
    const gateway::SessionRevoked& revoked);
// nullopt: another length, an id that is none, or a time before 1970.
[[nodiscard]] std::optional<gateway::SessionRevoked> decode_revocation(ByteView payload);

}  // namespace uproar::server
