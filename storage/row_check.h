#pragma once

// Whether a row that is handed over keeps what its columns promise (CellType). Another store would refuse it in its own
// words, or keep what no client can be shown.

#include <string>

#include "storage/transfer.h"

namespace uproar::storage {

// Which row it is and what is wrong with it, for people; empty when nothing is.
[[nodiscard]] std::string fault_of(const TransferTable& table, Row row);

}  // namespace uproar::storage
