#pragma once

// READ FIRST. Users with tokens of their own, their connections, and the group conversations that they are members of.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/client/client_pool.h"
#include "proto/base/uuid.h"

namespace uproar::bench {

struct Users {
  std::vector<Uuid> ids;
  std::vector<std::string> tokens;
  std::vector<std::string> upgrade_requests;  // GET /ws with the user's token, valid for a day
};
[[nodiscard]] Users make_users(std::uint32_t count, const std::string& auth_key);

// The flags that lift the limits meant for strangers: one process plays all users here.
[[nodiscard]] std::vector<std::string> unlimited_flags();

// What clients are told outside of the traffic that is measured.
class Lobby final : public FrameSink {
 public:
  void on_text(std::uint32_t client, std::string_view payload, std::string_view frame) override;

  [[nodiscard]] std::uint32_t ready() const { return ready_; }
  [[nodiscard]] std::uint32_t joined() const { return joined_; }  // conversation.joined
  // Ids of conversation.created, in the order of their answers.
  [[nodiscard]] const std::vector<std::string>& created() const { return created_; }
  [[nodiscard]] std::uint64_t others() const { return others_; }

 private:
  std::uint32_t ready_ = 0;
  std::uint32_t joined_ = 0;
  std::uint64_t others_ = 0;
  std::vector<std::string> created_;
};

// Opens a connection for each of users[first, first + count) and waits until each was told session.ready.
void sign_in(ClientPool& pool, std::uint16_t port, const Users& users, Lobby& lobby,
             std::uint32_t first, std::uint32_t count);

// Groups of `size` users in order (the last may be smaller), each made by its first member, who is connected as the
// client of the same index; waits until all the others were told. Returns the conversations' ids.
std::vector<std::string> make_groups(ClientPool& pool, const Users& users, Lobby& lobby,
                                     std::uint32_t size);

// The text between `before` and the next quote; empty when there is none.
[[nodiscard]] std::string_view field(std::string_view text, std::string_view before);

}  // namespace uproar::bench
