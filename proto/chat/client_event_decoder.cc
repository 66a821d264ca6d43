// Hot path: per command. Allocations: only the strings and lists of the event itself.
#include "proto/chat/client_event_decoder.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include <simdjson.h>

#include "proto/base/weakness.h"
#include "proto/chat/command_builder.h"
#include "proto/chat/command_fields.h"
#include "proto/chat/json_scan.h"
#include "proto/chat/json_text.h"

namespace uproar::chat {
namespace {

namespace ondemand = simdjson::ondemand;

static_assert(simdjson::SIMDJSON_PADDING <= kDecodePaddingBytes);

constexpr std::string_view kBlanks = " \t\r\n";

Error refusal(ErrorCode code, const ErrorDetail& detail) {
  return {.code = code, .detail = detail, .retry_after_ms = 0};
}

std::string_view subject(Door door) {
  return door == Door::kRest ? "the body" : "the message";
}

Error empty(Door door) {
  return refusal(ErrorCode::kBadJson, door == Door::kRest
                                          ? "the body is empty: expected a JSON object"
                                          : "the message is empty: expected a JSON object");
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
  ondemand::parser parser;
  CommandFields fields;

  Error error;  // of the last read() that failed

  // The first value of a payload that hearers would stumble over, though it may be JSON.
  JsonFault fault = JsonFault::kNone;
  Field fault_field = Field::kCount;  // kCount: an unknown one

  // Files the fields of the object in `payload`; false, and `error`, when there is none.
  bool read(MutableBytes payload, Door door);
  bool read_fields(MutableBytes payload);
  bool read_field(Field field, ondemand::value& value, bool has_escapes);
  // Of a value that cannot be taken, whether it is JSON all the same; says what is wrong with it.
  [[gnu::cold, gnu::noinline]] bool refuse_string(Field field, std::string_view raw);
  [[gnu::cold, gnu::noinline]] bool refuse_value(Field field, std::string_view raw,
                                                 JsonFault found);

  // What is wrong with what read_fields() refused. Not on the hot path: it reads all of it once
  // more.
  [[gnu::cold, gnu::noinline]] Error not_json(std::string_view text, Door door) const;
  [[gnu::cold, gnu::noinline]] Error bad_value() const;

  Result<Decoded, DecodeError> build(CommandType type, Now now, Door door, RequestId id);
  // Takes the id out of the fields; false when it is not one.
  bool take_id(RequestId& id) const;
};

bool ClientEventDecoder::State::read(MutableBytes payload, Door door) {
  fields.clear();
  fault = JsonFault::kNone;
  if (payload.size() > kMessageBytesMax) {
    static_assert(kMessageBytesMax == 131072);
    error = refusal(ErrorCode::kTooLarge,
                    {subject(door), "at most 131072 bytes", Got::kBytes, payload.size()});
    return false;
  }
  if (!read_fields(payload)) {
    error = not_json(as_text(payload), door);
    return false;
  }
  if (fault != JsonFault::kNone) {
    error = bad_value();
    return false;
  }
  return true;
}

bool ClientEventDecoder::State::read_fields(MutableBytes payload) {
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
  if (root != ondemand::json_type::object) return false;
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
    const Field field = field_of(name);
    if (!read_field(field, value, has_escapes)) sound = false;
    if (field != Field::kCount) fields.mark_seen(field);
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
    const std::string_view raw = has_escapes ? value.raw_json_token() : std::string_view{};
    if (value.get_string().get(text) != simdjson::SUCCESS) return refuse_string(field, raw);
    // The payload was UTF-8 when it came; only an escape can spoil that (half a surrogate pair).
    if (has_escapes && !simdjson::validate_utf8(text.data(), text.size())) {
      return refuse_string(field, raw);
    }
    fields.set_text(field, text);
    return true;
  }
  std::string_view raw;
  if (!raw_text_of(value, type, raw)) return false;
  raw = trimmed_right(raw);
  JsonShape shape;
  const std::uint32_t depth_max = weakened(Weakness::kDeepJson) ? kScanDepthMax : kJsonDepthMax;
  if (!check_json(raw, depth_max, shape)) return refuse_value(field, raw, shape.fault);
  if (field != Field::kCount) fields.set_raw(field, raw, shape);
  return true;
}

bool ClientEventDecoder::State::refuse_string(Field field, std::string_view raw) {
  raw = trimmed_right(raw);
  JsonShape shape;
  if (check_json(raw, kJsonDepthMax, shape)) return false;
  return refuse_value(field, raw, shape.fault);
}

bool ClientEventDecoder::State::refuse_value(Field field, std::string_view raw, JsonFault found) {
  if (found == JsonFault::kSyntax) return false;
  const bool is_number = raw.front() == '-' || (raw.front() >= '0' && raw.front() <= '9');
  if (is_number && field != Field::kCount && field != Field::kData) {
    fields.set_wrong(field, Got::kNoFit);  // an error where the command wants it
  } else if (fault == JsonFault::kNone) {
    fault = found;
    fault_field = field;
  }
  return true;
}

Error ClientEventDecoder::State::bad_value() const {
  const std::string_view subject =
      fault_field == Field::kCount ? "an unknown field" : field_info(fault_field).name;
  if (fault == JsonFault::kTooDeep) {
    static_assert(kJsonDepthMax == 32);
    return refusal(ErrorCode::kInvalidField, {subject, "nested more than 32 deep"});
  }
  if (fault == JsonFault::kHalfPair) {
    return refusal(ErrorCode::kBadJson, {subject, "Unicode text", Got::kHalfPair});
  }
  return refusal(ErrorCode::kInvalidField,
                 {subject, "numbers that fit 64 bits or a finite double", Got::kLarger});
}

Error ClientEventDecoder::State::not_json(std::string_view text, Door door) const {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return empty(door);
  const auto wrong = [door](std::string_view expected, Got got, std::uint64_t number = 0) {
    return refusal(ErrorCode::kBadJson, {subject(door), expected, got, number});
  };
  if (!simdjson::validate_utf8(text.data(), text.size())) return wrong("JSON", Got::kNotUtf8);
  JsonShape shape;
  // As deep as the scanner goes: what is no JSON in the end is not to be called too deep.
  if (check_json(text, kScanDepthMax, shape)) {
    if (shape.kind != JsonKind::kObject) return wrong("a JSON object", got_of(shape.kind));
    return wrong("JSON", Got::kOther);
  }
  if (shape.fault == JsonFault::kHalfPair) return wrong("Unicode text", Got::kHalfPair);
  if (shape.fault != JsonFault::kSyntax) return wrong("JSON", Got::kOther);
  if (shape.fault_at == text.size()) return wrong("JSON", Got::kEndTooEarly);
  return wrong("JSON", Got::kOtherByte, shape.fault_at);
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

ClientEventDecoder::ClientEventDecoder() : state_(std::make_unique<State>()) {}
ClientEventDecoder::~ClientEventDecoder() = default;

Result<Decoded, DecodeError> ClientEventDecoder::decode(MutableBytes payload, Now now) {
  const bool read = state_->read(payload, Door::kWebSocket);
  RequestId id;
  const bool id_is_valid = state_->take_id(id);
  if (!read) return Err{DecodeError{.error = state_->error, .id = std::move(id)}};

  const CommandFields& fields = state_->fields;
  if (!id_is_valid) {
    return Err{DecodeError{.error = fields.error(Field::kId), .id = std::move(id)}};
  }
  if (fields.state(Field::kType) != FieldState::kGiven) {
    return Err{DecodeError{.error = fields.error(Field::kType), .id = std::move(id)}};
  }
  const auto type = command_type_of(fields.text(Field::kType));
  if (!type) {
    const FieldInfo& info = field_info(Field::kType);
    return Err{DecodeError{
        .error = refusal(ErrorCode::kUnknownType, {info.name, info.expected, Got::kOtherString}),
        .id = std::move(id)}};
  }
  return state_->build(*type, now, Door::kWebSocket, std::move(id));
}

Result<Decoded, DecodeError> ClientEventDecoder::decode_fields(CommandType type,
                                                               const RouteFields& route,
                                                               MutableBytes body, Now now) {
  const auto refuse = [](const Error& why) { return Err{DecodeError{.error = why, .id = {}}}; };
  if (body.empty()) {
    state_->fields.clear();
  } else if (!state_->read(body, Door::kRest)) {
    return refuse(state_->error);
  }
  // The one free text of a path: percent escapes can spell any byte, and what is stored is shown to all.
  if (!is_clean_text(route.emoji)) {
    return refuse(refusal(
        ErrorCode::kInvalidField,
        {field_info(Field::kEmoji).name, "text without control characters", Got::kOtherString}));
  }
  RequestId id;
  if (!state_->take_id(id)) return refuse(state_->fields.error(Field::kId));
  apply(route, state_->fields);
  auto decoded = state_->build(type, now, Door::kRest, std::move(id));
  // Who sends nothing is not told of one field.
  if (body.empty() && !decoded.ok() && decoded.error().error.code == ErrorCode::kMissingField) {
    return refuse(empty(Door::kRest));
  }
  return decoded;
}

Result<RegisterRequest, Error> ClientEventDecoder::decode_register(MutableBytes body) {
  auto login = decode_login(body);
  if (!login.ok()) return Err{login.error()};
  return RegisterRequest{.name = std::move(login.value().name),
                         .password = std::move(login.value().password)};
}

Result<LoginRequest, Error> ClientEventDecoder::decode_login(MutableBytes body) {
  if (!state_->read(body, Door::kRest)) return Err{state_->error};
  auto name = account_text(state_->fields, Field::kName);
  if (!name.ok()) return Err{name.error()};
  auto password = account_text(state_->fields, Field::kPassword);
  if (!password.ok()) return Err{password.error()};
  return LoginRequest{.name = std::move(name).value(), .password = std::move(password).value()};
}

Result<RefreshRequest, Error> ClientEventDecoder::decode_refresh(MutableBytes body) {
  if (!state_->read(body, Door::kRest)) return Err{state_->error};
  auto token = account_text(state_->fields, Field::kRefreshToken);
  if (!token.ok()) return Err{token.error()};
  return RefreshRequest{.refresh_token = std::move(token).value()};
}

}  // namespace uproar::chat
