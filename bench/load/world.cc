#include "bench/load/world.h"

#include <chrono>
#include <fstream>
#include <numeric>
#include <optional>
#include <random>
#include <string_view>

namespace uproar::bench {
namespace {

constexpr std::string_view kFirstWord = "uproar-load-world";
constexpr std::string_view kRoomWord = "room";

std::size_t sum(const std::vector<std::uint32_t>& members) {
  return std::accumulate(members.begin(), members.end(), std::size_t{0});
}

std::string shape(std::size_t clients, std::size_t rooms) {
  return std::to_string(clients) + " clients in " + std::to_string(rooms) + " rooms";
}

std::optional<Uuid> next_id(std::istream& in) {
  std::string word;
  in >> word;
  return Uuid::parse(word);
}

}  // namespace

std::vector<Uuid> new_users(std::uint32_t count) {
  const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  std::mt19937_64 random(std::random_device{}());
  std::vector<Uuid> out;
  out.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i)
    out.push_back(Uuid::v7(static_cast<std::uint64_t>(now_ms), random(), random()));
  return out;
}

Result<World, std::string> read_world(const std::string& path,
                                      const std::vector<std::uint32_t>& members) {
  const auto fault = [&](const std::string& what) { return Err{path + ": " + what}; };
  std::ifstream in(path);
  std::string word;
  std::size_t clients = 0;
  std::size_t rooms = 0;
  if (!(in >> word >> clients >> rooms) || word != kFirstWord)
    return fault("is no world that --world wrote");
  if (clients != sum(members) || rooms != members.size()) {
    return fault("was made for " + shape(clients, rooms) + ", this scenario has " +
                 shape(sum(members), members.size()));
  }
  World world;
  for (std::size_t room = 0; room < rooms; ++room) {
    std::uint32_t seats = 0;
    in >> word >> seats;
    const auto conversation = next_id(in);
    const std::string name = "room " + std::to_string(room);
    if (word != kRoomWord || !conversation) return fault(name + " cannot be read");
    if (seats != members[room]) {
      return fault(name + " was made for " + std::to_string(seats) +
                   " members, this scenario's has " + std::to_string(members[room]));
    }
    world.conversations.push_back(*conversation);
    for (std::uint32_t i = 0; i < seats; ++i) {
      const auto user = next_id(in);
      if (!user) return fault("a member of " + name + " cannot be read");
      world.users.push_back(*user);
    }
  }
  return world;
}

bool write_world(const std::string& path, const World& world,
                 const std::vector<std::uint32_t>& members) {
  std::ofstream out(path);
  out << kFirstWord << ' ' << world.users.size() << ' ' << members.size() << '\n';
  auto user = world.users.begin();
  for (std::size_t room = 0; room < members.size(); ++room) {
    out << kRoomWord << ' ' << members[room] << ' ' << world.conversations[room].text() << '\n';
    for (std::uint32_t i = 0; i < members[room]; ++i) out << (user++)->text() << '\n';
  }
  return static_cast<bool>(out.flush());
}

}  // namespace uproar::bench
