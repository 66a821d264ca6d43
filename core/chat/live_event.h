#pragma once

// A stored row as the event that its hearers got when it was new.

#include <optional>

#include "proto/chat/server_event.h"

namespace uproar::chat {

// nullopt for a row that has changed since: its page shows it as it stands, no event could.
[[nodiscard]] std::optional<ServerEvent> live_event_of(const Message& row);

}  // namespace uproar::chat
