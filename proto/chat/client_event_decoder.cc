// Hot path: per command. Allocations: only the strings and lists of the event itself.
#include "proto/chat/client_event_decoder.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include <simdjson.h>

#include "proto/chat/command_builder.h"
#include "proto/chat/command_fields.h"
#include "proto/chat/json_scan.h"
#include "proto/chat/json_text.h"

namespace uproar::chat {
namespace {

namespace ondemand = simdjson::ondemand;

static_assert(simdjson::SIMDJSON_PADDING <= kDecodePaddingBytes);

// Account bodies: above these nobody's name, password or token is meant. The real rules are proto/auth/names.h.
constexpr std::size_t kAccountTextBytesMax = 1024;

Error bad_json(std::string_view detail = {}) {
  return {.code = ErrorCode::kBadJson, .detail = detail, .retry_after_ms = 0};
}

// UTF-8 without control characters.
bool is_clean_text(std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  return std::none_of(text.begin(), text.end(), is_control) &&
         simdjson::validate_utf8(text.data(), text.size());
}

// Fields from path and query. They replace what the body says.
void apply(const RouteFields& route, CommandFields& fields) {
  const auto text = [&fields](Field field, std::string_view value) {
    if (!value.empty()) fields.set_text(field, value);
  };
  const auto number = [&fields](Field field, std::optional<std::string_view> value) {
    if (value) fields.set_number(field, *value);
  };
  text(Field::kConversationId, route.conversation_id);
  text(Field::kUserId, route.user_id);
  if (!route.user_id.empty()) fields.set_absent(Field::kUserIds);
  text(Field::kEmoji, route.emoji);
  if (route.after) fields.set_text(Field::kAfter, *route.after);
  number(Field::kLimit, route.limit);
  number(Field::kBeforeSeq, route.before_seq);
  number(Field::kAfterSeq, route.after_seq);
  if (!route.message.empty()) {
    fields.set_absent(Field::kSeq);
    fields.set_absent(Field::kMessageSeq);
    fields.set_absent(Field::kMessageId);
    if (route.message.size() == Uuid::kTextBytes) {
      fields.set_text(Field::kMessageId, route.message);
    } else {
      fields.set_number(Field::kSeq, route.message);
    }
  }
}

}  // namespace

struct ClientEventDecoder::State {
  explicit State(Options chosen) : options(chosen) {}

  Options options;
  ondemand::parser parser;
  CommandFields fields;

  // Files the fields of the object in `payload`; kBadJson or kTooLarge when there is none.
  Result<void, Error> read(MutableBytes payload);
  bool read_fields(MutableBytes payload, std::string_view& detail);
  bool read_field(Field field, ondemand::value& value, bool has_escapes);

  Result<Decoded, DecodeError> build(CommandType type, Now now, Door door, RequestId id);
  // Takes the id out of the fields; false when it is not one.
  bool take_id(RequestId& id) const;
};

Result<void, Error> ClientEventDecoder::State::read(MutableBytes payload) {
  fields.clear();
  if (payload.size() > options.payload_bytes_max) {
    return Err{Error{
        .code = ErrorCode::kTooLarge, .detail = "the message is too large", .retry_after_ms = 0}};
  }
  std::string_view detail;
  if (!read_fields(payload, detail)) return Err{bad_json(detail)};
  return {};
}

bool ClientEventDecoder::State::read_fields(MutableBytes payload, std::string_view& detail) {
  const auto* text = reinterpret_cast<const char*>(payload.data());
  // Some versions skip a byte order mark, some do not; RFC 8259 §8.1 forbids to send one.
  if (payload.empty() ||
      std::memcmp(text, "\xEF\xBB\xBF", std::min<std::size_t>(payload.size(), 3)) == 0)
    return false;

  ondemand::document document;
  const simdjson::padded_string_view padded(text, payload.size(),
                                            payload.size() + kDecodePaddingBytes);
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS) return false;
  ondemand::json_type root{};
  if (document.type().get(root) != simdjson::SUCCESS) return false;
  if (root != ondemand::json_type::object) {
    detail = "The message must be a JSON object.";
    return false;
  }
  ondemand::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) return false;

  const bool has_escapes = std::memchr(text, '\\', payload.size()) != nullptr;
  bool sound = true;  // a value that is no good does not keep the id from being read
  for (auto result : object) {
    ondemand::field member;
    if (std::move(result).get(member) != simdjson::SUCCESS) return false;
    std::string_view name;
    if (member.unescaped_key().get(name) != simdjson::SUCCESS) {
      sound = false;
      continue;
    }
    ondemand::value value = member.value();
    if (!read_field(field_of(name), value, has_escapes)) sound = false;
  }
  if (!sound) return false;
  // Nothing may follow the object.
  const char* rest = nullptr;
  return document.current_location().get(rest) == simdjson::OUT_OF_BOUNDS;
}

bool ClientEventDecoder::State::read_field(Field field, ondemand::value& value, bool has_escapes) {
  ondemand::json_type type{};
  if (value.type().get(type) != simdjson::SUCCESS) return false;
  if (type == ondemand::json_type::string && is_text_field(field)) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return false;
    // The payload was UTF-8 when it came; only an escape can spoil that (half a surrogate pair).
    if (has_escapes && !simdjson::validate_utf8(text.data(), text.size())) return false;
    fields.set_text(field, text);
    return true;
  }
  std::string_view raw;
  if (!raw_text_of(value, type, raw)) return false;
  raw = trimmed_right(raw);
  JsonShape shape;
  if (!check_json(raw, kJsonDepthMax, shape)) return false;
  if (field != Field::kCount) fields.set_raw(field, raw, shape);
  return true;
}

bool ClientEventDecoder::State::take_id(RequestId& id) const {
  switch (fields.state(Field::kId)) {
    case FieldState::kGiven:
      id.assign(fields.text(Field::kId));
      return true;
    case FieldState::kAbsent:
      return true;
    default:
      return false;
  }
}

Result<Decoded, DecodeError> ClientEventDecoder::State::build(CommandType type, Now now, Door door,
                                                              RequestId id) {
  auto event = build_command(type, fields, now, door);
  if (!event.ok()) return Err{DecodeError{.error = event.error(), .id = std::move(id)}};
  return Decoded{.type = type, .event = std::move(event).value(), .id = std::move(id)};
}

ClientEventDecoder::ClientEventDecoder() : ClientEventDecoder(Options{}) {}
ClientEventDecoder::ClientEventDecoder(Options options)
    : state_(std::make_unique<State>(options)) {}
ClientEventDecoder::~ClientEventDecoder() = default;

Result<Decoded, DecodeError> ClientEventDecoder::decode(MutableBytes payload, Now now) {
  const auto read = state_->read(payload);
  RequestId id;
  const bool id_is_valid = state_->take_id(id);
  if (!read.ok()) return Err{DecodeError{.error = read.error(), .id = std::move(id)}};

  const auto refuse = [&id](ErrorCode code, std::string_view detail) {
    return Err{DecodeError{.error = {.code = code, .detail = detail, .retry_after_ms = 0},
                           .id = std::move(id)}};
  };
  const CommandFields& fields = state_->fields;
  if (!id_is_valid) return refuse(ErrorCode::kInvalidField, field_info(Field::kId).invalid);
  if (fields.state(Field::kType) == FieldState::kAbsent) {
    return refuse(ErrorCode::kMissingField, field_info(Field::kType).missing);
  }
  if (fields.state(Field::kType) != FieldState::kGiven) {
    return refuse(ErrorCode::kInvalidField, field_info(Field::kType).invalid);
  }
  const auto type = command_type_of(fields.text(Field::kType));
  if (!type) return refuse(ErrorCode::kUnknownType, {});
  return state_->build(*type, now, Door::kWebSocket, std::move(id));
}

Result<Decoded, DecodeError> ClientEventDecoder::decode_fields(CommandType type,
                                                               const RouteFields& route,
                                                               MutableBytes body, Now now) {
  if (body.empty()) {
    state_->fields.clear();
  } else if (const auto read = state_->read(body); !read.ok()) {
    return Err{DecodeError{.error = read.error(), .id = {}}};
  }
  // The one free text of a path: percent escapes can spell any byte, and what is stored is shown to all.
  if (!is_clean_text(route.emoji)) {
    return Err{DecodeError{.error = {.code = ErrorCode::kInvalidField,
                                     .detail = field_info(Field::kEmoji).invalid,
                                     .retry_after_ms = 0},
                           .id = {}}};
  }
  RequestId id;
  if (!state_->take_id(id)) {
    return Err{DecodeError{.error = {.code = ErrorCode::kInvalidField,
                                     .detail = field_info(Field::kId).invalid,
                                     .retry_after_ms = 0},
                           .id = {}}};
  }
  apply(route, state_->fields);
  return state_->build(type, now, Door::kRest, std::move(id));
}

Result<RegisterRequest, Error> ClientEventDecoder::decode_register(MutableBytes body) {
  auto login = decode_login(body);
  if (!login.ok()) return Err{login.error()};
  return RegisterRequest{.name = std::move(login.value().name),
                         .password = std::move(login.value().password)};
}

Result<LoginRequest, Error> ClientEventDecoder::decode_login(MutableBytes body) {
  const auto read = state_->read(body);
  if (!read.ok()) return Err{read.error()};
  auto name = required_text(state_->fields, Field::kName, 1, kAccountTextBytesMax);
  if (!name.ok()) return Err{name.error()};
  auto password = required_text(state_->fields, Field::kPassword, 1, kAccountTextBytesMax);
  if (!password.ok()) return Err{password.error()};
  return LoginRequest{.name = std::move(name).value(), .password = std::move(password).value()};
}

Result<RefreshRequest, Error> ClientEventDecoder::decode_refresh(MutableBytes body) {
  const auto read = state_->read(body);
  if (!read.ok()) return Err{read.error()};
  auto token = required_text(state_->fields, Field::kRefreshToken, 1, kAccountTextBytesMax);
  if (!token.ok()) return Err{token.error()};
  return RefreshRequest{.refresh_token = std::move(token).value()};
}

}  // namespace uproar::chat
