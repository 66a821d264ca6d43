#pragma once

// http://host:2379[,http://host:2379]...: the members of one etcd, tried in turn. https with the system's authorities.

#include <string>
#include <string_view>
#include <vector>

#include "proto/base/result.h"

namespace uproar::storage::etcd {

// Each without a slash at its end; one at least. The error's hint says what to change.
[[nodiscard]] Result<std::vector<std::string>, SystemError> parse_etcd_urls(std::string_view text);

}  // namespace uproar::storage::etcd
