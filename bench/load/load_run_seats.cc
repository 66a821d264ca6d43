// How clients come into their rooms, go, and come back.

#include <algorithm>

#include "bench/load/load_run.h"
#include "bench/load/program.h"

namespace uproar::bench {
namespace {

constexpr double kMemoryPauseSeconds = 0.5;
constexpr int kSilentReceiveBytes = 64 * 1024;
constexpr std::size_t kRoomNameDigits = 7;
constexpr double kSecond = 1e9;

// All of one length, so that frames are: "room-0000042".
std::string room_name(std::uint32_t room) {
  const std::string number = std::to_string(room);
  return "room-" + std::string(kRoomNameDigits - std::min(number.size(), kRoomNameDigits), '0') +
         number;
}

// A server that has no room for one now, not one that will never take it: a 5xx, or 429 Too Many Requests.
bool may_pass(ClientEnd end, std::string_view reason) {
  return end != ClientEnd::kRefused || reason.find(" 5") == 8 || reason.find(" 429") == 8;
}

}  // namespace

void LoadRun::seat_clients() {
  std::uint32_t client = 0;
  for (std::uint32_t traffic = 0; traffic < scenario_.traffic.size(); ++traffic) {
    const Traffic& one = scenario_.traffic[traffic];
    for (std::uint32_t i = 0; i < one.rooms; ++i) {
      const auto room = static_cast<std::uint32_t>(rooms_.size());
      rooms_.push_back({.traffic = traffic,
                        .first_client = client,
                        .members = one.members,
                        .name = room_name(room)});
      for (std::uint32_t member = 0; member < one.members; ++member) room_of_[client++] = room;
    }
  }
}

void LoadRun::come_all() {
  if (scenario_.memory_steps > 0 && server_.is_watching())
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
  MemoryRest rest;
  Memory reading = server_.memory();
  while (!rest.is_reached_by(reading)) {
    turn_for(kMemoryPauseSeconds, "reading memory");
    reading = server_.memory();
  }
  return reading;
}

void LoadRun::bring_in(const char* what, std::uint32_t opening_max,
                       const std::function<bool(std::uint32_t client)>& wanted) {
  std::vector<std::uint32_t> todo;
  for (std::uint32_t client = 0; client < seats_.size(); ++client) {
    if (seats_[client] == Seat::kOut && wanted(client)) todo.push_back(client);
  }
  arrivals_.emplace(todo, opening_max);
  turn_until(what, [&] { return arrivals_->is_done(); });
  arrivals_.reset();
}

bool LoadRun::let_in(std::int64_t now_ns) {
  bool moved = false;
  while (const auto client = arrivals_->overdue(now_ns)) {
    rings_.cut(*client);
    moved = true;
  }
  while (const auto client = arrivals_->next(now_ns)) {
    connect(*client);
    moved = true;
  }
  return moved;
}

PlaceholderValues LoadRun::values_of(std::uint32_t client) {
  PlaceholderValues values;
  client_number_ = std::to_string(client);
  values[Placeholder::kRoom] = rooms_[room_of_[client]].name;
  values[Placeholder::kClient] = client_number_;
  return values;
}

std::string LoadRun::handshake_of(std::uint32_t client, bool comes_back) {
  PlaceholderValues values = values_of(client);
  std::string token;
  if (tokens_) token = tokens_->sign(client, world_.users[client]);
  values[Placeholder::kToken] = token;
  std::string request = "GET ";
  (comes_back && !target_.resume_path.empty() ? target_.resume_path : target_.path)
      .fill(values, request);
  request +=
      " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
  target_.headers.fill(values, request);
  return request + "\r\n";
}

void LoadRun::connect(std::uint32_t client) {
  const Room& room = rooms_[room_of_[client]];
  const bool silent =
      client - room.first_client >= room.members - scenario_.traffic[room.traffic].silent;
  seats_[client] = Seat::kConnecting;
  rings_.connect(
      client, client < storm_handshakes_.size() ? storm_handshakes_[client] : handshake_of(client),
      silent ? kSilentReceiveBytes : 0);
}

void LoadRun::on_open(std::uint32_t client) {
  if (target_.ready.empty()) on_seat_payload(client, {}, monotonic_ns());
}

void LoadRun::on_seat_payload(std::uint32_t client, std::string_view payload, std::int64_t now_ns) {
  if (seats_[client] == Seat::kConnecting && payload.starts_with(target_.ready)) {
    seats_[client] = Seat::kReady;
    if (book_.is_kept() && cut_ns_[client] != 0) return resume(client);
    if (target_.join.empty()) return come_in(client, now_ns);
    text_.clear();
    target_.join.fill(values_of(client), text_);
    rings_.send_payload(client, text_);
    if (target_.joined.empty()) come_in(client, now_ns);
  } else if (seats_[client] == Seat::kReady && payload.starts_with(target_.joined)) {
    come_in(client, now_ns);
  } else if (seats_[client] == Seat::kResuming) {
    if (!payload.starts_with(target_.resumed)) return on_event(client, payload, now_ns);
    come_in(client, now_ns);
    say_again(client);
  }
}

void LoadRun::resume(std::uint32_t client) {
  PlaceholderValues values = values_of(client);
  const std::string cursor = std::to_string(book_.cursor(client));
  values[Placeholder::kCursor] = cursor;
  text_.clear();
  target_.resume.fill(values, text_);
  seats_[client] = Seat::kResuming;
  rings_.send_payload(client, text_);
}

// What it said without an answer, under the same number: stored once all the same.
void LoadRun::say_again(std::uint32_t client) {
  for (const ResumeBook::Send& send : book_.unanswered(client))
    rings_.send_payload(client, send.text);
}

void LoadRun::come_in(std::uint32_t client, std::int64_t now_ns) {
  arrivals_->came_in(client);
  seats_[client] = Seat::kIn;
  ++in_;
  moved_ns_ = now_ns;
  if (measurement_.is_under_way() && cut_ns_[client] != 0)
    result_.storm.reconnect.record(static_cast<std::uint64_t>(now_ns - cut_ns_[client]));
}

void LoadRun::on_end_of_handshake(std::uint32_t client, ClientEnd end, std::string_view reason) {
  seats_[client] = Seat::kOut;
  const std::string why = "client " + std::to_string(client) + ": " +
                          (end == ClientEnd::kCut ? "no answer within 5 s" : std::string(reason));
  if (!may_pass(end, reason)) die("refused: " + why);
  if (result_.retried.count++ == 0) result_.retried.first = why;
  if (!arrivals_->failed(client)) {
    die("refused " + std::to_string(Arrivals::kTriesMax) + " times, the last time " + why +
        "; is the server, or one of its shards, full?");
  }
}

void LoadRun::cut_all() {
  for (std::uint32_t client = 0; client < seats_.size(); ++client) rings_.cut(client);
  turn_until("letting go", [&] { return in_ == 0; });
}

// Signing is no work of the server's, nor of the load that it is put to: what will be said is put together before the clock runs.
void LoadRun::prepare_storm() {
  const auto count =
      static_cast<std::uint32_t>(scenario_.storm.fraction * static_cast<double>(seats_.size()));
  for (std::uint32_t client = 0; client < count; ++client)
    storm_handshakes_.push_back(handshake_of(client, true));
}

// All that are to come back do so at once, as after a network's failure.
void LoadRun::storm() {
  const auto count = static_cast<std::uint32_t>(storm_handshakes_.size());
  const CpuTime cpu_before = server_.cpu();
  const std::int64_t begin = monotonic_ns();
  const std::int64_t busy_before_ns = busy_ns_;
  std::uint32_t staying = in_;
  for (std::uint32_t client = 0; client < count; ++client) {
    if (seats_[client] != Seat::kIn)
      continue;  // the server ended it: it comes back with the others
    cut_ns_[client] = begin;
    rings_.cut(client);
    --staying;
  }
  busy_ns_ += monotonic_ns() - begin;
  turn_until("cutting", [&] { return in_ <= staying; });
  bring_in("coming back", scenario_.storm.opening,
           [&](std::uint32_t client) { return client < count; });
  const auto wall = static_cast<double>(monotonic_ns() - begin);
  result_.storm.seconds = wall / kSecond;
  result_.storm.load_busy = static_cast<double>(busy_ns_ - busy_before_ns) / wall;
  result_.storm.server_cpu = server_.used(cpu_before, server_.cpu());
  storm_handshakes_ = {};
  std::fill(cut_ns_.begin(), cut_ns_.end(), 0);
}

}  // namespace uproar::bench
