#pragma once

// A small TOML file, key by key: unknown keys and wrong types are faults that name file and key. The one place of the bench
// suite that includes toml++ (which throws: fenced in toml_reader.cc).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace uproar::bench {

class TomlReader {
 public:
  // A file that cannot be read is a fault like any other.
  explicit TomlReader(const std::string& path);
  ~TomlReader();
  TomlReader(const TomlReader&) = delete;
  TomlReader& operator=(const TomlReader&) = delete;

  // Sets `key` (dotted: "storm.fraction", "hall.in_flight" for the element of an array of tables with name = "hall") to a value
  // in TOML's notation.
  void override_with(std::string_view assignment);

  // Of the current table; defaults when the key is not there.
  [[nodiscard]] std::string text(std::string_view key, std::string_view otherwise = {});
  [[nodiscard]] std::vector<std::string> texts(std::string_view key);
  [[nodiscard]] double number(std::string_view key, double otherwise);
  [[nodiscard]] std::uint32_t count(std::string_view key, std::uint32_t otherwise);
  [[nodiscard]] bool boolean(std::string_view key, bool otherwise);

  // Runs `read` with the table `key` as the current one, if there is one; for each element of an array of tables in turn.
  void table(std::string_view key, const std::function<void()>& read);
  void tables(std::string_view key, const std::function<void()>& read);

  void fault(std::string_view key, std::string_view what);
  // Everything was asked for: the first fault ("FILE: KEY: …"), or empty. Keys nobody asked for are faults.
  [[nodiscard]] std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace uproar::bench
