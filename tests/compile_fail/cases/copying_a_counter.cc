// expect: deleted function|implicitly.deleted|deleted (copy )?constructor
// A Counter has one writer; a copy would be a second one that nobody merges.
#include "proto/base/counters.h"

std::uint64_t read(const uproar::Counter& counter) {
#ifdef MUST_NOT_COMPILE
  uproar::Counter copy = counter;
  return copy.value();
#else
  return counter.value();
#endif
}
