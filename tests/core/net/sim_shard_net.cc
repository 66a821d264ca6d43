// BasicShardNet over the simulated Io, instantiated once for all tests.

#include "core/net/shard_net-inl.h"
#include "tests/core/net/sim_io.h"

namespace uproar::net {

template class BasicShardNet<SimIo>;

}  // namespace uproar::net
