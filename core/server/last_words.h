#pragma once

// What the process says when it must end because the system refuses it threads: nobody catches what
// their constructors throw. For memory it is the allocator that speaks (tools/allocator.cc).

namespace uproar::server {

// From now on a refusal is named, with what to try, before the process aborts as it does anyway.
void prepare_last_words();

}  // namespace uproar::server
