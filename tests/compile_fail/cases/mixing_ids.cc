// expect: cannot convert|no matching function|could not convert|no viable conversion
// A user's id where a conversation's is wanted.
#include "proto/base/uuid.h"

using UserId = uproar::StrongId<struct UserTag>;
using ConversationId = uproar::StrongId<struct ConversationTag>;

bool is_open(ConversationId id);

bool ask(UserId user, ConversationId conversation) {
#ifdef MUST_NOT_COMPILE
  return is_open(user);
#else
  static_cast<void>(user);
  return is_open(conversation);
#endif
}
