#pragma once

// What an operator tries when Redis refuses something.

#include <string_view>

namespace uproar::storage::redis {

// `words` of an error reply, which begins with its kind: "NOPERM this user has no permissions …".
[[nodiscard]] std::string_view remedy_for(std::string_view words);

}  // namespace uproar::storage::redis
