#include "storage/redis/redis_url.h"

#include <charconv>
#include <optional>

#include "proto/base/parse_number.h"

namespace uproar::storage::redis {
namespace {

Err<SystemError> refuse(std::string_view hint) {
  return Err{SystemError{
      .operation = "read the URL of Redis", .subject = "", .code = 0, .hint = std::string(hint)}};
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const char* digits = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2)
      return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

Result<RedisAddress, SystemError> seed_of(std::string_view text) {
  RedisAddress address;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return refuse("close the bracket of the IPv6 address");
    address.host = text.substr(1, close - 1);
    const std::string_view rest = text.substr(close + 1);
    has_port = rest.starts_with(':');
    if (!rest.empty() && !has_port) return refuse("write an IPv6 address as [address]:port");
    port = has_port ? rest.substr(1) : rest;
  } else {
    const auto colon = text.find(':');
    address.host = text.substr(0, colon);
    has_port = colon != std::string_view::npos;
    if (has_port) port = text.substr(colon + 1);
    if (port.find(':') != std::string_view::npos)
      return refuse("write an IPv6 address as [address]:port");
  }
  if (address.host.empty()) return refuse("name a host: redis://127.0.0.1:6379");
  if (has_port) {
    const auto number = parse_number<std::uint16_t>(port);
    if (!number || *number == 0) return refuse("the port is a number from 1 to 65535");
    address.port = *number;
  }
  return address;
}

}  // namespace

std::string RedisAddress::text() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<RedisUrl, SystemError> RedisUrl::parse(std::string_view text) {
  constexpr std::string_view kScheme = "redis://";
  if (text.starts_with("rediss://"))
    return refuse(
        "TLS to Redis is not supported: say redis:// and keep the way there private, or put "
        "stunnel or a sidecar "
        "before the server");
  if (!text.starts_with(kScheme))
    return refuse("begin with redis://, as in redis://127.0.0.1:6379");
  text.remove_prefix(kScheme.size());

  RedisUrl url;
  // The last one: a password may hold '@' in spite of the rules.
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view credentials = text.substr(0, at);
    text.remove_prefix(at + 1);
    const auto colon = credentials.find(':');
    if (colon == std::string_view::npos)
      return refuse("a password alone is written redis://:password@host");
    const auto user = percent_decoded(credentials.substr(0, colon));
    const auto password = percent_decoded(credentials.substr(colon + 1));
    if (!user || !password)
      return refuse(
          "% in user or password is followed by two hexadecimal digits; a plain % is %25");
    if (password->empty()) return refuse("the password is empty; leave out what stands before @");
    url.user = *user;
    url.password = *password;
  }
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    const std::string_view path = text.substr(slash + 1);
    text = text.substr(0, slash);
    if (!path.empty()) {
      const auto db = parse_number<std::uint32_t>(path);
      if (!db)
        return refuse(
            "after the host comes / and the number of a database, or nothing; options with ? are "
            "not known");
      url.db = *db;
    }
  }
  for (bool more = true; more;) {
    const auto comma = text.find(',');
    auto seed = seed_of(text.substr(0, comma));
    if (!seed.ok()) return Err{seed.error()};
    url.seeds.push_back(std::move(seed).value());
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
  }
  return url;
}

std::string RedisUrl::public_text() const {
  std::string out = "redis://";
  for (const RedisAddress& seed : seeds) {
    if (out.back() != '/') out += ',';
    out += seed.text();
  }
  if (db != 0) out += "/" + std::to_string(db);
  return out;
}

Result<RedisAddress, SystemError> parse_redis_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return refuse("expected host:port");
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port || *port == 0) return refuse("expected host:port");
  return RedisAddress{.host = std::string(text.substr(0, colon)), .port = *port};
}

}  // namespace uproar::storage::redis
