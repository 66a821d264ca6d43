// expect: cannot convert|could not convert|no viable conversion|conversion from
// Giving a bare Uuid a meaning must be written down.
#include "proto/base/uuid.h"

using UserId = uproar::StrongId<struct UserTag>;

UserId name(uproar::Uuid uuid) {
#ifdef MUST_NOT_COMPILE
  return uuid;
#else
  return UserId(uuid);
#endif
}
