#pragma once

// Makes the conversations of a world: for each room its publisher says conversation.create with the first members, then
// conversation.add with the others, a bounded number of rooms at once. Pure: told what came and what time it is, it says what to say.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/world.h"

namespace uproar::bench {

class WorldMaker {
 public:
  static constexpr std::uint32_t kRoomsAtOnce = 64;
  static constexpr std::uint32_t kMembersPerCommand = 1000;
  static constexpr std::int64_t kAskAgainNs =
      200'000'000;  // after a refusal that says retry_after_ms

  // `members`: of each room, whose users stand one after another in `world`, the publisher first. `names`: of the rooms.
  // REQUIRES: `world` outlives it and has a user for each member; its conversations are filled in.
  WorldMaker(const std::vector<std::uint32_t>& members, std::vector<std::string> names,
             World& world);

  // A room whose publisher is to say command() now; to be asked until there is none.
  [[nodiscard]] std::optional<std::uint32_t> next(std::int64_t now_ns);
  [[nodiscard]] std::string command(std::uint32_t room) const;
  // What the room's publisher was told. True: it is headway. The error is one that asking again does not mend.
  [[nodiscard]] Result<bool, std::string> heard(std::uint32_t room, std::string_view payload,
                                                std::int64_t now_ns);

  [[nodiscard]] std::uint32_t made() const { return made_; }
  [[nodiscard]] bool is_done() const { return made_ == rooms_.size(); }

 private:
  struct Room {
    std::string name;  // or the conversation's id
    std::uint32_t first_user = 0;
    std::uint32_t members = 0;
    std::uint32_t seated = 0;  // of them; 0: the conversation is still to be made
  };
  struct Due {
    std::uint32_t room = 0;
    std::int64_t due_ns = 0;
  };

  World& world_;
  std::vector<Room> rooms_;
  std::uint32_t begun_ = 0;
  std::uint32_t made_ = 0;
  std::deque<std::uint32_t> growing_;
  std::deque<Due> refused_;
};

}  // namespace uproar::bench
