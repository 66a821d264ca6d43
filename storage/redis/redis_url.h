#pragma once

// redis://[[user]:password@]host[:port][,host[:port]]...[/db]
//
// Several hosts are seeds: of a cluster, or one server under several names. They are tried in turn until one answers.
// User and password may be percent-encoded. IPv6 addresses stand in brackets.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/result.h"

namespace uproar::storage::redis {

struct RedisAddress {
  std::string host;  // name or number, without brackets
  std::uint16_t port = 6379;

  [[nodiscard]] std::string text() const;  // host:port, [host]:port for IPv6
  friend bool operator==(const RedisAddress&, const RedisAddress&) = default;
};

struct RedisUrl {
  std::vector<RedisAddress> seeds;  // one at least
  std::string user;                 // empty: the server's default user
  std::string password;             // empty: no authentication
  std::uint32_t db = 0;

  // The error's hint says what to change; it never holds the password.
  [[nodiscard]] static Result<RedisUrl, SystemError> parse(std::string_view text);
  // Without user and password: fit for logs.
  [[nodiscard]] std::string public_text() const;
};

// "host:port" as Redis writes it in MOVED (the host may be IPv6 without brackets).
[[nodiscard]] Result<RedisAddress, SystemError> parse_redis_address(std::string_view text);

}  // namespace uproar::storage::redis
