#pragma once

// What a server that has started gives up, so that whoever takes it over has little: privileges,
// files that it does not need, system calls that it does not make. Each is tried and told by
// itself; one that the machine does not have takes none of the others away. The ring's part
// (core/runtime/ring_restrictions.h) and the build's (build_posture.h) are told beside it.

#include <string>
#include <vector>

#include "core/runtime/probe.h"
#include "core/server/config.h"
#include "core/server/landlock.h"
#include "core/server/seccomp_filter.h"

namespace uproar::server {

struct PostureOptions {
  SeccompMode seccomp = SeccompMode::kEnforce;
  bool landlock = true;
  bool reaches_out = false;  // connects to PostgreSQL, Redis, etcd or an issuer's URL
  std::vector<FileRule> files;
};

// What a server of these settings still needs.
[[nodiscard]] PostureOptions posture_of(const Config& config);

// Before anything is opened and while there is one thread: SQLite's temporary files go where the
// data is, and nowhere else.
void prepare_posture(const Config& config);

// Once everything is open: sockets, rings, threads, the database. Binds every thread of the
// process, and those of later; cannot be taken back. One finding each: "no new privileges",
// "capabilities", "landlock", "seccomp".
[[nodiscard]] std::vector<runtime::Finding> confine(const PostureOptions& options);

// The same in a child that ends at once: what confine() would find on this machine. REQUIRES: one
// thread.
[[nodiscard]] std::vector<runtime::Finding> try_confine(const PostureOptions& options);

// "no new privileges, no capabilities, …; without landlock (…)": for the log.
[[nodiscard]] std::string posture_line(const std::vector<runtime::Finding>& findings);

}  // namespace uproar::server
