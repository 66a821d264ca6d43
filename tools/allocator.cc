// mimalloc serves every new and delete of the binary; this is the one file that includes it.
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include <mimalloc-new-delete.h>

namespace {

constexpr std::string_view kNoMemory =
    "uproar: out of memory. Try: give it more: MemoryMax= (systemd), --memory (docker), ulimit "
    "-v\n";

// mimalloc aborts without a word when `new` finds no memory, and there may be none for more than
// this.
void say_no_memory(int error, void* /*nothing*/) {
  if (error == ENOMEM)
    static_cast<void>(!::write(STDERR_FILENO, kNoMemory.data(), kNoMemory.size()));
}

[[maybe_unused]] const bool kIsHeard = [] {
  mi_register_error(say_no_memory, nullptr);
  return true;
}();

}  // namespace
