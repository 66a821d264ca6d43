#pragma once

// How to speak to one kind of server, as bench/targets/*.toml say it: texts with placeholders.
//
//   name = "uproar"
//   path = "/ws"                                      # of the handshake
//   headers = ["Authorization: Bearer $token"]        # further lines of it
//   ready = '{"type":"session.ready"'                 # begins the text that says a client may speak; empty: being connected is enough
//   join = '{"type":"join","room":"$room"}'           # sent then; empty: nothing
//   joined = '{"type":"joined"'                       # begins its answer
//   publish = '{"type":"event.publish","conversation_id":"$room","name":"tick","data":"$data"}'
//   publish_stored = '…'                              # of traffic with stored = true; empty: this server stores nothing
//   stored_ack = '{"type":"message.sent","id":'       # begins the acknowledgement; $n of the publish follows
//   error = '{"type":"error"'                         # begins what says that a command was refused; empty: this server never says so
//   groups = false                                    # true: rooms are Uproar's conversations, made before the run (world.h)
//   resume_path = "/ws?resume=1"                      # of the handshake of one that a storm cut; empty: the same path
//   resume = '{"type":"sync","cursors":{"$room":$cursor}}'   # said then instead of `join`; empty: it joins as at first, and what it missed is lost
//   resumed = '{"type":"sync.done"'                   # begins its answer; what comes before it counts as heard
//   cursor = '"seq":'                                 # stands before the number of each event, the highest of which is $cursor
//   heartbeat = '{"type":"ping"}'                     # what a client says to be known alive; empty: a ping frame
//   ping = "2"                                        # a payload that asks for a sign of life; empty: only RFC 6455's own
//   pong = "3"                                        # its answer
//   binary = false                                    # true: frames are sent as binary
//   gathers = false                                   # true: one payload may hold several deliveries
//
// All that comes is told apart by how it begins; what begins like nothing here is looked through for publishes.
// $room: the room's name (of 12 characters, as the last group of a UUID) or conversation id. $client: number of the client. $data:
// the payload. $cursor: the highest number that it heard. $n: number of the publish, unique in a run. $token: of the client's user, signed with the server's key; in path and headers. $size: how many
// bytes stand between the end of its line and the line end that closes the text, for protocols that count: "PUB $room $size\r\n…\r\n".

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/result.h"

namespace uproar::bench {

enum class Placeholder : std::uint8_t { kRoom, kClient, kData, kN, kToken, kSize, kCursor, kCount };

struct PlaceholderValues {
  std::array<std::string_view, static_cast<std::size_t>(Placeholder::kCount)> of{};
  std::string_view& operator[](Placeholder what) { return of[static_cast<std::size_t>(what)]; }
};

// A text cut at its placeholders once, put together per publish.
class Template {
 public:
  // The error names the unknown placeholder, or says what $size misses.
  [[nodiscard]] static Result<Template, std::string> parse(std::string_view text);

  // Appends to `out`.
  void fill(const PlaceholderValues& values, std::string& out) const;
  [[nodiscard]] bool empty() const { return pieces_.empty(); }

 private:
  struct Piece {
    std::string text;                               // in front of
    Placeholder placeholder = Placeholder::kCount;  // kCount: nothing
  };
  std::vector<Piece> pieces_;
};

struct Target {
  std::string name;
  Template path;
  Template headers;  // lines with their ends
  std::string ready;
  Template join;
  std::string joined;
  Template publish;
  Template publish_stored;
  std::string stored_ack;
  std::string error;
  bool groups = false;
  Template resume_path;
  Template resume;
  std::string resumed;
  std::string cursor;
  Template heartbeat;
  std::string ping;
  std::string pong;
  bool binary = false;
  bool gathers = false;
};

[[nodiscard]] Result<Target, std::string> read_target(const std::string& path);

}  // namespace uproar::bench
