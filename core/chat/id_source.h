#pragma once

// Where ids come from: randomness is handed in, so that a simulated run repeats itself.

#include "proto/base/now.h"
#include "proto/base/uuid.h"

namespace uproar::chat {

class IdSource {
 public:
  virtual ~IdSource() = default;
  // A fresh id, version 7 in production.
  virtual Uuid make(const Now& now) = 0;
};

}  // namespace uproar::chat
