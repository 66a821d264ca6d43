// How a world is made: users are introduced, rooms become conversations.

#include <algorithm>

#include "bench/load/load_run.h"
#include "bench/load/program.h"

namespace uproar::bench {
namespace {

constexpr std::uint32_t kRoomsAtOnce = 64;
constexpr std::uint32_t kMembersPerCommand = 1000;
constexpr std::int64_t kAskAgainNs = 200'000'000;  // after a refusal that says retry_after_ms

// The text between `before` and the next quote; empty when there is none.
std::string_view field(std::string_view text, std::string_view before) {
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + before.size());
  return text.substr(0, text.find('"'));
}

}  // namespace

void LoadRun::send_away() {
  for (std::uint32_t client = 0; client < seats_.size(); ++client) rings_.cut(client);
  turn_until("letting go", [&] { return in_ == 0; });
}

void LoadRun::use_world(World world) {
  world_ = std::move(world);
  for (std::size_t i = 0; i < rooms_.size(); ++i) rooms_[i].name = world_.conversations[i].text();
}

// Users come to be when they are first seen, and members must be known. Members who are connected while others are added hear of
// each: so everybody comes once and goes, then the publishers make the rooms and go as well.
const World& LoadRun::make_world() {
  if (options_.server_pid > 0) result_.server_memory_before = memory_of(options_.server_pid);
  world_.users = new_users(static_cast<std::uint32_t>(seats_.size()));
  world_.conversations.resize(rooms_.size());
  bring_in("introducing users", kOpeningMax, [](std::uint32_t) { return true; });
  send_away();
  bring_in("connecting publishers", kOpeningMax, [this](std::uint32_t client) {
    return rooms_[room_of_[client]].first_client == client;
  });
  std::uint32_t asked = 0;
  making_world_ = true;
  turn_until("making rooms", [&] {
    while (asked < rooms_.size() && asked < rooms_made_ + kRoomsAtOnce) grow_group(rooms_[asked++]);
    ask_again();
    return rooms_made_ == rooms_.size();
  });
  making_world_ = false;
  send_away();
  return world_;
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
    text_ += '"' + world_.users[room.first_client + i].text() + '"';
  }
  rings_.send_payload(room.first_client, text_ + "]}");
}

// What publishers are told while the rooms are made. Each makes one, so the client tells which.
void LoadRun::on_group_payload(std::uint32_t client, std::string_view payload) {
  const std::uint32_t index = room_of_[client];
  Room& room = rooms_[index];
  if (payload.starts_with(R"({"type":"error")")) {
    if (payload.find(R"("retry_after_ms")") == std::string_view::npos)
      die("making a room: " + std::string(payload));
    refused_.push_back({.room = index, .due_ns = monotonic_ns() + kAskAgainNs});
    return;
  }
  if (payload.starts_with(R"({"type":"conversation.created")")) {
    room.name = field(payload, R"("conversation":{"id":")");
    const auto id = Uuid::parse(room.name);
    if (!id) die("making a room: " + std::string(payload));
    world_.conversations[index] = *id;
  } else if (!payload.starts_with(R"({"type":"member.added","id":)")) {
    return;
  }
  moved_ns_ = monotonic_ns();
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
