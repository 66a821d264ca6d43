#include "core/server/last_words.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <system_error>

namespace uproar::server {
namespace {

[[noreturn]] void end_with_words() {
  const std::exception_ptr thrown = std::current_exception();
  if (thrown == nullptr) std::abort();
  try {
    std::rethrow_exception(thrown);
  } catch (const std::system_error& error) {
    const bool is_thread = error.code() == std::errc::resource_unavailable_try_again;
    std::fprintf(stderr, "uproar: %s%s\n", error.what(),
                 is_thread
                     ? ": a thread is refused. Try: raise the limit of threads: TasksMax= and "
                       "LimitNPROC= (systemd), --pids-limit (docker), ulimit -u; or of memory"
                     : "");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "uproar: %s\n", error.what());
  } catch (...) {
    std::fputs("uproar: an exception of no known kind\n", stderr);
  }
  std::abort();
}

}  // namespace

void prepare_last_words() {
  std::set_terminate(end_with_words);
}

}  // namespace uproar::server
