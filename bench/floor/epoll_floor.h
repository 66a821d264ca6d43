#pragma once

namespace uproar::bench {

// Serves rooms with epoll and send() until it is killed. `gather`: once per look at the sockets instead of once per frame.
[[noreturn]] void serve_by_epoll(int listener, bool gather);

}  // namespace uproar::bench
