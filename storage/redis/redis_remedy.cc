#include "storage/redis/redis_remedy.h"

#include <array>

namespace uproar::storage::redis {
namespace {

struct Remedy {
  std::string_view of;  // how the words begin
  std::string_view hint;
};

constexpr std::string_view kLogIn =
    "correct user and password in --redis: redis://USER:PASSWORD@HOST, or redis://:PASSWORD@HOST";
constexpr std::string_view kNewer =
    "run a newer server: this one is older than Redis 6.0, and a cluster needs 7.0";

constexpr std::array kRemedies = {
    Remedy{"NOAUTH", kLogIn},
    Remedy{"WRONGPASS", kLogIn},
    Remedy{"NOPERM", "give the user of --redis the rights that docs/operations.md lists"},
    Remedy{"NOPROTO", kNewer},
    Remedy{"ERR unknown command", kNewer},
    Remedy{"ERR DB index", "correct the number at the end of --redis, or leave it out"},
    Remedy{"ERR max number of clients", "raise maxclients on the server"},
    Remedy{"OOM", "raise maxmemory on the server, or find out what else fills it"},
    Remedy{"MISCONF", "mend the disk of the server, or let it write none: config set save ''"},
    Remedy{"READONLY", "name the primary in --redis: this is a replica"},
    Remedy{"LOADING", "wait until the server has read its data"},
    Remedy{"BUSY", "end the script that keeps the server busy: script kill"},
    Remedy{"MASTERDOWN", "look at the primary of this server"},
    Remedy{"CLUSTERDOWN", "look at the cluster: redis-cli cluster info"},
};

}  // namespace

std::string_view remedy_for(std::string_view words) {
  for (const Remedy& remedy : kRemedies)
    if (words.starts_with(remedy.of)) return remedy.hint;
  return "look at that server and its log; is it the one that --redis means?";
}

}  // namespace uproar::storage::redis
