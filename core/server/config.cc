#include "core/server/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>

#include <CLI/CLI.hpp>
#include <toml++/toml.h>

#include "core/chat/limits.h"
#include "proto/http/origin.h"

namespace uproar::server {
namespace {

using Problem = std::optional<std::string>;  // what is wrong with a value; nullopt: nothing

struct Setting {
  std::string name;        // "allow-origin": --allow-origin, UPROAR_ALLOW_ORIGIN, allow_origin
  std::string value_name;  // "HOST:PORT"
  std::string help;
  std::function<Problem(Config&, const std::string&)> read;
  std::function<std::string(const Config&)> show;
  bool repeatable = false;

  [[nodiscard]] std::string flag() const { return "--" + name; }
  [[nodiscard]] std::string key() const {
    std::string out = name;
    std::replace(out.begin(), out.end(), '-', '_');
    return out;
  }
  [[nodiscard]] std::string variable() const {
    std::string out = "UPROAR_" + key();
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char c) { return std::toupper(c); });
    return out;
  }
};

std::string or_none(const std::string& value) {
  return value.empty() ? "(none)" : value;
}

template <class Number>
Problem read_number(const std::string& text, Number low, Number high, Number& out) {
  Number value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value < low || value > high) {
    return "expected a number from " + std::to_string(low) + " to " + std::to_string(high);
  }
  out = value;
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
  config.allow_origins.push_back(text);
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

// Without the password that it may hold, in either of libpq's forms.
std::string show_postgres(const Config& config) {
  std::string shown = config.postgres;
  if (const auto scheme = shown.find("://"); scheme != std::string::npos) {
    const auto begin = scheme + 3;
    const auto at = shown.rfind('@');  // also where a password holds '/' or '@' as it should not
    const auto colon = shown.find(':', begin);
    if (at != std::string::npos && colon < at) shown.replace(colon + 1, at - colon - 1, "***");
  }
  const auto password = shown.find("password=");
  if (password != std::string::npos) shown.replace(password + 9, std::string::npos, "***");
  return or_none(shown);
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

std::string show_origins(const Config& config) {
  std::string out;
  for (const std::string& origin : config.allow_origins) out += (out.empty() ? "" : " ") + origin;
  return or_none(out);
}

Setting custom(std::string name, std::string value_name, std::string help,
               std::function<Problem(Config&, const std::string&)> read,
               std::function<std::string(const Config&)> show, bool repeatable = false) {
  return {std::move(name), std::move(value_name), std::move(help),
          std::move(read), std::move(show),       repeatable};
}

Setting on_off(std::string name, std::string help, bool Config::*member) {
  return custom(
      std::move(name), "BOOL", std::move(help),
      [=](Config& config, const std::string& value) { return read_switch(value, config.*member); },
      [=](const Config& config) { return std::string(config.*member ? "true" : "false"); });
}

const std::vector<Setting>& settings() {
  static const std::vector<Setting> table = {
      custom("listen", "HOST:PORT", "address to serve HTTP and WebSocket on", read_listen,
             show_listen),
      number("shards", "threads, each with a ring of its own; 0: one per processor",
             &Config::shards, 0, 64),
      text("data", "DIR", "folder of the embedded store and keys; made if missing",
           &Config::data_dir),
      custom("postgres", "URL",
             "keep everything in this PostgreSQL database, not in the data folder", read_postgres,
             show_postgres),
      custom("log-level", "LEVEL", "trace, debug, info, warn, error or off", read_log_level,
             [](const Config& config) { return config.log_level; }),
      text("node", "NAME", "what this node is called in session.ready and metrics", &Config::node),
      text("advertise", "URL",
           "WebSocket base URL that logins are told, e.g. wss://chat.example.com",
           &Config::advertise),
      text("auth-secret-file", "FILE",
           "HS256 key, 32 bytes or more; default <data>/auth.key, made at first start",
           &Config::auth_secret_file),
      text("jwks", "FILE_OR_URL", "key set of an external token issuer", &Config::jwks),
      text("jwt-issuer", "ISS", "the external issuer's iss; required with --jwks",
           &Config::jwt_issuer),
      text("jwt-audience", "AUD", "the aud its tokens must name; required with --jwks",
           &Config::jwt_audience),
      custom("allow-origin", "ORIGIN", "browser origin besides our own; may be repeated; * for all",
             read_origin, show_origins, true),
      number("connections-max", "connections per shard; 0: what RLIMIT_NOFILE allows",
             &Config::connections_max, 0, 4'000'000),
      number("connections-per-address", "new connections a second from one address; 0: no limit",
             &Config::connections_per_address, 0, 1'000'000),
      number("connections-per-user", "devices of one user at a time", &Config::connections_per_user,
             1, 10'000),
      number("commands-per-second", "commands a connection may send; bursts of four times as many",
             &Config::commands_per_second, 1, 1'000'000),
      number("logins-per-address", "logins and registrations a minute from one address",
             &Config::logins_per_address, 1, 1'000'000),
      number("heartbeat-timeout", "seconds without a sign of life until a client counts as gone",
             &Config::heartbeat_timeout_s, 5, chat::kHeartbeatTimeoutMs / 1000),
      on_off("deflate", "permessage-deflate for clients that offer it", &Config::deflate),
      number("deflate-bytes-min", "smaller messages go out uncompressed",
             &Config::deflate_bytes_min, 0, 1'000'000),
      number("egress-mb-max", "memory per shard for what slow readers have not taken yet",
             &Config::egress_mb_max, 1, 65536),
      number("drain-seconds", "on SIGTERM, spread the clients' reconnects over this time",
             &Config::drain_seconds, 0, 3600),
  };
  return table;
}

std::vector<std::string> names_of(std::string (Setting::*form)() const) {
  std::vector<std::string> names;  // also those that are no setting: they can be mistyped as well
  if (form == &Setting::flag) names = {"--config", "--help"};
  if (form == &Setting::variable) names = {"UPROAR_CONFIG"};
  for (const Setting& setting : settings()) names.push_back((setting.*form)());
  return names;
}

std::string unknown(const std::string& what, const std::string& name,
                    const std::vector<std::string>& known) {
  std::string out = what + " " + name + " is unknown.";
  if (const auto nearest = nearest_name(name, known)) out += " Did you mean " + *nearest + "?";
  return out;
}

std::string bad_value(const std::string& where, const std::string& value,
                      const std::string& problem) {
  return where + ": " + problem + ", got \"" + value + "\"";
}

// The file's value as the text a flag would have, or nullopt for a kind we have no use for.
std::optional<std::string> text_of(const toml::node& node) {
  if (const auto value = node.value<std::string>(); value && node.is_string()) return value;
  if (node.is_integer()) return std::to_string(*node.value<std::int64_t>());
  if (node.is_boolean()) return *node.value<bool>() ? "true" : "false";
  return std::nullopt;
}

Problem read_file(Config& config, const std::string& path) {
  toml::table table;
  try {
    table = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    const auto line = error.source().begin.line;  // 0: it was not read at all
    return path + (line == 0 ? "" : " line " + std::to_string(line)) + ": " +
           std::string(error.description());
  }
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const auto setting =
        std::find_if(settings().begin(), settings().end(),
                     [&](const Setting& candidate) { return candidate.key() == name; });
    if (setting == settings().end()) return unknown(path + ": key", name, names_of(&Setting::key));
    std::vector<const toml::node*> values;
    if (const toml::array* array = node.as_array(); array != nullptr && setting->repeatable) {
      for (const toml::node& element : *array) values.push_back(&element);
    } else {
      values.push_back(&node);
    }
    for (const toml::node* value : values) {
      const auto as_text = text_of(*value);
      if (!as_text) return path + ": key " + name + ": expected " + setting->value_name;
      if (const Problem bad = setting->read(config, *as_text))
        return bad_value(path + ": key " + name, *as_text, *bad);
    }
  }
  return std::nullopt;
}

Problem read_environment(Config& config, const ConfigInput& input) {
  for (const auto& [name, value] : input.environment) {
    if (!name.starts_with("UPROAR_") || name == "UPROAR_CONFIG") continue;
    const auto setting =
        std::find_if(settings().begin(), settings().end(),
                     [&](const Setting& candidate) { return candidate.variable() == name; });
    if (setting == settings().end())
      return unknown("environment variable", name, names_of(&Setting::variable));
    if (setting->repeatable) config.allow_origins.clear();
    if (const Problem bad = setting->read(config, value)) return bad_value(name, value, *bad);
  }
  return std::nullopt;
}

Problem check_together(const Config& config) {
  const bool any =
      !config.jwks.empty() || !config.jwt_issuer.empty() || !config.jwt_audience.empty();
  const bool all =
      !config.jwks.empty() && !config.jwt_issuer.empty() && !config.jwt_audience.empty();
  if (any && !all)
    return "--jwks, --jwt-issuer and --jwt-audience belong together: a key set without iss and aud "
           "would accept tokens that were made for others";
  if (config.jwks.starts_with("http://"))
    return "--jwks: fetching keys over plain http lets anybody replace them; use https or a file";
  const bool ws = config.advertise.starts_with("ws://") || config.advertise.starts_with("wss://");
  if (!config.advertise.empty() && (!ws || config.advertise.ends_with('/'))) {
    return bad_value("--advertise", config.advertise,
                     "expected ws://HOST[:PORT] or wss://HOST[:PORT] without a path");
  }
  return std::nullopt;
}

struct Flags {
  std::map<std::string, std::vector<std::string>> values;  // by setting name
  std::string config_file;
};

Result<Flags, ConfigError> read_flags(const std::vector<std::string>& arguments) {
  Flags flags;
  CLI::App app{
      "Serves chat over HTTP and WebSocket, from an embedded data folder or a PostgreSQL database.",
      "uproar serve"};
  app.add_option("--config", flags.config_file,
                 "settings file; default ./uproar.toml if there is one")
      ->type_name("FILE");
  for (const Setting& setting : settings()) {
    app.add_option(setting.flag(), flags.values[setting.name],
                   setting.help + " [" + setting.show(Config{}) + "]")
        ->type_name(setting.value_name)
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);  // one word each: "--shards 2 3" is a mistake, not a 3
  }
  app.footer(
      "Every flag is also an environment variable (--log-level: UPROAR_LOG_LEVEL) and a key of "
      "uproar.toml\n"
      "(log_level); flags win over the environment, the environment over the file.\n\n"
      "Example: uproar serve --listen 0.0.0.0:8080 --data /var/lib/uproar --shards 4");
  std::vector<std::string> reversed(arguments.rbegin(),
                                    arguments.rend());  // CLI11 takes them from the back
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    return Err{ConfigError{.text = app.help(), .is_help = true}};
  } catch (const CLI::ExtrasError&) {
    const std::vector<std::string> extras = app.remaining();
    const std::string name =
        extras.empty() ? "" : extras.front().substr(0, extras.front().find('='));
    return Err{ConfigError{.text = unknown("option", name, names_of(&Setting::flag)) +
                                   " See uproar serve --help"}};
  } catch (const CLI::ParseError& error) {
    return Err{ConfigError{.text = std::string(error.what()) + ". See uproar serve --help"}};
  }
  return flags;
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& known) {
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : known) {
    std::vector<std::size_t> row(candidate.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= name.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t substituted = diagonal + (name[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

Result<Config, ConfigError> read_config(const ConfigInput& input) {
  auto flags = read_flags(input.arguments);
  if (!flags.ok()) return Err{flags.error()};
  Config config;

  std::string file = flags->config_file;
  for (const auto& [name, value] : input.environment) {
    if (name == "UPROAR_CONFIG" && file.empty()) file = value;
  }
  const std::string usual = input.working_dir + "/uproar.toml";
  std::error_code ignored;
  if (file.empty() && std::filesystem::exists(usual, ignored)) file = usual;
  if (!file.empty()) {
    if (const Problem bad = read_file(config, file)) return Err{ConfigError{.text = *bad}};
  }
  if (const Problem bad = read_environment(config, input)) return Err{ConfigError{.text = *bad}};
  for (const Setting& setting : settings()) {
    const std::vector<std::string>& values = flags->values[setting.name];
    if (setting.repeatable && !values.empty()) config.allow_origins.clear();
    for (const std::string& value : values) {
      if (const Problem bad = setting.read(config, value))
        return Err{ConfigError{.text = bad_value(setting.flag(), value, *bad)}};
    }
  }
  if (const Problem bad = check_together(config)) return Err{ConfigError{.text = *bad}};
  if (config.auth_secret_file.empty()) config.auth_secret_file = config.data_dir + "/auth.key";
  return config;
}

std::string show_config(const Config& config) {
  std::size_t width = 0;
  for (const Setting& setting : settings()) width = std::max(width, setting.name.size());
  std::string out;
  for (const Setting& setting : settings()) {
    out += "  " + setting.name + std::string(width - setting.name.size() + 2, ' ') +
           setting.show(config) + "\n";
  }
  return out;
}

}  // namespace uproar::server
