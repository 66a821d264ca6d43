#pragma once

// Passwords at rest: argon2id by libsodium, in the PHC text form "$argon2id$v=19$m=…,t=…,p=1$salt$hash".
//
// Blocking: about 20 ms of CPU and 19 MiB each (limits.h). Call on the blocking pool, never on a shard. Thread-safe.

#include <optional>
#include <string>
#include <string_view>

namespace uproar::auth {

// nullopt when there was no memory for it (the caller answers "overloaded").
[[nodiscard]] std::optional<std::string> hash_password(std::string_view password);

// Compares in constant time; the parameters come from `hash`. A text that is no argon2id hash matches nothing. A hash
// that asks for more memory or passes than four times ours matches nothing either: it was not made here.
[[nodiscard]] bool verify_password(std::string_view password, const std::string& hash);

// The same work with the answer thrown away: for names that do not exist, so that time does not tell who has an account.
void verify_nothing(std::string_view password);

}  // namespace uproar::auth
