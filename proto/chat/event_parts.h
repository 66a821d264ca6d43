#pragma once

// Pieces of encoded events that several encoders place. Private to the codec.

#include <utility>
#include <vector>

#include "proto/chat/error_code.h"
#include "proto/chat/ids.h"
#include "proto/chat/json_writer.h"
#include "proto/chat/vocabulary.h"

namespace uproar::chat::detail {

// A message inside a page or a conversation: no type, no conversation_id.
void message_item(const Message& message, JsonWriter& out);
// {"<id>":<seq>,…}
void cursor_map(const std::vector<std::pair<ConversationId, Seq>>& cursors, JsonWriter& out);
// {"<id>":"<code>",…}
void refusal_map(const std::vector<std::pair<ConversationId, ErrorCode>>& refused, JsonWriter& out);

}  // namespace uproar::chat::detail
