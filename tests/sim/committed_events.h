#pragma once

// What was committed under each seq, and whether an event, or a row of a page, says just that: D2, the same for every member. Times are compared in
// milliseconds, as the wire has them.

#include <map>
#include <string>

#include "proto/chat/server_event.h"
#include "storage/operation.h"

namespace uproar::chat::testing {

class CommittedEvents {
 public:
  // A repeat of what is there already is ignored: what was told is the first.
  void add(const storage::Operation& operation, const storage::Outcome& outcome);

  // What an event with a seq says otherwise than was committed, in words; empty: nothing, or it is no event of that kind.
  [[nodiscard]] std::string difference(const ServerEvent& event) const;
  // The same of a row of a page: who, when, which number, in reply to what; the content as long as it is as it was sent.
  [[nodiscard]] std::string difference(ConversationId conversation, const Message& row) const;

 private:
  struct Entry {
    storage::Operation operation;
    storage::Outcome outcome;
  };
  [[nodiscard]] const Entry* find(ConversationId conversation, Seq seq) const;

  std::map<ConversationId, std::map<Seq, Entry>> entries_;
};

}  // namespace uproar::chat::testing
