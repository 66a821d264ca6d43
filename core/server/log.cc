#include "core/server/log.h"

#include <memory>
#include <string>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace uproar::server {

void start_log(std::string_view level) {
  auto logger = spdlog::stderr_color_mt("uproar");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::from_str(std::string(level == "warn" ? "warning" : level)));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

void log(LogLevel level, std::string_view text) {
  const spdlog::string_view_t view(text.data(), text.size());
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::debug("{}", view);
    case LogLevel::kInfo:
      return spdlog::info("{}", view);
    case LogLevel::kWarn:
      return spdlog::warn("{}", view);
    case LogLevel::kError:
      return spdlog::error("{}", view);
  }
}

}  // namespace uproar::server
