#pragma once

// A shard thread for a test of what runs on it: unpinned, with tables for a handful of descriptors and timers.

#include "core/runtime/shard_thread.h"

namespace uproar::server {

inline runtime::ShardThread::Options small_thread_options() {
  runtime::ShardThread::Options options;
  options.pin = false;
  options.ring = {.sq_entries = 64,
                  .cq_entries = 256,
                  .direct_slots = 16,
                  .recv_buffers = 16,
                  .recv_buffer_bytes = 512};
  options.inbox_tasks = 64;
  options.timers_max = 64;
  return options;
}

}  // namespace uproar::server
