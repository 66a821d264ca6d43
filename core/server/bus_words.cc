#include "core/server/bus_words.h"

#include "proto/base/check.h"
#include "storage/big_endian.h"
#include "storage/bus.h"

namespace uproar::server {
namespace {

using Kind = chat::NodeHint::Kind;

// Of the wire, so that the order of the enum may change.
constexpr std::byte kCommitted{1};
constexpr std::byte kJoined{2};
constexpr std::byte kAudience{3};
constexpr std::byte kRevoked{4};

constexpr std::string_view kConversations = "c:";
constexpr std::string_view kUsers = "u:";
constexpr std::string_view kPresence = "p:";  // storage::presence_channel

HintBytes hint_bytes(std::byte kind) {
  HintBytes out;
  out.bytes[0] = kind;
  out.size = 1;
  return out;
}

HintBytes hint_bytes(std::byte kind, const Uuid& id) {
  HintBytes out = hint_bytes(kind);
  id.write_bytes(&out.bytes[1]);
  out.size = kHintBytesMax;
  return out;
}

}  // namespace

std::string channel_of(const chat::TopicId& topic) {
  if (!chat::is_user_topic(topic))
    return storage::conversation_channel(chat::conversation_of(topic));
  return std::string(kUsers) + topic.text();
}

std::optional<chat::TopicId> topic_of_channel(std::string_view channel) {
  if (channel.size() != kUsers.size() + Uuid::kTextBytes) return std::nullopt;
  const auto id = Uuid::parse(channel.substr(kUsers.size()));
  if (!id) return std::nullopt;
  // Each kind has its own bits: a name that says otherwise is nobody's.
  const chat::TopicId topic(*id);
  if (channel.starts_with(kUsers))
    return chat::is_user_topic(topic) ? std::optional(topic) : std::nullopt;
  if (!channel.starts_with(kConversations) || chat::topic_of(ConversationId(*id)) != topic)
    return std::nullopt;
  return topic;
}

std::optional<UserId> user_of_presence_channel(std::string_view channel) {
  if (!channel.starts_with(kPresence)) return std::nullopt;
  return UserId::parse(channel.substr(kPresence.size()));
}

HintBytes encode_node_hint(const chat::NodeHint& hint) {
  switch (hint.kind) {
    case Kind::kCommitted:
      return hint_bytes(kCommitted);
    case Kind::kJoined:
      return hint_bytes(kJoined, hint.conversation.uuid());
    case Kind::kAudience:
      return hint_bytes(kAudience);
    case Kind::kRevoked:
      return hint_bytes(kRevoked, hint.session.uuid());
  }
  UPROAR_CHECK(false, static_cast<int>(hint.kind));
  return {};
}

std::optional<chat::NodeHint> decode_node_hint(Seq seq, ByteView payload) {
  if (payload.empty()) return std::nullopt;
  const std::byte kind = payload[0];
  const bool has_id = kind == kJoined || kind == kRevoked;
  if (payload.size() != (has_id ? kHintBytesMax : 1)) return std::nullopt;
  const Uuid id = has_id ? Uuid::from_bytes(&payload[1]) : Uuid{};
  if (has_id && id.is_nil()) return std::nullopt;
  chat::NodeHint hint{.kind = {}, .seq = seq, .conversation = {}, .session = {}};
  switch (kind) {
    case kCommitted:
      hint.kind = Kind::kCommitted;
      return hint;
    case kJoined:
      hint.kind = Kind::kJoined;
      hint.conversation = ConversationId(id);
      return hint;
    case kAudience:
      hint.kind = Kind::kAudience;
      return hint;
    case kRevoked:
      hint.kind = Kind::kRevoked;
      hint.session = SessionId(id);
      return hint;
    default:
      return std::nullopt;
  }
}

std::array<std::byte, kRevocationBytes> encode_revocation(const gateway::SessionRevoked& revoked) {
  std::array<std::byte, kRevocationBytes> out;
  revoked.session.uuid().write_bytes(out.data());
  revoked.user.uuid().write_bytes(out.data() + 16);
  storage::write_big_endian(static_cast<std::uint64_t>(revoked.at_us), out.data() + 32);
  return out;
}

std::optional<gateway::SessionRevoked> decode_revocation(ByteView payload) {
  if (payload.size() != kRevocationBytes) return std::nullopt;
  const gateway::SessionRevoked revoked{
      .session = SessionId(Uuid::from_bytes(payload.data())),
      .user = UserId(Uuid::from_bytes(payload.data() + 16)),
      .at_us =
          static_cast<std::int64_t>(storage::read_big_endian<std::uint64_t>(payload.data() + 32))};
  if (revoked.session.is_nil() || revoked.user.is_nil() || revoked.at_us < 0) return std::nullopt;
  return revoked;
}

}  // namespace uproar::server
