// How a run begins: everybody connects, gets a seat, and is in a room.

#include <algorithm>
#include <cstdlib>

#include "bench/load/load_run.h"
#include "bench/load/program.h"

namespace uproar::bench {
namespace {

constexpr int kMemoryReadingsMin = 3;
constexpr int kMemoryReadingsMax = 30;
constexpr double kMemoryPauseSeconds = 0.5;
constexpr std::int64_t kMemoryStillBytes = std::int64_t{64} * 1024;
constexpr int kSilentReceiveBytes = 64 * 1024;

}  // namespace

void LoadRun::come_all() {
  if (scenario_.memory_steps > 0 && options_.server_pid > 0)
    come_in_steps();
  else
    bring_in("connecting", kOpeningMax, [](std::uint32_t) { return true; });
  for (const Room& room : rooms_) {
    const std::uint32_t silent = scenario_.traffic[room.traffic].silent;
    for (std::uint32_t i = room.members - silent; i < room.members; ++i)
      rings_.stop_reading(room.first_client + i);
  }
}

void LoadRun::come_in_steps() {
  const std::uint64_t all = seats_.size();
  for (std::uint64_t step = 0; step <= scenario_.memory_steps; ++step) {
    const auto upto = static_cast<std::uint32_t>(all * step / scenario_.memory_steps);
    bring_in("connecting", kOpeningMax, [upto](std::uint32_t client) { return client < upto; });
    result_.memory.push_back({.clients = upto, .memory = settled_memory()});
  }
}

Memory LoadRun::settled_memory() {
  Memory last = memory_of(options_.server_pid);
  for (int i = 0; i < kMemoryReadingsMax; ++i) {
    turn_for(kMemoryPauseSeconds, "reading memory");
    const Memory next = memory_of(options_.server_pid);
    const auto moved =
        static_cast<std::int64_t>(next.rss_bytes) - static_cast<std::int64_t>(last.rss_bytes);
    last = next;
    if (i >= kMemoryReadingsMin && std::abs(moved) < kMemoryStillBytes) break;
  }
  return last;
}

void LoadRun::bring_in(const char* what, std::uint32_t opening_max,
                       const std::function<bool(std::uint32_t client)>& wanted) {
  std::vector<std::uint32_t> todo;
  for (std::uint32_t client = 0; client < seats_.size(); ++client) {
    if (seats_[client] == Seat::kOut && wanted(client)) todo.push_back(client);
  }
  const auto all_in = static_cast<std::uint32_t>(in_ + todo.size());
  std::size_t next = 0;
  turn_until(what, [&] {
    while (next < todo.size() && opening_ < opening_max) connect(todo[next++]);
    if (next == todo.size() && opening_ == 0 && in_ < all_in)
      die(std::string(what) + ": the server ended a connection, " + result_.first_end);
    return in_ == all_in;
  });
}

PlaceholderValues LoadRun::values_of(std::uint32_t client) {
  PlaceholderValues values;
  client_number_ = std::to_string(client);
  values[Placeholder::kRoom] = rooms_[room_of_[client]].name;
  values[Placeholder::kClient] = client_number_;
  return values;
}

void LoadRun::connect(std::uint32_t client) {
  PlaceholderValues values = values_of(client);
  std::string token;
  if (tokens_) token = tokens_->sign(client, world_.users[client]);
  values[Placeholder::kToken] = token;
  std::string request = "GET ";
  target_.path.fill(values, request);
  request +=
      " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
  target_.headers.fill(values, request);
  request += "\r\n";
  const Room& room = rooms_[room_of_[client]];
  const bool silent =
      client - room.first_client >= room.members - scenario_.traffic[room.traffic].silent;
  seats_[client] = Seat::kConnecting;
  ++opening_;
  rings_.connect(client, request, silent ? kSilentReceiveBytes : 0);
}

void LoadRun::on_open(std::uint32_t client) {
  if (target_.ready.empty()) on_seat_payload(client, {}, monotonic_ns());
}

void LoadRun::on_seat_payload(std::uint32_t client, std::string_view payload, std::int64_t now_ns) {
  if (seats_[client] == Seat::kConnecting && payload.starts_with(target_.ready)) {
    seats_[client] = Seat::kReady;
    if (target_.join.empty()) return come_in(client, now_ns);
    text_.clear();
    target_.join.fill(values_of(client), text_);
    rings_.send_payload(client, text_);
    if (target_.joined.empty()) come_in(client, now_ns);
  } else if (seats_[client] == Seat::kReady && payload.starts_with(target_.joined)) {
    come_in(client, now_ns);
  }
}

void LoadRun::come_in(std::uint32_t client, std::int64_t now_ns) {
  seats_[client] = Seat::kIn;
  ++in_;
  --opening_;
  moved_ns_ = now_ns;
  if (measuring_ && cut_ns_[client] != 0)
    result_.reconnect.record(static_cast<std::uint64_t>(now_ns - cut_ns_[client]));
}

void LoadRun::on_end(std::uint32_t client, ClientEnd end, std::string_view reason) {
  if (end == ClientEnd::kRefused)
    die("client " + std::to_string(client) + " was refused: " + std::string(reason));
  if (seats_[client] == Seat::kIn)
    --in_;
  else
    --opening_;
  seats_[client] = Seat::kOut;
  moved_ns_ = monotonic_ns();
  if (end == ClientEnd::kCut) return;
  if (result_.ended++ == 0)
    result_.first_end = "client " + std::to_string(client) + ": " + std::string(reason);
}

}  // namespace uproar::bench
