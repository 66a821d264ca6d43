#include "proto/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace uproar::base {

void check_failed(const char* condition, const char* file, int line, const CheckValue* values,
                  unsigned count) {
  std::fprintf(stderr, "uproar: check failed: %s at %s:%d", condition, file, line);
  for (unsigned i = 0; i < count; ++i) {
    const CheckValue& value = values[i];
    if (value.is_text) {
      std::fprintf(stderr, " [%.*s]", static_cast<int>(value.text.size()), value.text.data());
    } else {
      std::fprintf(stderr, " [%lld]", static_cast<long long>(value.number));
    }
  }
  std::fputc('\n', stderr);
  std::abort();
}

}  // namespace uproar::base
