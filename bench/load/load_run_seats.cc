// How a run begins: everybody connects, gets a seat, and is in a room.

#include <algorithm>

#include "bench/client/room.h"
#include "bench/load/load_run.h"

namespace uproar::bench {
namespace {

constexpr std::uint32_t kOpeningMax = 128;  // handshakes under way: below any listener's backlog
constexpr std::uint32_t kRoomsAtOnce = 64;
constexpr std::uint32_t kMembersPerCommand = 1000;
constexpr std::int64_t kAskAgainNs = 200'000'000;  // after a refusal that says retry_after_ms
constexpr int kSilentReceiveBytes = 64 * 1024;

}  // namespace

void LoadRun::come_all() {
  if (target_.groups) make_groups();
  bring_in("connecting", kOpeningMax, [](std::uint32_t) { return true; });
  for (const Room& room : rooms_) {
    const std::uint32_t silent = scenario_.traffic[room.traffic].silent;
    for (std::uint32_t i = room.members - silent; i < room.members; ++i)
      rings_.stop_reading(room.first_client + i);
  }
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
    return in_ == all_in;
  });
}

PlaceholderValues LoadRun::values_of(std::uint32_t client) {
  PlaceholderValues values;
  client_number_ = std::to_string(client);
  values[Placeholder::kRoom] = rooms_[room_of_[client]].name;
  values[Placeholder::kClient] = client_number_;
  if (!tokens_.empty()) values[Placeholder::kToken] = tokens_[client];
  return values;
}

void LoadRun::connect(std::uint32_t client) {
  const PlaceholderValues values = values_of(client);
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
  if (end == ClientEnd::kCut) return;
  if (result_.ended++ == 0)
    result_.first_end = "client " + std::to_string(client) + ": " + std::string(reason);
}

void LoadRun::send_away() {
  for (std::uint32_t client = 0; client < seats_.size(); ++client) rings_.cut(client);
  turn_until("letting go", [&] { return in_ == 0; });
}

// Users come to be when they are first seen, and members must be known. Members who are connected while others are added hear of
// each: so everybody comes once and goes, then the publishers make the rooms, then all come.
void LoadRun::make_groups() {
  const Users users =
      bench::make_users(static_cast<std::uint32_t>(seats_.size()), options_.auth_key);
  tokens_ = users.tokens;
  for (const Uuid& id : users.ids) user_ids_.push_back(id.text());
  bring_in("introducing users", kOpeningMax, [](std::uint32_t) { return true; });
  send_away();
  bring_in("connecting publishers", kOpeningMax, [this](std::uint32_t client) {
    return rooms_[room_of_[client]].first_client == client;
  });
  std::uint32_t asked = 0;
  making_groups_ = true;
  turn_until("making rooms", [&] {
    while (asked < rooms_.size() && asked < rooms_made_ + kRoomsAtOnce) grow_group(rooms_[asked++]);
    ask_again();
    return rooms_made_ == rooms_.size();
  });
  making_groups_ = false;
}

// The next command that a room needs: conversation.create with the first members, then conversation.add with the others.
void LoadRun::grow_group(Room& room) {
  const std::uint32_t from = std::max(room.seated, 1U);
  const std::uint32_t end = std::min(from + kMembersPerCommand, room.members);
  text_ = room.seated == 0 ? R"({"type":"conversation.create","id":1,"kind":"group","name":")" +
                                 room.name + R"(","members":[)"
                           : R"({"type":"conversation.add","id":1,"conversation_id":")" +
                                 room.name + R"(","user_ids":[)";
  for (std::uint32_t i = from; i < end; ++i) {
    if (i > from) text_ += ',';
    text_ += '"' + user_ids_[room.first_client + i] + '"';
  }
  rings_.send_payload(room.first_client, text_ + "]}");
}

// What publishers are told while the rooms are made. Each makes one, so the client tells which.
void LoadRun::on_group_payload(std::uint32_t client, std::string_view payload) {
  Room& room = rooms_[room_of_[client]];
  if (payload.starts_with(R"({"type":"error")")) {
    if (payload.find(R"("retry_after_ms")") == std::string_view::npos)
      die("making a room: " + std::string(payload));
    refused_.push_back({.room = room_of_[client], .due_ns = monotonic_ns() + kAskAgainNs});
    return;
  }
  if (payload.starts_with(R"({"type":"conversation.created")"))
    room.name = field(payload, R"("conversation":{"id":")");
  else if (!payload.starts_with(R"({"type":"member.added","id":)"))
    return;
  room.seated = std::min(std::max(room.seated, 1U) + kMembersPerCommand, room.members);
  if (room.seated < room.members)
    grow_group(room);
  else
    ++rooms_made_;
}

void LoadRun::ask_again() {
  while (!refused_.empty() && refused_.front().due_ns <= monotonic_ns()) {
    grow_group(rooms_[refused_.front().room]);
    refused_.pop_front();
  }
}

}  // namespace uproar::bench
