#include "core/gateway/request_table.h"

#include <array>
#include <string>

#include "core/gateway/door.h"

namespace uproar::gateway {

std::optional<chat::Endpoint> RequestTable::add(net::ConnectionId connection) {
  if (used_ >= requests_max_) return std::nullopt;
  std::uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.connection = connection;
  slot.used = true;
  ++used_;
  return chat::Endpoint{.shard = shard_,
                        .kind = chat::Endpoint::Kind::kRequest,
                        .slot = index,
                        .generation = slot.generation};
}

std::optional<RequestTable::Waiting> RequestTable::take(std::uint32_t index,
                                                        std::uint32_t generation) {
  if (index >= slots_.size()) return std::nullopt;
  Slot& slot = slots_[index];
  if (!slot.used || slot.generation != generation) return std::nullopt;
  slot.used = false;
  slot.collected.reset();
  ++slot.generation;
  --used_;
  free_.push_back(index);
  return Waiting{.connection = slot.connection};
}

void RequestTable::collect(const chat::Endpoint& request) {
  slots_[request.slot].collected = std::make_unique<chat::SyncAnswer>();
}

chat::SyncAnswer* RequestTable::collected(const chat::Endpoint& request) {
  if (request.shard != shard_ || request.slot >= slots_.size()) return nullptr;
  const Slot& slot = slots_[request.slot];
  return slot.used && slot.generation == request.generation ? slot.collected.get() : nullptr;
}

void respond_json(net::ShardNet& net, net::ConnectionId to, const JsonAnswer& answer) {
  const std::string seconds = std::to_string((std::uint64_t{answer.retry_after_ms} + 999) / 1000);
  std::array<net::ReplyHeader, 5> headers{{{"Cache-Control", "no-store"}}};
  std::size_t count = 1;
  if (answer.retry_after_ms > 0) headers[count++] = {"Retry-After", seconds};
  if (!answer.allow.empty()) headers[count++] = {"Allow", answer.allow};
  if (!answer.set_cookie.empty()) headers[count++] = {"Set-Cookie", answer.set_cookie};
  if (answer.status == 401)
    headers[count++] = {"WWW-Authenticate", challenge(answer.token_refused)};
  (void)net.respond(
      to, net::Reply{.status = answer.status,
                     .content_type = answer.body.empty() ? std::string_view{} : "application/json",
                     .body = answer.body,
                     .headers = {headers.data(), count},
                     .close = false,
                     .shared = answer.shared});
}

}  // namespace uproar::gateway
