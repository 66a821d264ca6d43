#pragma once

// Ids of the domain. Distinct types: a user's id cannot be passed for a conversation's.

#include <cstdint>
#include <string_view>

#include "proto/base/uuid.h"

namespace uproar {

using UserId = StrongId<struct UserTag>;
using ConversationId = StrongId<struct ConversationTag>;
using MessageId = StrongId<struct MessageTag>;
using SessionId = StrongId<struct SessionTag>;

// Position of a durable event in its conversation: 1, 2, 3 … without holes (docs/contract.md, D2). 0: before the first.
using Seq = std::uint64_t;

static_assert(sizeof(UserId) == 16);

namespace chat {

// A direct conversation is unique per pair, so its id is a function of the pair (UUID version 8 over SHA-256 of both
// ids in order): whoever starts it, on whatever node, knows its owner without a look-up.
[[nodiscard]] ConversationId direct_conversation_id(UserId a, UserId b);
// A conversation created with a client_id: a retry by the same creator names the same conversation.
[[nodiscard]] ConversationId created_conversation_id(UserId creator, std::string_view client_id);

}  // namespace chat
}  // namespace uproar
