#include "core/server/build_posture.h"

#include <cstddef>
#include <string>
#include <utility>

#include <link.h>

namespace uproar::server {
namespace {

using runtime::Finding;

struct Loaded {
  bool relro = false;
  bool bound_at_start = false;
  bool stack_executes = false;
  bool seen = false;
};

// Of the program itself, which is listed first.
int look(dl_phdr_info* info, std::size_t /*bytes*/, void* out) {
  auto& loaded = *static_cast<Loaded*>(out);
  if (std::exchange(loaded.seen, true)) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    if (header.p_type == PT_GNU_RELRO) loaded.relro = true;
    if (header.p_type == PT_GNU_STACK) loaded.stack_executes = (header.p_flags & PF_X) != 0;
    if (header.p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(info->dlpi_addr + header.p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_BIND_NOW ||
          (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_BIND_NOW) != 0) ||
          (entry->d_tag == DT_FLAGS_1 && (entry->d_un.d_val & DF_1_NOW) != 0))
        loaded.bound_at_start = true;
    }
  }
  return 0;
}

Finding finding(const char* name, bool is_there, std::string detail) {
  return {.name = std::string("build: ") + name,
          .status = is_there ? Finding::Status::kOk : Finding::Status::kDegraded,
          .required = false,
          .code = 0,
          .detail = std::move(detail),
          .remedy = is_there ? "" : "build it with cmake --preset release"};
}

}  // namespace

std::vector<Finding> build_findings() {
  Loaded loaded;
  ::dl_iterate_phdr(&look, &loaded);
  std::vector<Finding> findings;
#ifdef __PIE__
  findings.push_back(finding("position independent", true, "another address at each start"));
#else
  findings.push_back(finding("position independent", false, "the same addresses at each start"));
#endif
  const bool full = loaded.relro && loaded.bound_at_start;
  findings.push_back(finding("relro", full,
                             full ? "full: all is bound at start and read-only from then on"
                             : loaded.relro
                                 ? "partial: what is bound at its first use stays writable"
                                 : "not there"));
  findings.push_back(finding("stack", !loaded.stack_executes,
                             loaded.stack_executes ? "may be executed" : "not executable"));
#ifdef __SSP_STRONG__
  findings.push_back(finding("stack protector", true, "strong"));
#else
  findings.push_back(finding("stack protector", false, "not there"));
#endif
#if defined(_FORTIFY_SOURCE) && _FORTIFY_SOURCE >= 2
  findings.push_back(finding("fortify", true, "level " + std::to_string(_FORTIFY_SOURCE)));
#else
  findings.push_back(finding("fortify", false, "not there"));
#endif
#if defined(__CET__) && __CET__ == 3
  findings.push_back(finding("control flow", true, "marked for IBT and shadow stack"));
#elif defined(__ARM_FEATURE_BTI_DEFAULT)
  findings.push_back(finding("control flow", true, "marked for BTI and signed returns"));
#else
  findings.push_back(finding("control flow", false, "not marked"));
#endif
#ifdef UPROAR_AUTO_INIT
  findings.push_back(finding("variables", true, "filled with a " UPROAR_AUTO_INIT));
#else
  findings.push_back(
      finding("variables", false, "those that nobody initialised hold what was there"));
#endif
  return findings;
}

}  // namespace uproar::server
