#include <cstring>

#include "proto/base/result.h"

namespace uproar {

std::string SystemError::text() const {
  std::string out = operation;
  if (!subject.empty()) out += " " + subject;
  if (code != 0) {
    out += ": ";
    out += std::strerror(code);
    out += " (errno " + std::to_string(code) + ")";
  }
  if (!hint.empty()) out += (out.ends_with('.') ? " Try: " : ". Try: ") + hint;
  return out;
}

}  // namespace uproar
