#pragma once

// Who hears: a conversation has a topic for its events, a user one for their presence. The two
// kinds never meet, whatever ids a client names: whoever watches "a user" by a conversation's id
// watches nobody. Only topic_of() makes a topic, so no bare id can be subscribed to.

#include "proto/base/uuid.h"
#include "proto/chat/ids.h"

namespace uproar::chat {

using TopicId = StrongId<struct TopicTag>;

// The variant bits of RFC 9562 section 4.1 tell the kinds apart: 10 (what every id of ours has) for
// conversations, 11 (reserved there) for users. Two users whose ids differ in these two bits alone
// would share a topic; both could then hear that somebody came or went, with the name of who.
[[nodiscard]] constexpr TopicId topic_of(ConversationId id) {
  constexpr std::uint64_t kVariant = 0xC000'0000'0000'0000ULL;
  return TopicId(Uuid{id.uuid().high, (id.uuid().low & ~kVariant) | 0x8000'0000'0000'0000ULL});
}
[[nodiscard]] constexpr TopicId topic_of(UserId id) {
  constexpr std::uint64_t kVariant = 0xC000'0000'0000'0000ULL;
  return TopicId(Uuid{id.uuid().high, id.uuid().low | kVariant});
}

[[nodiscard]] constexpr bool is_user_topic(TopicId topic) {
  return topic.uuid().low >> 62 == 3;
}
// REQUIRES: the topic is one of a conversation. The id has the variant bits that every id of ours has.
[[nodiscard]] constexpr ConversationId conversation_of(TopicId topic) {
  return ConversationId(topic.uuid());
}

}  // namespace uproar::chat
