#pragma once

// What a floor knows: who is in which room and which frames a room has to get. No accounts, no JSON, no limits, no answers to
// mistakes: a client that errs is cut. Hot path: per frame.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace uproar::bench {

struct FloorRoom {
  std::vector<std::uint32_t> members;  // connections
  std::string run;                     // frames of this turn, ready to be sent
  std::vector<std::size_t> ends;       // of each of them, in it

  void clear() {
    run.clear();
    ends.clear();
  }
};

class FloorRooms {
 public:
  // What a connection's bytes amounted to.
  struct Outcome {
    bool alive = true;   // false: cut it
    std::string answer;  // to be sent: of the handshake, and a pong for each ping
  };

  void open(std::uint32_t connection);
  void close(std::uint32_t connection);
  // A GET makes the connection a member of the room that the path names; text frames are appended to the room's run, and the
  // room to active().
  [[nodiscard]] Outcome on_bytes(std::uint32_t connection, std::string_view bytes);

  // Rooms with a run, in the order of their first frame. The caller sends and clears.
  [[nodiscard]] std::vector<std::uint32_t>& active() { return active_; }
  [[nodiscard]] FloorRoom& room(std::uint32_t index) { return rooms_[index]; }

 private:
  static constexpr std::uint32_t kNoRoom = 0xFFFFFFFF;
  struct Connection {
    std::uint32_t room = kNoRoom;
    std::string partial;
  };

  [[nodiscard]] std::size_t take_handshake(std::uint32_t connection, std::string_view bytes,
                                           Outcome& outcome);
  [[nodiscard]] std::size_t take_frames(Connection& connection, std::string_view bytes,
                                        Outcome& outcome);
  void append_frame(std::uint32_t room, const char* masked, std::size_t bytes, const char* mask);

  std::vector<Connection> connections_;
  std::vector<FloorRoom> rooms_;
  std::unordered_map<std::string, std::uint32_t> by_name_;
  std::vector<std::uint32_t> active_;
};

}  // namespace uproar::bench
