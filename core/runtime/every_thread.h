#pragma once

// Something that Linux keeps by thread and that is to hold for the process: capabilities, Landlock,
// no_new_privs. What one thread gives up the others keep, so each has to do it itself; those that
// are started later inherit it from whoever starts them.

#include <cstdint>

#include "core/runtime/limits.h"
#include "proto/base/result.h"

namespace uproar::runtime {

// Runs on a thread that was interrupted wherever it was: system calls and atomics, no allocation,
// no lock, no library. Returns 0 or an errno.
using ThreadAct = int (*)(const void* what);

// Runs `act` by a signal (SIGRTMIN) on each other thread, then on this one; returns when all have.
// Again where new ones came meanwhile, so `act` must bear being repeated. Not on the kernel's own
// workers of a ring: these act with the credentials of whoever submitted. One call at a time.
// The error: of the first thread that refused, or did not answer within `wait_ms` (ETIMEDOUT); the
// others have done it.
[[nodiscard]] Result<std::uint32_t, SystemError> on_every_thread(
    ThreadAct act, const void* what, std::uint32_t wait_ms = kThreadAnswerMs);

}  // namespace uproar::runtime
