#pragma once

// Second half of decoding: filed fields -> one command. Every limit of limits.h is held here. Private to the codec.

#include <string>
#include <string_view>

#include "proto/base/now.h"
#include "proto/base/result.h"
#include "proto/chat/client_event.h"
#include "proto/chat/command_fields.h"
#include "proto/chat/command_type.h"
#include "proto/chat/error_code.h"

namespace uproar::chat {

enum class Door : std::uint8_t { kWebSocket, kRest };

// The first thing that is wrong, in the order in which docs/protocol.md lists the fields.
[[nodiscard]] Result<ClientEvent, Error> build_command(CommandType type,
                                                       const CommandFields& fields, Now now,
                                                       Door door);

// A string of `bytes_min` to `bytes_max` bytes without U+0000.
[[nodiscard]] Result<std::string, Error> required_text(const CommandFields& fields, Field field,
                                                       std::size_t bytes_min,
                                                       std::size_t bytes_max);

}  // namespace uproar::chat
