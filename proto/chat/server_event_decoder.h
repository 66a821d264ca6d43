#pragma once

// JSON -> ServerEvent, for what other nodes of a cluster publish: the events that a conversation's or a user's hearers
// get, as server_event_encoder.h writes them. A node passes their bytes on as they came and keeps its own state true by
// the struct. One decoder a shard.
//
// Hot path: per event from another node. Allocations: only the strings and lists of the event itself.
//
// The whole text is checked, since clients get it: an event is accepted exactly when it is JSON (RFC 8259) in UTF-8 and
// its fields are of the types and within the bounds that the encoder keeps. Fields in any order; unknown ones are
// ignored (a newer node may say more); null is refused; of a repeated field the last one counts. Times have
// milliseconds: that is all the wire carries.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "proto/base/bytes.h"
#include "proto/base/result.h"
#include "proto/chat/limits.h"
#include "proto/chat/server_event.h"

namespace uproar::chat {

enum class EventDecodeError : std::uint8_t {
  kTooLarge,
  kBadJson,
  kUnknownType,  // none of those below, of this version
  kBadField      // one is missing, of another type or beyond its bound
};

class ServerEventDecoder {
 public:
  // Above it: kTooLarge. The longest event repeats what one command said.
  static constexpr std::size_t kBytesMax = kMessageBytesMax;

  ServerEventDecoder();
  ~ServerEventDecoder();
  ServerEventDecoder(const ServerEventDecoder&) = delete;
  ServerEventDecoder& operator=(const ServerEventDecoder&) = delete;

  // message.new, message.updated, message.deleted, reaction.updated, conversation.updated, member.added,
  // member.removed, receipt.update, typing.update, event, presence.update. Nothing of `text` is kept.
  [[nodiscard]] Result<ServerEvent, EventDecodeError> decode(ByteView text);

 private:
  struct State;  // keeps simdjson.h out of everybody's headers
  std::unique_ptr<State> state_;
};

}  // namespace uproar::chat
