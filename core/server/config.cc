#include "core/server/config.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include <CLI/CLI.hpp>
#include <toml++/toml.h>

#include "core/server/settings.h"
#include "proto/base/check.h"
#include "storage/etcd/etcd_url.h"
#include "storage/etcd/limits.h"

namespace uproar::server {
namespace {

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
  return where + ": " + problem + ", got \"" + without_password(value) + "\"";
}

// The file's value as the text a flag would have, or nullopt for a kind we have no use for.
std::optional<std::string> text_of(const toml::node& node) {
  if (const auto value = node.value<std::string>(); value && node.is_string()) return value;
  if (node.is_integer()) return std::to_string(*node.value<std::int64_t>());
  if (node.is_boolean()) return *node.value<bool>() ? "true" : "false";
  return std::nullopt;
}

constexpr const char* kNameFile =
    "Try: name a file that the server's user can read, with --config or UPROAR_CONFIG; without one "
    "it is ./uproar.toml, if that is there";

Problem read_file(Config& config, const std::string& path) {
  toml::table table;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))  // which would be read as an empty file
    return path + ": this is a folder. " + kNameFile;
  try {
    table = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    const auto line = error.source().begin.line;
    if (line == 0)  // it was not read at all
      return path + ": " + std::string(error.description()) + ". " + kNameFile;
    return path + " line " + std::to_string(line) + ": " + std::string(error.description());
  }
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const auto setting =
        std::find_if(settings().begin(), settings().end(),
                     [&](const Setting& candidate) { return candidate.key() == name; });
    if (setting == settings().end()) return unknown(path + ": key", name, names_of(&Setting::key));
    std::vector<const toml::node*> values;
    if (const toml::array* array = node.as_array(); array != nullptr && setting->repeatable()) {
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
  for (const auto& variable : input.environment) {
    const auto& name = variable.first;  // clang 14 captures no structured binding
    const auto& value = variable.second;
    if (!name.starts_with("UPROAR_") || name == "UPROAR_CONFIG") continue;
    const auto setting =
        std::find_if(settings().begin(), settings().end(),
                     [&](const Setting& candidate) { return candidate.variable() == name; });
    if (setting == settings().end())
      return unknown("environment variable", name, names_of(&Setting::variable));
    if (setting->repeatable()) setting->clear(config);
    if (const Problem bad = setting->read(config, value)) return bad_value(name, value, *bad);
  }
  return std::nullopt;
}

// What one node of several needs. That all of them sign with the same key is seen once they meet.
Problem check_nodes(const Config& config) {
  if (!config.etcd.empty() && config.redis.empty())
    return "--etcd needs --redis: etcd tells which nodes there are, what they say to each other "
           "goes "
           "over Redis";
  if (config.redis.empty() && config.node_lease_ms != Config().node_lease_ms)
    return "--node-lease needs --redis: a node alone holds no lease";
  if (config.redis.empty()) return std::nullopt;
  if (config.postgres.empty())
    return "--redis needs --postgres: nodes share one database, and the embedded store belongs to "
           "one process";
  if (const auto url = redis_url(config); !url.ok()) return "--redis: " + url.error().hint;
  if (config.advertise.empty() && (config.listen_host == "0.0.0.0" || config.listen_host == "::"))
    return "--redis needs --advertise here: logins at other nodes are told where this one is, and "
           "--listen does not say. Try: --advertise ws://HOST:PORT, or listen on one address";
  if (!config.etcd.empty() && config.node_lease_ms < storage::etcd::kLeaseSecondsMin * 1000)
    return "--node-lease: etcd grants nothing below " +
           std::to_string(storage::etcd::kLeaseSecondsMin) + "s";
  if (!config.etcd.empty() && config.node_lease_ms % 1000 != 0)
    return "--node-lease: etcd counts in whole seconds. Try: " +
           std::to_string(config.node_lease_ms / 1000 + 1) + "s";
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
  if (config.proxy_protocol && config.trusted_proxies.empty())
    return "--proxy-protocol needs --trusted-proxy: a PROXY header is believed of the proxies that "
           "it names. Try: --trusted-proxy 127.0.0.1, for a proxy on this host";
  return check_nodes(config);
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
    if (setting.repeatable() && !values.empty()) setting.clear(config);
    for (const std::string& value : values) {
      if (const Problem bad = setting.read(config, value))
        return Err{ConfigError{.text = bad_value(setting.flag(), value, *bad)}};
    }
  }
  if (const Problem bad = check_together(config)) return Err{ConfigError{.text = *bad}};
  if (config.auth_secret_file.empty()) config.auth_secret_file = config.data_dir + "/auth.key";
  return config;
}

AdminAddress admin_address(const Config& config) {
  return config.admin_listen.value_or(usual_admin_address(config.listen_port));
}

Result<storage::redis::RedisUrl, SystemError> redis_url(const Config& config) {
  UPROAR_CHECK(!config.redis.empty());
  auto url = storage::redis::RedisUrl::parse(config.redis.front());
  for (std::size_t i = 1; url.ok() && i < config.redis.size(); ++i) {
    const auto more = storage::redis::RedisUrl::parse(config.redis[i]);
    if (!more.ok()) return Err{more.error()};
    if (more->user != url->user || more->password != url->password || more->db != url->db) {
      return Err{SystemError{
          .operation = "read the URL of Redis",
          .subject = "",
          .code = 0,
          .hint = "several name servers of one Redis Cluster: user, password and database are the "
                  "same in all"}};
    }
    url->seeds.insert(url->seeds.end(), more->seeds.begin(), more->seeds.end());
  }
  return url;
}

std::vector<std::string> etcd_urls(const Config& config) {
  std::vector<std::string> urls;
  for (const std::string& text : config.etcd) {
    const auto some = storage::etcd::parse_etcd_urls(text);
    UPROAR_CHECK(some.ok());  // they were read when they were set
    urls.insert(urls.end(), some->begin(), some->end());
  }
  return urls;
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
