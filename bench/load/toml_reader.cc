#include "bench/load/toml_reader.h"

#include <limits>
#include <set>

#include <toml++/toml.h>

namespace uproar::bench {

struct TomlReader::State {
  std::string path;
  toml::table root;
  std::vector<toml::table*> tables;  // the last one is current
  std::vector<std::string> names;    // of them, for faults
  std::set<const toml::node*> asked;
  std::string first_fault;

  toml::node* find(std::string_view key) {
    toml::node* node = tables.back()->get(key);
    if (node != nullptr) asked.insert(node);
    return node;
  }

  void fault(std::string_view key, std::string_view what) {
    if (first_fault.empty())
      first_fault = path + ": " + names.back() + std::string(key) + ": " + std::string(what);
  }

  void find_unasked() {
    for (const auto& [name, value] : *tables.back()) {
      if (!asked.contains(&value)) fault(name.str(), "is not a key of this file");
    }
  }

  void read_table(std::string_view key, toml::node& node, const std::function<void()>& read) {
    toml::table* table = node.as_table();
    if (table == nullptr) return fault(key, "must be a table");
    tables.push_back(table);
    names.push_back(names.back() + std::string(key) + ".");
    read();
    find_unasked();
    tables.pop_back();
    names.pop_back();
  }

  // The table called `name`, or the element with that name of an array of tables.
  toml::table* named(std::string_view name) {
    if (toml::table* table = root[name].as_table(); table != nullptr) return table;
    for (auto& [_, value] : root) {
      toml::array* array = value.as_array();
      if (array == nullptr) continue;
      for (toml::node& element : *array) {
        toml::table* table = element.as_table();
        if (table != nullptr && (*table)["name"].value_or(std::string_view()) == name) return table;
      }
    }
    return nullptr;
  }
};

TomlReader::TomlReader(const std::string& path) : state_(std::make_unique<State>()) {
  state_->path = path;
  state_->tables.push_back(&state_->root);
  state_->names.emplace_back();
  try {
    state_->root = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    fault("line " + std::to_string(error.source().begin.line), error.description());
  }
}

TomlReader::~TomlReader() = default;

void TomlReader::override_with(std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos)
    return fault(assignment, "an override is KEY=VALUE, for example seconds=2");
  std::string_view key = assignment.substr(0, equals);
  toml::table* into = &state_->root;
  if (const std::size_t dot = key.find('.'); dot != std::string_view::npos) {
    into = state_->named(key.substr(0, dot));
    if (into == nullptr) return fault(assignment, "there is no table of that name");
    key.remove_prefix(dot + 1);
  }
  try {
    toml::table parsed = toml::parse("value = " + std::string(assignment.substr(equals + 1)));
    into->insert_or_assign(key, std::move(*parsed.get("value")));
  } catch (const toml::parse_error& error) {
    fault(assignment, error.description());
  }
}

std::string TomlReader::text(std::string_view key, std::string_view otherwise) {
  const toml::node* node = state_->find(key);
  if (node == nullptr) return std::string(otherwise);
  if (const auto value = node->value_exact<std::string>()) return *value;
  fault(key, "must be a text");
  return {};
}

std::vector<std::string> TomlReader::texts(std::string_view key) {
  std::vector<std::string> out;
  const toml::node* node = state_->find(key);
  if (node == nullptr) return out;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    fault(key, "must be an array of texts");
    return out;
  }
  for (const toml::node& element : *array) {
    if (const auto value = element.value_exact<std::string>())
      out.push_back(*value);
    else
      fault(key, "must be an array of texts");
  }
  return out;
}

double TomlReader::number(std::string_view key, double otherwise) {
  const toml::node* node = state_->find(key);
  if (node == nullptr) return otherwise;
  const auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (value && *value >= 0) return *value;
  fault(key, "must be a number, 0 or more");
  return otherwise;
}

std::uint32_t TomlReader::count(std::string_view key, std::uint32_t otherwise) {
  const toml::node* node = state_->find(key);
  if (node == nullptr) return otherwise;
  const auto value = node->value_exact<std::int64_t>();
  if (value && *value >= 0 && *value <= std::numeric_limits<std::uint32_t>::max())
    return static_cast<std::uint32_t>(*value);
  fault(key, "must be a whole number, 0 or more");
  return otherwise;
}

bool TomlReader::boolean(std::string_view key, bool otherwise) {
  const toml::node* node = state_->find(key);
  if (node == nullptr) return otherwise;
  if (const auto value = node->value_exact<bool>()) return *value;
  fault(key, "must be true or false");
  return otherwise;
}

void TomlReader::table(std::string_view key, const std::function<void()>& read) {
  if (toml::node* node = state_->find(key); node != nullptr) state_->read_table(key, *node, read);
}

void TomlReader::tables(std::string_view key, const std::function<void()>& read) {
  toml::node* node = state_->find(key);
  if (node == nullptr) return;
  toml::array* array = node->as_array();
  if (array == nullptr) return fault(key, "must be an array of tables");
  for (toml::node& element : *array) state_->read_table(key, element, read);
}

void TomlReader::fault(std::string_view key, std::string_view what) {
  state_->fault(key, what);
}

std::string TomlReader::finish() {
  state_->find_unasked();
  return state_->first_fault;
}

}  // namespace uproar::bench
