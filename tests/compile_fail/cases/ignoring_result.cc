// expect: nodiscard|unused-result
// A Result that nobody looks at.
#include "proto/base/result.h"

uproar::Result<int, uproar::SystemError> open_log();

bool start() {
#ifdef MUST_NOT_COMPILE
  open_log();
  return true;
#else
  return open_log().ok();
#endif
}
