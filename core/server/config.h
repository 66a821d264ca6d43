#pragma once

// One struct of settings from flags, UPROAR_* environment and uproar.toml (in that order of strength), validated
// before anything starts. Every setting is one row of a table: its name, what it means, how it is read and shown; so
// --help, the error for an unknown key and the print-out at start cannot disagree.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/server/admin_address.h"
#include "proto/base/result.h"
#include "storage/limits.h"
#include "storage/redis/redis_url.h"

namespace uproar::server {

struct Config {
  std::string listen_host = "127.0.0.1";
  std::uint16_t listen_port = 8080;
  std::optional<AdminAddress> admin_listen;  // nullopt: usual_admin_address(listen_port)
  std::uint32_t shards = 0;                  // 0: one per processor this process may use
  std::string data_dir = "uproar-data";
  std::string postgres;            // URL; empty: everything is kept in data_dir
  std::vector<std::string> redis;  // URLs, of one server or cluster; empty: this node is alone
  std::vector<std::string> etcd;   // URLs of its members; empty: nodes find each other over Redis
  std::string log_level = "info";
  std::string node_id;    // for people; empty: the host's name, once resolved
  std::string advertise;  // "wss://chat.example.com"; empty: as each request's Host, if it is ours
  std::vector<std::string> server_names;  // hosts that are ours, besides addresses and origins
  std::uint32_t node_lease_ms = storage::kNodeLeaseMs;

  std::string auth_secret_file;  // empty: <data>/auth.key
  std::string jwks;              // file or https URL; empty: no external issuer
  std::string jwt_issuer;        // required with jwks
  std::string jwt_audience;      // required with jwks

  std::vector<std::string> trusted_proxies;  // addresses and networks; they say who the client is
  bool proxy_protocol = false;               // each connection begins with a PROXY header
  std::vector<std::string> allow_origins;    // besides the server's own; "*" allows all
  std::uint32_t connections_max = 0;         // per shard; 0: what RLIMIT_NOFILE allows
  std::uint32_t connections_per_address = 200;    // new ones a second from one address; 0: no limit
  std::uint32_t open_per_address = 0;             // per shard; 0: three quarters of connections_max
  std::uint32_t connections_per_user = 20;        // all shards
  bool presence_is_public = false;                // else for whom one shares a conversation with
  std::uint32_t commands_per_second = 100;        // per connection, four seconds' worth at once
  std::uint32_t conversations_per_day = 1'000;    // that a user makes, at this node; 0: no limit
  std::uint32_t first_contacts_per_day = 10'000;  // as many as the largest group has
  std::uint32_t message_mb_per_day = 1'024;       // that a user stores, the same
  std::uint32_t logins_per_address = 60;          // a minute
  std::uint32_t registrations_per_address = 100;  // an hour; 0: no limit
  std::uint32_t openings_per_second = 2'000;      // sessions that begin, per shard. 0: no bound
  std::uint32_t resumes_per_second = 2'000;       // sessions that resume, per shard. 0: no bound
  std::uint32_t heartbeat_timeout_s = 120;
  bool deflate = true;                     // permessage-deflate for clients that offer it
  std::uint32_t deflate_bytes_min = 1024;  // smaller messages go out plain
  std::uint32_t egress_mb_max = 256;       // per shard, all slow readers together
  std::uint32_t drain_seconds = 10;        // SIGTERM: reconnects are spread over this time
  std::string seccomp = "enforce";         // what becomes of a system call that no server makes
  bool landlock = true;                    // files and ports that are not needed are out of reach
};

struct ConfigInput {
  std::vector<std::string> arguments;                            // after `uproar serve`
  std::vector<std::pair<std::string, std::string>> environment;  // all of it; UPROAR_* is looked at
  std::string working_dir = ".";  // uproar.toml is looked for here unless --config names one
};

struct ConfigError {
  std::string text;      // what is wrong, on what, what to try
  bool is_help = false;  // --help was asked: `text` goes to stdout and the exit code is 0
};

[[nodiscard]] Result<Config, ConfigError> read_config(const ConfigInput& input);

// All that config.redis names, as one. REQUIRES: it names one at least. The error: they do not go together.
[[nodiscard]] Result<storage::redis::RedisUrl, SystemError> redis_url(const Config& config);
[[nodiscard]] std::vector<std::string> etcd_urls(const Config& config);

[[nodiscard]] AdminAddress admin_address(const Config& config);

// One "name value" line per setting; secrets are paths, never contents.
[[nodiscard]] std::string show_config(const Config& config);

// The known name nearest to `name` by edit distance, if it is near enough to be a slip of the finger.
[[nodiscard]] std::optional<std::string> nearest_name(std::string_view name,
                                                      const std::vector<std::string>& known);

}  // namespace uproar::server
