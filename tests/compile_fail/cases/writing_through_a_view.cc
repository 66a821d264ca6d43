// expect: read-only|not assignable|cannot assign|const-qualified
// What is shared is immutable: nobody writes through a view of shared bytes.
#include "proto/base/shared_bytes.h"

void scribble(uproar::SharedBytes bytes) {
#ifdef MUST_NOT_COMPILE
  bytes.view()[0] = std::byte{1};
#else
  if (!bytes.empty()) bytes.mutable_data()[0] = std::byte{1};
#endif
}
