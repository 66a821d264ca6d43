#pragma once

// What the server must have before a run begins and still has when it is started again: a user for each client, a conversation for
// each room. Memory is measured in a second life of the server, since making the world leaves traces in the one that did it.
//
// The file, by lines: "uproar-load-world CLIENTS ROOMS", then for each room "room MEMBERS CONVERSATION" and its members' user ids.

#include <cstdint>
#include <string>
#include <vector>

#include "proto/base/result.h"
#include "proto/base/uuid.h"

namespace uproar::bench {

struct World {
  std::vector<Uuid> users;          // by client
  std::vector<Uuid> conversations;  // by room

  friend bool operator==(const World&, const World&) = default;
};

// Ids that no server has seen.
[[nodiscard]] std::vector<Uuid> new_users(std::uint32_t count);

// `members`: of each room. The error names the file and says what is wrong with it: its shape must be just this one.
[[nodiscard]] Result<World, std::string> read_world(const std::string& path,
                                                    const std::vector<std::uint32_t>& members);
// False: the file cannot be written. REQUIRES: a user for each member of each room, a conversation for each room.
[[nodiscard]] bool write_world(const std::string& path, const World& world,
                               const std::vector<std::uint32_t>& members);

}  // namespace uproar::bench
