#pragma once

// Ids in production: version 7 with randomness from the operating system.

#include "core/chat/id_source.h"
#include "proto/crypto/random.h"

namespace uproar::server {

class RandomIds final : public chat::IdSource {
 public:
  Uuid make(const Now& now) override {
    return Uuid::v7(static_cast<std::uint64_t>(now.wall_ms()), crypto::random_u64(),
                    crypto::random_u64());
  }
};

}  // namespace uproar::server
