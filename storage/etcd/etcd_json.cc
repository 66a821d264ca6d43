#include "storage/etcd/etcd_json.h"

#include <simdjson.h>

#include "proto/base/bytes.h"
#include "proto/base/parse_number.h"
#include "proto/crypto/base64.h"

namespace uproar::storage::etcd {
namespace {

using simdjson::dom::element;

std::string base64(std::string_view text) {
  return crypto::base64_encode(as_bytes(text));
}

// The end of the range of all keys that begin with `prefix`.
std::string end_of(std::string_view prefix) {
  std::string end(prefix);
  ++end.back();
  return end;
}

std::string_view text_at(const element& object, std::string_view key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

bool flag_at(const element& object, std::string_view key) {
  bool flag = false;
  return object[key].get(flag) == simdjson::SUCCESS && flag;
}

// 0 when it is left out, nullopt when it is no number.
std::optional<std::int64_t> number_at(const element& object, std::string_view key) {
  std::string_view text;
  if (object[key].get(text) != simdjson::SUCCESS) return 0;
  return parse_number<std::int64_t>(text);
}

std::optional<std::int64_t> revision_of(const element& answer) {
  element header;
  if (answer["header"].get(header) != simdjson::SUCCESS) return std::nullopt;
  return number_at(header, "revision");
}

std::optional<KeyValue> entry_of(const element& json) {
  const auto key = crypto::base64_decode(text_at(json, "key"));
  const auto value = crypto::base64_decode(text_at(json, "value"));
  const auto lease = number_at(json, "lease");
  if (!key || !value || key->empty() || !lease) return std::nullopt;
  return KeyValue{.key = *key, .value = *value, .is_leased = *lease != 0};
}

// The whole text is one JSON object.
class Document {
 public:
  explicit Document(std::string_view json) {
    is_object_ = parser_.parse(json.data(), json.size()).get(root_) == simdjson::SUCCESS &&
                 root_.is_object();
  }
  [[nodiscard]] const element* root() const { return is_object_ ? &root_ : nullptr; }
  // Streams wrap each message.
  [[nodiscard]] std::optional<element> result() const {
    element inner;
    if (!is_object_ || root_["result"].get(inner) != simdjson::SUCCESS || !inner.is_object())
      return std::nullopt;
    return inner;
  }

 private:
  simdjson::dom::parser parser_;
  element root_;
  bool is_object_ = false;
};

}  // namespace

std::string grant_body(std::uint32_t ttl_s) {
  return R"({"TTL":")" + std::to_string(ttl_s) + "\"}";
}

std::string lease_body(std::string_view lease) {
  return R"({"ID":")" + std::string(lease) + "\"}";
}

std::string put_body(std::string_view key, std::string_view value, std::string_view lease) {
  return R"({"key":")" + base64(key) + R"(","value":")" + base64(value) + R"(","lease":")" +
         std::string(lease) + "\"}";
}

std::string range_body(std::string_view prefix) {
  return R"({"key":")" + base64(prefix) + R"(","range_end":")" + base64(end_of(prefix)) + "\"}";
}

std::string watch_body(std::string_view prefix, std::int64_t start_revision) {
  return R"({"create_request":{"key":")" + base64(prefix) + R"(","range_end":")" +
         base64(end_of(prefix)) + R"(","start_revision":")" + std::to_string(start_revision) +
         "\"}}";
}

std::optional<std::string> read_grant(std::string_view json) {
  const Document document(json);
  if (document.root() == nullptr) return std::nullopt;
  const auto id = number_at(*document.root(), "ID");
  if (!id || *id == 0) return std::nullopt;
  return std::to_string(*id);
}

std::optional<std::int64_t> read_keepalive(std::string_view json) {
  const Document document(json);
  const auto result = document.result();
  return result ? number_at(*result, "TTL") : std::nullopt;
}

std::optional<Range> read_range(std::string_view json) {
  const Document document(json);
  if (document.root() == nullptr) return std::nullopt;
  const auto revision = revision_of(*document.root());
  if (!revision) return std::nullopt;
  Range range{.revision = *revision, .found = {}};
  simdjson::dom::array entries;
  if ((*document.root())["kvs"].get(entries) != simdjson::SUCCESS) return range;
  for (const element& json_entry : entries) {
    auto entry = entry_of(json_entry);
    if (!entry) return std::nullopt;
    range.found.push_back(std::move(*entry));
  }
  return range;
}

std::optional<WatchLine> read_watch_line(std::string_view json) {
  const Document document(json);
  const auto result = document.result();
  if (!result) return std::nullopt;
  const auto revision = revision_of(*result);
  const auto compact_revision = number_at(*result, "compact_revision");
  if (!revision || !compact_revision) return std::nullopt;
  WatchLine line{.is_created = flag_at(*result, "created"),
                 .is_canceled = flag_at(*result, "canceled"),
                 .revision = *revision,
                 .compact_revision = *compact_revision,
                 .reason = std::string(text_at(*result, "cancel_reason")),
                 .events = {}};
  simdjson::dom::array events;
  if ((*result)["events"].get(events) != simdjson::SUCCESS) return line;
  for (const element& event : events) {
    element entry_json;
    if (event["kv"].get(entry_json) != simdjson::SUCCESS) return std::nullopt;
    auto entry = entry_of(entry_json);
    if (!entry) return std::nullopt;
    const auto event_revision = number_at(entry_json, "mod_revision");
    if (!event_revision) return std::nullopt;
    line.events.push_back({.is_delete = text_at(event, "type") == "DELETE",
                           .entry = std::move(*entry),
                           .revision = *event_revision});
  }
  return line;
}

std::string read_error(std::string_view json) {
  const Document document(json);
  if (document.root() == nullptr) return "";
  // Later gateways leave `error` out. A code that is a word is somebody else's.
  std::int64_t code = 0;
  std::string_view text;
  if ((*document.root())["code"].get(code) == simdjson::SUCCESS)
    text = text_at(*document.root(), "message");
  if (text.empty()) text = text_at(*document.root(), "error");
  element inner;  // streams
  if (text.empty() && (*document.root())["error"].get(inner) == simdjson::SUCCESS)
    text = text_at(inner, "message");
  return std::string(text);
}

}  // namespace uproar::storage::etcd
