#pragma once

namespace uproar::bench {

// The same rooms through a ring of core/runtime: multishot receives, sends in batches, one call that submits and waits.
[[noreturn]] void serve_by_ring(int listener);

}  // namespace uproar::bench
