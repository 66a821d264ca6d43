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

// Account bodies: above these nobody's name, password or token is meant. The real rules are
// proto/auth/names.h.
inline constexpr std::size_t kAccountTextBytesMax = 1024;

// The first thing that is wrong, in the order in which docs/protocol.md lists the fields.
[[nodiscard]] Result<ClientEvent, Error> build_command(CommandType type,
                                                       const CommandFields& fields, Now now,
                                                       Door door);

// A string of 1 to kAccountTextBytesMax bytes without U+0000, which must be there.
[[nodiscard]] Result<std::string, Error> account_text(const CommandFields& fields, Field field);

}  // namespace uproar::chat
