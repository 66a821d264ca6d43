#pragma once

#include "core/server/log.h"

namespace uproar::sim {

// The process has one log, which tests of several suites want silent.
inline void quiet_log() {
  static const bool is_quiet = [] {
    server::start_log("off");
    return true;
  }();
  (void)is_quiet;
}

}  // namespace uproar::sim
