#include "core/server/settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "core/chat/limits.h"
#include "core/gateway/login_address.h"
#include "core/net/limits.h"
#include "core/server/limits.h"
#include "core/server/seccomp_filter.h"
#include "proto/base/ip_address.h"
#include "proto/base/parse_number.h"
#include "proto/http/chars.h"
#include "proto/http/limits.h"
#include "proto/http/origin.h"
#include "proto/http/request_line.h"
#include "storage/etcd/etcd_url.h"
#include "storage/limits.h"
#include "storage/node_record.h"
#include "storage/redis/redis_url.h"

namespace uproar::server {
namespace {

std::string or_none(const std::string& value) {
  return value.empty() ? "(none)" : value;
}

template <class Number>
Problem read_number(const std::string& text, Number low, Number high, Number& out) {
  const auto value = parse_number<Number>(text);
  if (!value || *value < low || *value > high) {
    return "expected a number from " + std::to_string(low) + " to " + std::to_string(high);
  }
  out = *value;
  return std::nullopt;
}

Setting number(std::string name, std::string help, std::uint32_t Config::*member, std::uint32_t low,
               std::uint32_t high) {
  return {std::move(name), "N", std::move(help),
          [=](Config& config, const std::string& text) {
            return read_number(text, low, high, config.*member);
          },
          [=](const Config& config) { return std::to_string(config.*member); }};
}

Setting text(std::string name, std::string value_name, std::string help,
             std::string Config::*member) {
  return {std::move(name), std::move(value_name), std::move(help),
          [=](Config& config, const std::string& value) -> Problem {
            config.*member = value;
            return std::nullopt;
          },
          [=](const Config& config) { return or_none(config.*member); }};
}

Problem read_listen(Config& config, const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos)
    return "expected HOST:PORT, for example 127.0.0.1:8080 or [::]:8080";
  std::string host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (host.empty()) host = "0.0.0.0";
  if (const Problem bad =
          read_number<std::uint16_t>(text.substr(colon + 1), 0, 65535, config.listen_port)) {
    return "the port: " + *bad;
  }
  config.listen_host = host;
  return std::nullopt;
}

Problem read_admin_listen(Config& config, const std::string& text) {
  config.admin_listen = parse_admin_address(text);
  if (config.admin_listen) return std::nullopt;
  return "expected HOST:PORT, unix:/PATH (absolute, of at most 107 bytes) or off, for example "
         "127.0.0.1:9080 or unix:/run/uproar/admin.sock";
}

Problem read_switch(const std::string& text, bool& out) {
  if (text == "true" || text == "on" || text == "1" || text == "yes")
    out = true;
  else if (text == "false" || text == "off" || text == "0" || text == "no")
    out = false;
  else
    return "expected true or false";
  return std::nullopt;
}

Problem read_origin(Config& config, const std::string& text) {
  if (!http::OriginPolicy::from(std::array{text}).ok()) {
    return "expected an origin such as https://chat.example.com (no path, no pattern), or *";
  }
  if (config.allow_origins.size() == http::kAllowedOriginsMax)
    return "expected at most " + std::to_string(http::kAllowedOriginsMax) +
           " of them; * allows all";
  config.allow_origins.push_back(text);
  return std::nullopt;
}

Problem read_trusted_proxy(Config& config, const std::string& text) {
  const auto network = IpNetwork::parse(text);
  if (!network.ok()) {
    switch (network.error()) {
      case IpNetworkError::kNotANetwork:
        return "expected an address or a network such as 10.0.0.5, 10.0.0.0/8 or 2001:db8::/64 (no "
               "name, no port)";
      case IpNetworkError::kBitsBeyondPrefix:
        return "expected an address or a whole network: the address has bits beyond its prefix, as "
               "10.0.0.5/8 has where 10.0.0.5 or 10.0.0.0/8 is meant";
      case IpNetworkError::kEverybody:
        return "expected the proxies' addresses: this is everybody's, and whoever connects could "
               "take any address";
    }
  }
  if (config.trusted_proxies.size() == net::kTrustedProxiesMax)
    return "expected at most " + std::to_string(net::kTrustedProxiesMax) + " of them";
  config.trusted_proxies.push_back(text);
  return std::nullopt;
}

Problem read_data(Config& config, const std::string& text) {
  if (text.empty()) return "expected a folder, such as /var/lib/uproar";
  config.data_dir = text;
  return std::nullopt;
}

Problem read_presence(Config& config, const std::string& text) {
  if (text != "shared" && text != "public") return "expected shared or public";
  config.presence_is_public = text == "public";
  return std::nullopt;
}

Problem read_log_level(Config& config, const std::string& text) {
  constexpr std::array<std::string_view, 6> kLevels = {"trace", "debug", "info",
                                                       "warn",  "error", "off"};
  if (std::find(kLevels.begin(), kLevels.end(), text) == kLevels.end()) {
    return "expected trace, debug, info, warn, error or off";
  }
  config.log_level = text;
  return std::nullopt;
}

Problem read_seccomp(Config& config, const std::string& text) {
  if (!parse_seccomp_mode(text)) return "expected kill, enforce, log or off";
  config.seccomp = text;
  return std::nullopt;
}

Problem read_postgres(Config& config, const std::string& text) {
  const bool has_scheme = text.find("://") != std::string::npos;
  const bool is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
  if (!is_url && (has_scheme || text.find('=') == std::string::npos))
    return "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, or libpq's key=value form";
  config.postgres = text;
  return std::nullopt;
}

std::string show_listen(const Config& config) {
  const bool v6 = config.listen_host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + config.listen_host + "]" : config.listen_host;
  return host + ":" + std::to_string(config.listen_port);
}

std::string show_list(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& text : list) out += (out.empty() ? "" : " ") + without_password(text);
  return or_none(out);
}

Problem read_redis(Config& config, const std::string& text) {
  if (const auto url = storage::redis::RedisUrl::parse(text); !url.ok()) return url.error().hint;
  config.redis.push_back(text);
  return std::nullopt;
}

Problem read_etcd(Config& config, const std::string& text) {
  if (const auto urls = storage::etcd::parse_etcd_urls(text); !urls.ok()) return urls.error().hint;
  config.etcd.push_back(text);
  return std::nullopt;
}

Problem read_node_id(Config& config, const std::string& text) {
  if (text.empty() || text.size() > storage::kNodeNameBytesMax ||
      !storage::is_valid_node_text(text)) {
    return "expected a name of 1 to " + std::to_string(storage::kNodeNameBytesMax) +
           " bytes without control characters";
  }
  config.node_id = text;
  return std::nullopt;
}

// Every login is sent there.
Problem read_advertise(Config& config, const std::string& text) {
  std::string_view authority = text;
  std::string_view scheme;
  for (const std::string_view candidate : {"ws://", "wss://"}) {
    if (http::equals_ignoring_case(text.substr(0, candidate.size()), candidate)) scheme = candidate;
  }
  authority.remove_prefix(scheme.size());
  if (scheme.empty() || !http::is_host_and_port(authority))
    return "expected ws://HOST[:PORT] or wss://HOST[:PORT] without a path";
  if (text.size() > storage::kNodeUrlBytesMax)
    return "expected at most " + std::to_string(storage::kNodeUrlBytesMax) + " bytes";
  const auto colon = authority.find(':', authority.starts_with('[') ? authority.find(']') : 0);
  if (std::uint16_t port = 0; colon != std::string_view::npos) {
    if (const Problem bad =
            read_number<std::uint16_t>(text.substr(scheme.size() + colon + 1), 1, 65535, port))
      return "the port: " + *bad;
  }
  const std::string_view host = authority.substr(0, colon);
  if (host == "0.0.0.0" || host == "[::]")
    return "expected a host that clients can reach: that is every address of this one";
  config.advertise = std::string(scheme) + std::string(authority);
  return std::nullopt;
}

constexpr std::string_view kNameChars = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
constexpr std::size_t kHostBytesMax = 253;  // RFC 1035 §3.1

// Hosts that logins are told again. "chat.example.com:8443" is refused: the port is not compared,
// so it would mislead.
Problem read_server_name(Config& config, const std::string& text) {
  constexpr const char* kExpected =
      "expected a host such as chat.example.com or [2001:db8::5], without scheme, port or path";
  const auto host = gateway::normal_host(text);
  if (!host || host->size() > kHostBytesMax) return kExpected;
  if (text.find('*') != std::string::npos)
    return "expected a host such as chat.example.com: there are no patterns, say it once for each";
  const bool is_ipv6 = host->front() == '[';
  const bool has_port = is_ipv6 ? !text.ends_with(']') : text.find(':') != std::string::npos;
  if (has_port || (!is_ipv6 && host->find_first_not_of(kNameChars) != std::string::npos))
    return kExpected;
  if (host == "0.0.0.0" || host == "[::]")
    return "expected a host that clients can reach: that is every address of this one, and they "
           "are known";
  if (config.server_names.size() == kServerNamesMax)
    return "expected at most " + std::to_string(kServerNamesMax) + " of them";
  config.server_names.push_back(text);
  return std::nullopt;
}

constexpr std::uint32_t kLeaseMsMin = 1000;
constexpr std::uint32_t kLeaseMsMax = 600'000;
constexpr const char* kLeaseExpected = "expected a time from 1s to 600s, such as 10s or 2500ms";

Problem read_lease(Config& config, const std::string& text) {
  const bool is_ms = text.ends_with("ms");
  const std::string_view unit = is_ms ? "ms" : "s";
  if (!text.ends_with(unit)) return kLeaseExpected;
  const auto value =
      parse_number<std::uint32_t>(std::string_view(text).substr(0, text.size() - unit.size()));
  const std::uint64_t ms = std::uint64_t{value.value_or(0)} * (is_ms ? 1 : 1000);
  if (ms < kLeaseMsMin || ms > kLeaseMsMax) return kLeaseExpected;
  config.node_lease_ms = static_cast<std::uint32_t>(ms);
  return std::nullopt;
}

std::string show_lease(const Config& config) {
  const std::uint32_t ms = config.node_lease_ms;
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

Setting custom(std::string name, std::string value_name, std::string help,
               std::function<Problem(Config&, const std::string&)> read,
               std::function<std::string(const Config&)> show) {
  return {std::move(name), std::move(value_name), std::move(help), std::move(read),
          std::move(show)};
}

using Texts = std::vector<std::string> Config::*;
Setting repeatable(std::string name, std::string value_name, std::string help,
                   std::function<Problem(Config&, const std::string&)> read, Texts list) {
  return {std::move(name),
          std::move(value_name),
          std::move(help),
          std::move(read),
          [=](const Config& config) { return show_list(config.*list); },
          [=](Config& config) { (config.*list).clear(); }};
}

Setting on_off(std::string name, std::string help, bool Config::*member) {
  return custom(
      std::move(name), "BOOL", std::move(help),
      [=](Config& config, const std::string& value) { return read_switch(value, config.*member); },
      [=](const Config& config) { return std::string(config.*member ? "true" : "false"); });
}

}  // namespace

std::string Setting::flag() const {
  return "--" + name;
}

std::string Setting::key() const {
  std::string out = name;
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

std::string Setting::variable() const {
  std::string out = "UPROAR_" + key();
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return std::toupper(c); });
  return out;
}

// In either of libpq's forms, or as Redis has it.
std::string without_password(std::string text) {
  if (const auto scheme = text.find("://"); scheme != std::string::npos) {
    const auto begin = scheme + 3;
    const auto at = text.rfind('@');  // also where a password holds '/' or '@' as it should not
    const auto colon = text.find(':', begin);
    if (at != std::string::npos && colon < at) text.replace(colon + 1, at - colon - 1, "***");
  }
  // All that follows, be the value quoted or not; libpq allows spaces around '=', and sslpassword is one, too.
  constexpr std::string_view kKey = "password";
  for (auto at = text.find(kKey); at != std::string::npos; at = text.find(kKey, at + 1)) {
    const auto sign = text.find_first_not_of(" \t\n\v\f\r", at + kKey.size());
    if (sign == std::string::npos || text[sign] != '=') continue;
    text.replace(sign + 1, std::string::npos, "***");
    break;
  }
  return text;
}

const std::vector<Setting>& settings() {
  static const std::vector<Setting> table = {
      custom("listen", "HOST:PORT", "address to serve HTTP and WebSocket on", read_listen,
             show_listen),
      custom("admin-listen", "HOST:PORT",
             "address that alone serves /metrics and /api/v1/admin, to whoever reaches it; or "
             "unix:/PATH, or off; default: 127.0.0.1, 1000 above the port of --listen",
             read_admin_listen, [](const Config& config) { return admin_address(config).text(); }),
      number("shards", "threads, each with a ring of its own; 0: one per processor",
             &Config::shards, 0, 64),
      custom("data", "DIR", "folder of the embedded store and keys; made if missing", read_data,
             [](const Config& config) { return config.data_dir; }),
      custom("postgres", "URL",
             "keep everything in this PostgreSQL database, not in the data folder", read_postgres,
             [](const Config& config) { return or_none(without_password(config.postgres)); }),
      repeatable("redis", "URL",
                 "speak with other nodes on the same database over this Redis; may be repeated or "
                 "name several hosts: seeds of a cluster",
                 read_redis, &Config::redis),
      repeatable("etcd", "URL",
                 "find the other nodes by this etcd, not by Redis; may be repeated: its members",
                 read_etcd, &Config::etcd),
      custom("node-id", "NAME",
             "what this node is called in session.ready, among nodes and in metrics; default: the "
             "host's name",
             read_node_id, [](const Config& config) { return or_none(config.node_id); }),
      custom("log-level", "LEVEL", "trace, debug, info, warn, error or off", read_log_level,
             [](const Config& config) { return config.log_level; }),
      custom("advertise", "URL",
             "WebSocket base URL of this node that logins are told, e.g. wss://chat.example.com",
             read_advertise, [](const Config& config) { return or_none(config.advertise); }),
      repeatable("server-name", "HOST",
                 "without --advertise: a host by which clients reach this node besides its own "
                 "addresses, e.g. chat.example.com; logins by a Host that is none are told the "
                 "address of --listen; may be repeated",
                 read_server_name, &Config::server_names),
      custom("node-lease", "TIME", "with --redis: a node that is silent for so long counts as dead",
             read_lease, show_lease),
      text("auth-secret-file", "FILE",
           "HS256 key, 32 bytes or more; default <data>/auth.key, made at first start",
           &Config::auth_secret_file),
      text("jwks", "FILE_OR_URL", "key set of an external token issuer", &Config::jwks),
      text("jwt-issuer", "ISS", "the external issuer's iss; required with --jwks",
           &Config::jwt_issuer),
      text("jwt-audience", "AUD", "the aud its tokens must name; required with --jwks",
           &Config::jwt_audience),
      repeatable("allow-origin", "ORIGIN",
                 "browser origin besides our own; may be repeated; * for all", read_origin,
                 &Config::allow_origins),
      repeatable("trusted-proxy", "CIDR",
                 "address or network of a proxy that says who the client is, by Forwarded, "
                 "X-Forwarded-For or the PROXY protocol; nobody else is believed; may be repeated",
                 read_trusted_proxy, &Config::trusted_proxies),
      on_off(
          "proxy-protocol",
          "each connection must be from a trusted proxy and begin with a PROXY header (version 1 "
          "or 2)",
          &Config::proxy_protocol),
      number("connections-max", "connections per shard; 0: what RLIMIT_NOFILE allows",
             &Config::connections_max, 0, 4'000'000),
      number("connections-per-address", "new connections a second from one address; 0: no limit",
             &Config::connections_per_address, 0, 1'000'000),
      number("open-per-address",
             "open connections of one address per shard; 0: three quarters of all",
             &Config::open_per_address, 0, 4'000'000),
      number("connections-per-user", "devices of one user at a time", &Config::connections_per_user,
             1, 10'000),
      custom("presence", "shared|public",
             "who may know who is online: those who share a conversation with them, or everybody",
             read_presence,
             [](const Config& config) -> std::string {
               return config.presence_is_public ? "public" : "shared";
             }),
      number("commands-per-second", "commands a connection may send; bursts of four times as many",
             &Config::commands_per_second, 1, 1'000'000),
      number("conversations-per-day",
             "groups and channels that a user may make, at each node; 0: no limit",
             &Config::conversations_per_day, 0, 1'000'000),
      number(
          "first-contacts-per-day",
          "people whom a user may add or write to though they never wrote back, at each node; 0: "
          "no limit",
          &Config::first_contacts_per_day, 0, 1'000'000),
      number(
          "message-mb-per-day",
          "MiB that a user may have stored, 256 bytes a row besides its text, at each node; 0: no "
          "limit",
          &Config::message_mb_per_day, 0, 16'384),
      number("logins-per-address",
             "wrong passwords, registrations and wrong refreshes a minute from one address",
             &Config::logins_per_address, 1, 1'000'000),
      number("registrations-per-address", "new accounts an hour from one address; 0: no limit",
             &Config::registrations_per_address, 0, 1'000'000),
      number("openings-per-second",
             "sessions that may begin a second on a shard; more are told when to come; 0: no limit",
             &Config::openings_per_second, 0, 1'000'000),
      number("resumes-per-second", "the same of sessions that resume, by a budget of their own",
             &Config::resumes_per_second, 0, 1'000'000),
      number("heartbeat-timeout", "seconds without a sign of life until a client counts as gone",
             &Config::heartbeat_timeout_s, 5, chat::kHeartbeatTimeoutMs / 1000),
      on_off("deflate", "permessage-deflate for clients that offer it", &Config::deflate),
      number("deflate-bytes-min", "smaller messages go out uncompressed",
             &Config::deflate_bytes_min, 0, 1'000'000),
      number("egress-mb-max", "memory per shard for what slow readers have not taken yet",
             &Config::egress_mb_max, 1, 65536),
      custom("seccomp", "MODE",
             "system calls that no server makes: kill (ends the process), enforce (refused, "
             "counted, logged), log (let through; the kernel's audit log has them) or off",
             read_seccomp, [](const Config& config) { return config.seccomp; }),
      on_off("landlock", "leave the server no files but those that it needs, and no new listeners",
             &Config::landlock),
      number("drain-seconds", "on SIGTERM, spread the clients' reconnects over this time",
             &Config::drain_seconds, 0, 3600),
  };
  return table;
}

}  // namespace uproar::server
