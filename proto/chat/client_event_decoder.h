#pragma once

// JSON -> ClientEvent (docs/protocol.md), for WebSocket messages and REST bodies alike. One decoder a shard.
//
// Hot path: per command. Allocations: only the strings and lists of the event itself. The whole text is checked, unknown
// fields too: a message is accepted exactly when it is JSON (RFC 8259), whatever it holds besides the command.
//
// Rules that hold everywhere: fields in any order; unknown ones are ignored; null means absent (except for "data", where
// it is a value, and "id", where it is an error); no field of the command is given twice; strings
// may not hold U+0000; numbers inside raw values fit 64 bits or a finite double, so no hearer's
// parser stumbles over them.
//
// An error says the field, what was expected and what came (error_detail.h). kBadJson: no JSON, no
// object, or no Unicode; JSON that is wrong in a field has the code of that field.

#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include "proto/base/bytes.h"
#include "proto/base/now.h"
#include "proto/base/result.h"
#include "proto/chat/account.h"
#include "proto/chat/client_event.h"
#include "proto/chat/command_type.h"
#include "proto/chat/error_code.h"
#include "proto/chat/limits.h"

namespace uproar::chat {

struct Decoded {
  CommandType type = CommandType::kPing;
  ClientEvent event;
  RequestId id;  // empty: none was given
};

struct DecodeError {
  Error error;   // `detail` names the field
  RequestId id;  // when it could be read before the error
};

// What a REST route knows besides the body: text from path (empty: not of this route) and query (nullopt: not given),
// percent-decoded by the caller. These win over fields of the same name in the body. Borrowed for the call.
struct RouteFields {
  std::string_view conversation_id = {};
  std::string_view message = {};  // {ref}: a seq in decimal, or a message id
  std::string_view user_id = {};
  std::string_view emoji = {};
  std::optional<std::string_view> limit = {};
  std::optional<std::string_view> before_seq = {};
  std::optional<std::string_view> after_seq = {};
  std::optional<std::string_view> after = {};
};

class ClientEventDecoder {
 public:
  ClientEventDecoder();
  ~ClientEventDecoder();
  ClientEventDecoder(const ClientEventDecoder&) = delete;
  ClientEventDecoder& operator=(const ClientEventDecoder&) = delete;

  // One WebSocket message; above kMessageBytesMax it is kTooLarge. REQUIRES: kDecodePaddingBytes
  // readable bytes follow `payload`. Nothing of it is kept. `now` turns "for_ms" into a time.
  [[nodiscard]] Result<Decoded, DecodeError> decode(MutableBytes payload, Now now);

  // The same command as a REST request: the type comes from the route, the body holds what the
  // route does not. It may be empty where nothing more is required, else that is kBadJson. A "type"
  // in the body is ignored. kTypingStart looks at "typing" too, so that one route serves both. The
  // padding rule is that of decode(); an empty body needs none.
  [[nodiscard]] Result<Decoded, DecodeError> decode_fields(CommandType type,
                                                           const RouteFields& route,
                                                           MutableBytes body, Now now);

  // Account bodies; same padding rule. Only that the strings are there and not absurd is checked.
  [[nodiscard]] Result<RegisterRequest, Error> decode_register(MutableBytes body);
  [[nodiscard]] Result<LoginRequest, Error> decode_login(MutableBytes body);
  [[nodiscard]] Result<RefreshRequest, Error> decode_refresh(MutableBytes body);

 private:
  struct
      State;  // simdjson's parser and the scratch lists; keeps simdjson.h out of everybody's headers
  std::unique_ptr<State> state_;
};

}  // namespace uproar::chat
