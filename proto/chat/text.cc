#include "proto/chat/text.h"

#include <simdjson.h>

namespace uproar::chat {

bool is_text(std::string_view bytes) {
  return bytes.find('\0') == std::string_view::npos &&
         simdjson::validate_utf8(bytes.data(), bytes.size());
}

}  // namespace uproar::chat
