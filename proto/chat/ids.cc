#include "proto/chat/ids.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "proto/crypto/digest.h"

namespace uproar::chat {
namespace {

// First byte of what is hashed, so that no pair of users can have the id of a creator with a client_id.
constexpr char kDirectDomain = 'd';
constexpr char kCreatedDomain = 'c';

ConversationId id_of(std::string_view hashed) {
  const crypto::Sha256Digest digest = crypto::sha256(as_bytes(hashed));
  return ConversationId(Uuid::v8(digest.data()));
}

}  // namespace

ConversationId direct_conversation_id(UserId a, UserId b) {
  std::array<char, 1 + 2 * Uuid::kBinaryBytes> text{};
  text[0] = kDirectDomain;
  std::min(a, b).uuid().write_bytes(text.data() + 1);
  std::max(a, b).uuid().write_bytes(text.data() + 1 + Uuid::kBinaryBytes);
  return id_of({text.data(), text.size()});
}

ConversationId created_conversation_id(UserId creator, std::string_view client_id) {
  std::string text(1 + Uuid::kBinaryBytes, kCreatedDomain);
  creator.uuid().write_bytes(text.data() + 1);
  text.append(client_id);  // last, so its length needs no mark
  return id_of(text);
}

}  // namespace uproar::chat
