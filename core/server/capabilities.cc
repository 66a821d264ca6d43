#include "core/server/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace uproar::server {
namespace {

constexpr int kCapabilitiesMax = 64;
constexpr int kWords = _LINUX_CAPABILITY_U32S_3;

__user_cap_header_struct header_of_this_thread() {
  return {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
}

}  // namespace

std::uint64_t effective_capabilities() {
  auto header = header_of_this_thread();
  __user_cap_data_struct words[kWords] = {};
  if (::syscall(SYS_capget, &header, words) != 0) return 0;
  return words[0].effective | std::uint64_t{words[1].effective} << 32;
}

std::uint64_t bounding_capabilities() {
  std::uint64_t all = 0;
  for (int capability = 0; capability < kCapabilitiesMax; ++capability) {
    if (::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) all |= std::uint64_t{1} << capability;
  }
  return all;
}

int drop_capabilities_of_this_thread() {
  for (int capability = 0; capability < kCapabilitiesMax; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
      break;  // EINVAL: beyond the last. EPERM: may not
  }
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  auto header = header_of_this_thread();
  const __user_cap_data_struct nothing[kWords] = {};
  return ::syscall(SYS_capset, &header, nothing) == 0 ? 0 : errno;
}

}  // namespace uproar::server
