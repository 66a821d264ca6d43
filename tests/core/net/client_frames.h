#pragma once

// What a client puts on the wire and takes from it: frames of RFC 6455 as plain as can be, for tests that play the peer.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace uproar::net {

inline constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

// A masked client frame.
inline std::string client_frame(int opcode, std::string_view payload, bool fin = true) {
  std::string out;
  out += static_cast<char>((fin ? 0x80 : 0) | opcode);
  if (payload.size() <= 125) {
    out += static_cast<char>(0x80 | payload.size());
  } else if (payload.size() <= 0xFFFF) {
    out += static_cast<char>(0x80 | 126);
    out += static_cast<char>(payload.size() >> 8U);
    out += static_cast<char>(payload.size());
  } else {
    out += static_cast<char>(0x80 | 127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
  }
  const char mask[4] = {0x12, 0x34, 0x56, 0x78};
  out.append(mask, 4);
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}

struct ServerFrame {
  int opcode = 0;
  std::string payload;
};

// Whole server frames of `wire`; `rest` is what follows the last whole one.
inline std::vector<ServerFrame> server_frames(std::string_view wire, std::string* rest = nullptr) {
  std::vector<ServerFrame> out;
  while (wire.size() >= 2) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(wire[i]); };
    std::size_t header = 2;
    std::uint64_t bytes = at(1) & 0x7FU;
    if (bytes == 126) {
      if (wire.size() < 4) break;
      bytes = (static_cast<std::uint64_t>(at(2)) << 8U) | at(3);
      header = 4;
    } else if (bytes == 127) {
      if (wire.size() < 10) break;
      bytes = 0;
      for (std::size_t i = 2; i < 10; ++i) bytes = (bytes << 8U) | at(i);
      header = 10;
    }
    if (wire.size() < header + bytes) break;
    out.push_back({.opcode = at(0) & 0x0F, .payload = std::string(wire.substr(header, bytes))});
    wire.remove_prefix(header + bytes);
  }
  if (rest != nullptr) *rest = std::string(wire);
  return out;
}

}  // namespace uproar::net
