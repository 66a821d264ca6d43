// expect: no match for|invalid operands
// Ids of two kinds are never equal by accident: the question does not compile.
#include "proto/base/uuid.h"

using UserId = uproar::StrongId<struct UserTag>;
using DeviceId = uproar::StrongId<struct DeviceTag>;

bool same(UserId user, UserId other, DeviceId device) {
#ifdef MUST_NOT_COMPILE
  static_cast<void>(other);
  return user == device;
#else
  static_cast<void>(device);
  return user == other;
#endif
}
