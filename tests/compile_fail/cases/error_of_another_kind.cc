// expect: could not convert|cannot convert|no viable conversion|no matching
// The error of one parser returned as that of another.
#include "proto/base/result.h"

enum class FrameError { kReserved };
enum class RequestError { kTooLong };

uproar::Result<int, RequestError> parse(bool broken) {
#ifdef MUST_NOT_COMPILE
  if (broken) return uproar::Err{FrameError::kReserved};
#else
  if (broken) return uproar::Err{RequestError::kTooLong};
#endif
  return 1;
}
