#pragma once

// One listening socket per shard, all on the same address: the kernel spreads connections by SO_REUSEPORT.

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/result.h"

namespace uproar::net {

// "HOST:PORT", "[V6]:PORT", ":PORT" (all addresses) with a numeric or resolvable host; port 0 lets the kernel choose.
// The socket is non-blocking and close-on-exec. Set on the listener and inherited by what it accepts (docs/rings.md,
// "Sockets"): TCP_NODELAY, TCP_NOTSENT_LOWAT 16 KiB, TCP_USER_TIMEOUT 30 s. The caller owns the fd.
[[nodiscard]] Result<int, SystemError> listen_reuseport(std::string_view address);

// EADDRINUSE when anybody listens there already: SO_REUSEPORT would let a second server of the same user share the
// port, and each would get some of the other's clients. Ask before the first listen_reuseport().
[[nodiscard]] Result<void, SystemError> check_address_free(std::string_view address);
// One connection that waits at a listening socket, close-on-exec; negative when none does. The caller owns the fd.
[[nodiscard]] int accept_waiting(int listen_fd);
// Whoever connects from now on is refused, or comes to another socket of the same address; whoever waits to be accepted
// is reset. The fd stays the owner's to close. Nothing when the fd does not listen.
void stop_listening(int listen_fd);
// The port of a bound socket; 0 on failure.
[[nodiscard]] std::uint16_t local_port(int fd);

// Unsent bytes a socket takes before it counts as full: 37 KB pinned per dead reader instead of 3.9 MB.
inline constexpr int kNotSentLowWaterBytes = 16 * 1024;
// Sent and unacknowledged for this long: TCP gives up.
inline constexpr unsigned kUserTimeoutMs = 30'000;
inline constexpr int kListenBacklog = 4096;

}  // namespace uproar::net
