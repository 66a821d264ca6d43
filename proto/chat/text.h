#pragma once

// What every store can keep as text.

#include <string_view>

namespace uproar::chat {

// UTF-8 (RFC 3629) without U+0000, which PostgreSQL cannot keep.
[[nodiscard]] bool is_text(std::string_view bytes);

}  // namespace uproar::chat
