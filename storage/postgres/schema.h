#pragma once

// The tables, as numbered steps. A released step is never edited; a change is a new step at the end.

#include <span>

namespace uproar::storage::postgres {

// Step n brings a schema from version n to n + 1.
struct SchemaStep {
  const char* sql;  // one or more statements, run in one transaction
  // A node that knows only the schema of before would write what breaks this one: nobody may be at
  // work meanwhile.
  bool wants_nobody_at_work;
};
[[nodiscard]] std::span<const SchemaStep> schema_steps();
[[nodiscard]] int newest_schema_version();

}  // namespace uproar::storage::postgres
