#pragma once

// The settings of `uproar serve`, each one row: its name, what it means, how it is read and shown.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/server/config.h"

namespace uproar::server {

using Problem = std::optional<std::string>;  // what is wrong with a value; nullopt: nothing

struct Setting {
  std::string name;        // "allow-origin": --allow-origin, UPROAR_ALLOW_ORIGIN, allow_origin
  std::string value_name;  // "HOST:PORT"
  std::string help;
  std::function<Problem(Config&, const std::string&)> read;
  std::function<std::string(const Config&)> show;
  // Forgets what a weaker source has said. Set: the setting may be said several times, each adds.
  std::function<void(Config&)> clear = {};

  [[nodiscard]] bool repeatable() const { return static_cast<bool>(clear); }
  [[nodiscard]] std::string flag() const;      // --log-level
  [[nodiscard]] std::string key() const;       // log_level
  [[nodiscard]] std::string variable() const;  // UPROAR_LOG_LEVEL
};

[[nodiscard]] const std::vector<Setting>& settings();

// A URL, or something that was meant to be one, without the password that it may hold.
[[nodiscard]] std::string without_password(std::string text);

}  // namespace uproar::server
