// expect: cannot convert|no viable conversion|could not convert
// A Result is not its value: somebody has to ask ok() first.
#include "proto/base/result.h"

enum class ParseError { kEmpty };
uproar::Result<int, ParseError> parse();

int port() {
  auto result = parse();
#ifdef MUST_NOT_COMPILE
  int value = result;
  return value;
#else
  return result.ok() ? result.value() : 0;
#endif
}
