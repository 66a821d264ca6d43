#include "bench/load/world_maker.h"

#include <algorithm>

namespace uproar::bench {
namespace {

// The text between `before` and the next quote; empty when there is none.
std::string_view field(std::string_view text, std::string_view before) {
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + before.size());
  return text.substr(0, text.find('"'));
}

}  // namespace

WorldMaker::WorldMaker(const std::vector<std::uint32_t>& members, std::vector<std::string> names,
                       World& world)
    : world_(world) {
  world.conversations.resize(members.size());
  std::uint32_t user = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    rooms_.push_back({.name = std::move(names[i]), .first_user = user, .members = members[i]});
    user += members[i];
  }
}

std::optional<std::uint32_t> WorldMaker::next(std::int64_t now_ns) {
  if (!refused_.empty() && refused_.front().due_ns <= now_ns) {
    const std::uint32_t room = refused_.front().room;
    refused_.pop_front();
    return room;
  }
  if (!growing_.empty()) {
    const std::uint32_t room = growing_.front();
    growing_.pop_front();
    return room;
  }
  if (begun_ < rooms_.size() && begun_ < made_ + kRoomsAtOnce) return begun_++;
  return std::nullopt;
}

std::string WorldMaker::command(std::uint32_t index) const {
  const Room& room = rooms_[index];
  const std::uint32_t from = std::max(room.seated, 1U);
  const std::uint32_t end = std::min(from + kMembersPerCommand, room.members);
  std::string out = room.seated == 0
                        ? R"({"type":"conversation.create","id":1,"kind":"group","name":")" +
                              room.name + R"(","members":[)"
                        : R"({"type":"conversation.add","id":1,"conversation_id":")" + room.name +
                              R"(","user_ids":[)";
  for (std::uint32_t i = from; i < end; ++i) {
    if (i > from) out += ',';
    out += '"' + world_.users[room.first_user + i].text() + '"';
  }
  return out + "]}";
}

Result<bool, std::string> WorldMaker::heard(std::uint32_t index, std::string_view payload,
                                            std::int64_t now_ns) {
  Room& room = rooms_[index];
  if (payload.starts_with(R"({"type":"error")")) {
    if (payload.find(R"("retry_after_ms")") == std::string_view::npos)
      return Err{std::string(payload)};
    refused_.push_back({.room = index, .due_ns = now_ns + kAskAgainNs});
    return false;
  }
  if (payload.starts_with(R"({"type":"conversation.created")")) {
    room.name = field(payload, R"("conversation":{"id":")");
    const auto id = Uuid::parse(room.name);
    if (!id) return Err{std::string(payload)};
    world_.conversations[index] = *id;
  } else if (!payload.starts_with(R"({"type":"member.added","id":)")) {
    return false;
  }
  room.seated = std::min(std::max(room.seated, 1U) + kMembersPerCommand, room.members);
  if (room.seated < room.members)
    growing_.push_back(index);
  else
    ++made_;
  return true;
}

}  // namespace uproar::bench
