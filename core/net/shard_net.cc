#include "core/net/shard_net.h"

#include "core/net/shard_net-inl.h"
#include "core/runtime/ring.h"

namespace uproar::net {

template class BasicShardNet<runtime::Ring>;

}  // namespace uproar::net
