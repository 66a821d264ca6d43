// expect: nodiscard|unused-result
// A Result<void, E> carries nothing but the failure, so dropping it drops everything.
#include "proto/base/result.h"

enum class CloseError { kBusy };
uproar::Result<void, CloseError> close_log();

bool stop() {
#ifdef MUST_NOT_COMPILE
  close_log();
  return true;
#else
  return close_log().ok();
#endif
}
