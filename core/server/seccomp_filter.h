#pragma once

// The seccomp filter of a server that has started (system_calls.h), for all its threads and for
// good.

#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/base/result.h"

namespace uproar::server {

// What becomes of a call that is not on the list.
enum class SeccompMode : std::uint8_t {
  kOff,      // there is no filter
  kLog,      // let through; the kernel's audit log has it
  kEnforce,  // refused with EPERM, counted, and said on stderr once for each call
  kKill,     // ends the process with SIGSYS
};
[[nodiscard]] std::optional<SeccompMode> parse_seccomp_mode(std::string_view text);
[[nodiscard]] std::string_view seccomp_mode_name(SeccompMode mode);

// Binds every thread, those of later, too; it cannot be taken back. `reaches_out`: with what
// connections to services need. Returns how many calls are allowed. The error has a hint where one
// is known.
[[nodiscard]] Result<std::uint32_t, SystemError> apply_seccomp(SeccompMode mode, bool reaches_out);

// Calls that kEnforce has refused in this process.
[[nodiscard]] std::uint64_t refused_system_calls();

}  // namespace uproar::server
