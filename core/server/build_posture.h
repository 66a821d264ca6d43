#pragma once

// What compiler and linker were told when this program was made (tools/cmake/hardening.cmake).

#include <vector>

#include "core/runtime/probe.h"

namespace uproar::server {

[[nodiscard]] std::vector<runtime::Finding> build_findings();

}  // namespace uproar::server
