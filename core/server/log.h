#pragma once

// Logs for operators: one line an event, to stderr, level by name. Never on a hot path, never a secret, so
// never the target of a request: its query may hold a token.

#include <string_view>

namespace uproar::server {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// `level`: trace, debug, info, warn, error or off. Colours only on a terminal.
void start_log(std::string_view level);
void log(LogLevel level, std::string_view text);

}  // namespace uproar::server
