#include "storage/node_record.h"

#include <algorithm>

#include "proto/base/check.h"
#include "proto/base/parse_number.h"
#include "storage/limits.h"

namespace uproar::storage {
namespace {

struct StateName {
  NodeState state;
  std::string_view name;
};
constexpr StateName kStates[] = {{NodeState::kLive, "live"},
                                 {NodeState::kDraining, "draining"},
                                 {NodeState::kLeaving, "leaving"}};

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto number = parse_number<Number>(text);
  if (number) out = *number;
  return number.has_value();
}

bool read_line(std::string_view key, std::string_view value, NodeRecord& record) {
  if (key == "name") {
    record.name = value;
  } else if (key == "url") {
    record.url = value;
  } else if (key == "shards") {
    return read_number(value, record.shards);
  } else if (key == "started") {
    return read_number(value, record.started_us) && record.started_us >= 0;
  } else if (key == "state") {
    const auto found = std::find_if(std::begin(kStates), std::end(kStates),
                                    [&](const StateName& known) { return known.name == value; });
    if (found == std::end(kStates)) return false;
    record.state = found->state;
  } else if (key == "key") {
    record.key_fingerprint = value;
  }
  return true;
}

}  // namespace

bool is_valid_node_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7F;
  });
}

std::string encode_node_record(const NodeRecord& record) {
  UPROAR_CHECK(is_valid_node_text(record.name) && is_valid_node_text(record.url) &&
               is_valid_node_text(record.key_fingerprint));
  std::string out = "name=" + record.name + "\nurl=" + record.url;
  out += "\nshards=" + std::to_string(record.shards);
  out += "\nstarted=" + std::to_string(record.started_us);
  out += "\nstate=" + std::string(kStates[static_cast<std::size_t>(record.state)].name) + "\n";
  if (!record.key_fingerprint.empty()) out += "key=" + record.key_fingerprint + "\n";
  return out;
}

std::optional<NodeRecord> decode_node_record(const NodeId& id, std::string_view text) {
  NodeRecord record;
  record.id = id;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || !is_valid_node_text(line)) return std::nullopt;
    if (!read_line(line.substr(0, equals), line.substr(equals + 1), record)) return std::nullopt;
  }
  const bool is_sound = !record.name.empty() && record.name.size() <= kNodeNameBytesMax &&
                        record.url.size() <= kNodeUrlBytesMax &&
                        record.key_fingerprint.size() <= kNodeKeyBytesMax;
  return is_sound ? std::optional(record) : std::nullopt;
}

}  // namespace uproar::storage
