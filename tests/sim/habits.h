#pragma once

// What a simulated client says next: mostly messages, now and then everything else that a client may say. Shared by the
// simulation of the domain (tests/core/chat) and that of whole nodes.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/oracle.h"

namespace uproar::chat::testing {

// What everybody in a world knows.
struct Cast {
  std::vector<UserId> users;
  std::vector<ConversationId> conversations;  // also those that are not there yet
  std::size_t long_text_bytes = 0;            // of one message in twenty; 0: none is long
  // Many come and go in the first conversation, and all who are in may let them.
  bool is_restless = false;
};

inline Sync sync_of(Oracle::Client& client, bool is_mid_life) {
  Sync command;
  for (const auto& [conversation, known] : client.known)
    command.cursors.emplace_back(conversation, known.cursor);
  client.is_syncing = true;
  if (is_mid_life) client.resyncs = true;
  return command;
}

// `random(below)` chooses; `say(event, id)` says it.
template <class Random, class Say>
void say_something(Oracle::Client& client, const Cast& cast, Random&& random, Say&& say) {
  const auto pick = [&](const auto& from) { return from[random(from.size())]; };
  const auto send = [&](MessageSend message, ConversationId conversation) {
    const std::string id = message.client_id;
    client.unacked[id] = {conversation, message};
    say(std::move(message), id);
  };
  const ConversationId conversation =
      cast.is_restless && random(2) == 0 ? cast.conversations[0] : pick(cast.conversations);
  const RequestId other = "x";
  const Seq last = client.known.contains(conversation) ? client.known[conversation].cursor : 5;
  // Any, or the newest: also those that are committed and not heard so far.
  const MessageRef ref{.seq = random(2) == 0 ? 1 + random(last + 1) : last + 1 + random(4),
                       .id = {}};
  if (cast.is_restless && random(3) == 0) {
    const Role role = random(2) == 0 ? Role::kOwner : Role::kMember;
    if (random(2) == 0)
      return say(MemberAdd{cast.conversations[0], {pick(cast.users)}, role}, other);
    return say(MemberRemove{cast.conversations[0], pick(cast.users)}, other);
  }
  switch (random(20)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      // Sometimes more than a page at once, so that a lost batch leaves a hole that is wider than a page.
      for (std::uint64_t left = random(4) == 0 ? 5 : 1; left > 0; --left) {
        MessageSend message;
        message.conversation = conversation;
        message.client_id = std::to_string(client.next_client_id++);
        message.content = "text " + message.client_id;
        if (cast.long_text_bytes != 0 && random(20) == 0)
          message.content.append(cast.long_text_bytes, '.');
        send(std::move(message), conversation);
      }
      return;
    case 6: {  // one to one, which may make the conversation
      MessageSend message;
      message.client_id = std::to_string(client.next_client_id++);
      message.to = pick(cast.users);
      if (message.to == client.user) return;
      message.content = "direct " + message.client_id;
      return send(std::move(message), conversation);
    }
    case 7:  // a retry
      if (client.unacked.empty()) return;
      return say(client.unacked.begin()->second.second, client.unacked.begin()->first);
    case 8:
      return say(MessageEdit{conversation, ref, "edited " + std::to_string(random(1000))}, other);
    case 10:
      return say(MessageDelete{conversation, ref}, other);
    case 9:
    case 11:
      return say(ReactionChange{conversation, ref, random(2) == 0 ? "+" : "-", random(3) != 0},
                 other);
    case 12:
      return say(
          MarkAdvance{conversation, last, random(2) == 0 ? MarkKind::kSeen : MarkKind::kDelivered},
          other);
    case 13:
      return say(MemberAdd{conversation, {pick(cast.users)}, Role::kMember}, other);
    case 14:
      return say(MemberRemove{conversation, pick(cast.users)}, other);
    case 15:
      return say(TypingChange{conversation, random(2) == 0}, RequestId());
    case 16:
      return say(EventPublish{conversation, "x", "1"}, RequestId());
    case 17:
      if (random(4) == 0 && !client.is_syncing) say(sync_of(client, true), "sync");
      return;
    case 18:
      return say(PresenceSubscribe{{pick(cast.users)}}, other);
    default:
      if (random(3) == 0)
        return say(ConversationRename{conversation, "n" + std::to_string(random(100))}, other);
      if (random(2) == 0) return say(ConversationJoin{conversation}, other);
      return say(UnreadFetch{5}, other);
  }
}

}  // namespace uproar::chat::testing
