#include "core/gateway/node_tickets.h"

#include <array>
#include <cstring>

#include "core/gateway/limits.h"
#include "proto/crypto/base64.h"
#include "proto/crypto/digest.h"
#include "proto/crypto/random.h"
#include "storage/big_endian.h"

namespace uproar::gateway {
namespace {

constexpr std::size_t kSaidBytes = 16 + 16 + 16 + 8 + 8;
constexpr std::size_t kBytes = kSaidBytes + sizeof(crypto::Sha256Digest);
constexpr std::size_t kChars = 1 + (kBytes * 8 + 5) / 6;  // base64url without padding

// Nothing else that is signed with the key looks like this.
crypto::Sha256Digest sign(std::string_view key, ByteView said) {
  return crypto::hmac_sha256(as_bytes(key),
                             as_bytes("uproar ticket 2" + std::string(as_text(said))));
}

}  // namespace

std::string NodeTickets::issue(const chat::TokenProof& holder, Now now) const {
  std::array<std::byte, kBytes> bytes;
  holder.user.uuid().write_bytes(bytes.data());
  holder.session.uuid().write_bytes(bytes.data() + 16);
  const auto number = crypto::random_bytes<16>();
  std::memcpy(bytes.data() + 32, number.data(), number.size());
  const std::int64_t expires_s = (now.wall_us + kTicketLifeUs) / 1'000'000;
  storage::write_big_endian(static_cast<std::uint64_t>(expires_s), bytes.data() + 48);
  storage::write_big_endian(static_cast<std::uint64_t>(holder.expires_at_s), bytes.data() + 56);
  const auto signature = sign(key_.text(), ByteView(bytes).first(kSaidBytes));
  std::memcpy(bytes.data() + kSaidBytes, signature.data(), signature.size());
  return "n" + crypto::base64url_encode(bytes);
}

bool NodeTickets::is_one(std::string_view ticket) {
  return ticket.size() == kChars && ticket.front() == 'n';
}

std::optional<NodeTickets::Ticket> NodeTickets::read(std::string_view ticket, Now now) const {
  if (!is_one(ticket)) return std::nullopt;
  const auto text = crypto::base64url_decode(ticket.substr(1));
  if (!text || text->size() != kBytes) return std::nullopt;
  const ByteView bytes = as_bytes(*text);
  crypto::Sha256Digest signature;
  std::memcpy(signature.data(), bytes.data() + kSaidBytes, signature.size());
  if (!crypto::same_digest(signature, sign(key_.text(), bytes.first(kSaidBytes))))
    return std::nullopt;
  const auto expires_s = storage::read_big_endian<std::uint64_t>(bytes.data() + 48);
  if (static_cast<std::int64_t>(expires_s) <= now.wall_us / 1'000'000) return std::nullopt;
  return Ticket{.holder = {.user = UserId(Uuid::from_bytes(bytes.data())),
                           .session = SessionId(Uuid::from_bytes(bytes.data() + 16)),
                           .expires_at_s = static_cast<std::int64_t>(
                               storage::read_big_endian<std::uint64_t>(bytes.data() + 56))},
                .number = Uuid::from_bytes(bytes.data() + 32)};
}

}  // namespace uproar::gateway
