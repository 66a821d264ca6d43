#pragma once

// Capabilities (capabilities(7)): the rights of root, one by one, which a server that has started
// needs none of.

#include <cstdint>

namespace uproar::server {

// Of the calling thread.
[[nodiscard]] std::uint64_t effective_capabilities();
[[nodiscard]] std::uint64_t bounding_capabilities();

// The calling thread gives up all that it has, for good, and where it may (CAP_SETPCAP) all that a
// program which it starts could have. 0 or an errno. Only system calls.
[[nodiscard]] int drop_capabilities_of_this_thread();

}  // namespace uproar::server
