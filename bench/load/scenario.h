#pragma once

// READ FIRST. What the load tool is to do, as bench/scenarios/*.toml say it. Times are seconds.
//
//   name = "hall-and-pairs"
//   about = "1,000 rooms of 2 beside a room of 10,000 that is saturated"
//   seconds = 5.0             # measured; default 5
//   warmup_seconds = 1.0      # before it; default 1
//   heartbeat_seconds = 48    # each client that is in says its target's heartbeat once in this time, evenly spread; default 0: nobody
//   memory_steps = 4          # read the server's memory before the first client and at each quarter of them; default 0: only at the end
//
//   [[traffic]]               # one kind of rooms; a client is a member of one room
//   name = "hall"
//   rooms = 1
//   members = 10000           # of each room; all hear, the publisher too
//   publishers = 1            # the first ones of each room, in turn
//   in_flight = 4             # closed loop: publishes that not everybody has yet, over all rooms of this traffic
//   publishes_per_second = 0  # or open loop: over all rooms, at intended times; latency counts from those
//   payload_bytes = 128       # of text, numbered
//   stored = false            # message.send with its acknowledgement instead of event.publish
//   silent = 0                # the last ones of each room stop reading once they are in it
//
//   [storm]                   # cut connections without a goodbye and bring them back; what is said meanwhile must be stored, and the target resume
//   fraction = 1.0            # of all clients
//   opening = 256             # handshakes under way at once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/result.h"

namespace uproar::bench {

struct Traffic {
  std::string name = "traffic";
  std::uint32_t rooms = 1;
  std::uint32_t members = 2;
  std::uint32_t publishers = 1;
  std::uint32_t in_flight = 0;
  double publishes_per_second = 0;
  std::uint32_t payload_bytes = 128;
  bool stored = false;
  std::uint32_t silent = 0;

  [[nodiscard]] bool speaks() const { return in_flight > 0 || publishes_per_second > 0; }
};

struct Storm {
  double fraction = 0;  // 0: none
  std::uint32_t opening = 256;
};

struct Scenario {
  std::string name;
  std::string about;
  double seconds = 5;
  double warmup_seconds = 1;
  double heartbeat_seconds = 0;
  std::uint32_t memory_steps = 0;
  std::vector<Traffic> traffic;
  Storm storm;

  [[nodiscard]] std::uint32_t clients() const;
  // Members of each room, in the order of the rooms.
  [[nodiscard]] std::vector<std::uint32_t> members() const;
};

// `overrides`: "seconds=2", "storm.fraction=0.5", "hall.in_flight=16" (hall: a traffic's name). The error says which file, which
// key and what is allowed.
[[nodiscard]] Result<Scenario, std::string> read_scenario(
    const std::string& path, const std::vector<std::string>& overrides);

}  // namespace uproar::bench
