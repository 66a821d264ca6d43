#include "bench/floor/rooms.h"

#include <algorithm>
#include <array>

#include "proto/ws/frame_writer.h"
#include "proto/ws/handshake.h"

namespace uproar::bench {
namespace {
constexpr std::string_view kPong("\x8A\0", 2);
}  // namespace

void FloorRooms::open(std::uint32_t connection) {
  if (connection >= connections_.size()) connections_.resize(connection + 1);
  connections_[connection] = Connection();
}

void FloorRooms::close(std::uint32_t connection) {
  Connection& one = connections_[connection];
  if (one.room != kNoRoom) {
    std::vector<std::uint32_t>& members = rooms_[one.room].members;
    members.erase(std::remove(members.begin(), members.end(), connection), members.end());
  }
  one = Connection();
}

FloorRooms::Outcome FloorRooms::on_bytes(std::uint32_t connection, std::string_view bytes) {
  Connection& one = connections_[connection];
  Outcome outcome;
  const bool joined = !one.partial.empty();
  if (joined) {
    one.partial += bytes;
    bytes = one.partial;
  }
  std::size_t taken = 0;
  if (one.room == kNoRoom) taken = take_handshake(connection, bytes, outcome);
  if (one.room != kNoRoom) taken += take_frames(one, bytes.substr(taken), outcome);
  if (joined)
    one.partial.erase(0, taken);
  else
    one.partial.assign(bytes.substr(taken));
  return outcome;
}

std::size_t FloorRooms::take_handshake(std::uint32_t connection, std::string_view bytes,
                                       Outcome& outcome) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  ws::HandshakeRequest request("GET", 1, 1);
  std::size_t line = bytes.find("\r\n") + 2;
  const std::string path(bytes.substr(0, line));
  while (line < end + 2) {
    const std::size_t next = bytes.find("\r\n", line);
    const std::size_t colon = bytes.find(':', line);
    if (colon > next) break;
    std::string_view value = bytes.substr(colon + 1, next - colon - 1);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    request.add_header(bytes.substr(line, colon - line), value);
    line = next + 2;
  }
  if (request.check() != ws::HandshakeError::kNone) {
    outcome.alive = false;
    return end + 4;
  }
  outcome.answer = request.response({}, {});
  const auto [found, is_new] =
      by_name_.try_emplace(path, static_cast<std::uint32_t>(rooms_.size()));
  if (is_new) rooms_.emplace_back();
  rooms_[found->second].members.push_back(connection);
  connections_[connection].room = found->second;
  return end + 4;
}

std::size_t FloorRooms::take_frames(Connection& connection, std::string_view bytes,
                                    Outcome& outcome) {
  std::size_t at = 0;
  while (bytes.size() - at >= 6) {
    const auto* head = reinterpret_cast<const unsigned char*>(bytes.data() + at);
    std::size_t header = 2;
    std::size_t length = head[1] & 0x7FU;
    if (length == 126) {
      header = 4;
      length = static_cast<std::size_t>(head[2]) << 8 | head[3];
    }
    if (bytes.size() - at < header + 4 + length) break;
    const bool is_ping = head[0] == 0x89 && length == 0;
    if ((head[0] != 0x81 && !is_ping) || length == 127) {
      outcome.alive = false;
      return bytes.size();
    }
    const char* mask = bytes.data() + at + header;
    if (is_ping)
      outcome.answer += kPong;
    else
      append_frame(connection.room, mask + 4, length, mask);
    at += header + 4 + length;
  }
  return at;
}

void FloorRooms::append_frame(std::uint32_t index, const char* masked, std::size_t bytes,
                              const char* mask) {
  std::string& run = rooms_[index].run;
  if (run.empty()) active_.push_back(index);
  std::array<std::byte, 10> header;
  const std::size_t size = ws::write_header(header.data(), ws::Opcode::kText, bytes);
  run.append(reinterpret_cast<const char*>(header.data()), size);
  const std::size_t begin = run.size();
  run.resize(begin + bytes);
  for (std::size_t i = 0; i < bytes; ++i)
    run[begin + i] = static_cast<char>(masked[i] ^ mask[i % 4]);
  rooms_[index].ends.push_back(run.size());
}

}  // namespace uproar::bench
