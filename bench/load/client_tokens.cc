#include "bench/load/client_tokens.h"

#include <chrono>
#include <utility>

#include "bench/load/program.h"
#include "proto/chat/ids.h"

namespace uproar::bench {
namespace {

constexpr std::int64_t kTokenSeconds = std::int64_t{24} * 3600;

auth::TokenSigner signer_of(const std::string& auth_key) {
  auto signer = auth::TokenSigner::make(auth_key);
  if (!signer) die("the server's key must have 32 bytes or more");
  return std::move(*signer);
}

}  // namespace

ClientTokens::ClientTokens(const std::string& auth_key)
    : signer_(signer_of(auth_key)),
      begin_s_(std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::system_clock::now().time_since_epoch())
                   .count()) {}

std::string ClientTokens::sign(std::uint32_t client, const Uuid& user) const {
  const std::string name = "reader" + std::to_string(client);
  return signer_.sign({.user = UserId(user),
                       .sid = {},
                       .name = name,
                       .issued_at_s = begin_s_ - 1,
                       .expires_at_s = begin_s_ + kTokenSeconds});
}

}  // namespace uproar::bench
