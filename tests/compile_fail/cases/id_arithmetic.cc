// expect: no match for|cannot increment|invalid operands
// Ids are names, not numbers.
#include "proto/base/uuid.h"

using MessageId = uproar::StrongId<struct MessageTag>;

MessageId next(MessageId id) {
#ifdef MUST_NOT_COMPILE
  ++id;
#endif
  return id;
}
