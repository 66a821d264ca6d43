#pragma once

// The tables, as numbered steps. A released step is never edited; a change is a new step at the end.

#include <span>

namespace uproar::storage::postgres {

// Step n brings a schema from version n to n + 1. Each is one or more statements, run in one transaction.
[[nodiscard]] std::span<const char* const> schema_steps();
[[nodiscard]] int newest_schema_version();

}  // namespace uproar::storage::postgres
