#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "core/server/config.h"
#include "core/server/last_words.h"
#include "core/server/log.h"
#include "core/server/posture.h"
#include "core/server/server.h"
#include "tools/command.h"

extern char** environ;

namespace uproar::tools {
namespace {

std::vector<std::pair<std::string, std::string>> environment() {
  std::vector<std::pair<std::string, std::string>> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos)
      out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

// The last step of a start. What is missing is a warning of its own: the line at info may be switched off.
void give_up_what_is_not_needed(const server::PostureOptions& options) {
  const auto findings = server::confine(options);
  server::log(server::LogLevel::kInfo, server::posture_line(findings));
  for (const auto& finding : findings) {
    if (finding.status == runtime::Finding::Status::kOk) continue;
    server::log(server::LogLevel::kWarn,
                "posture: " + finding.name + ": " + finding.detail +
                    (finding.remedy.empty() ? "" : ". Try: " + finding.remedy));
  }
}

}  // namespace

int serve(const std::vector<std::string>& arguments) {
  server::prepare_last_words();
  server::block_signals();
  auto config = server::read_config(
      {.arguments = arguments, .environment = environment(), .working_dir = "."});
  if (!config.ok()) {
    if (config.error().is_help) {
      std::fputs(config.error().text.c_str(), stdout);
      return 0;
    }
    std::fprintf(stderr, "uproar serve: %s\n", config.error().text.c_str());
    return 2;
  }
  server::resolve(*config);
  server::start_log(config->log_level);
  server::log(server::LogLevel::kInfo,
              "uproar " UPROAR_VERSION " with\n" + server::show_config(*config));
  const std::string host = config->listen_host.find(':') != std::string::npos
                               ? "[" + config->listen_host + "]"
                               : config->listen_host;
  server::prepare_posture(*config);
  // Asked now: what the settings name need not be readable later.
  const server::PostureOptions posture = server::posture_of(*config);
  server::Server server(std::move(config.value()));
  if (const auto started = server.start(); !started.ok()) {
    std::fprintf(stderr, "uproar serve: %s\n", started.error().text().c_str());
    return 1;
  }
  give_up_what_is_not_needed(posture);
  // Before the line that says that clients may come: who waits for that one has read this one.
  server::log(server::LogLevel::kInfo, server.admin_url().empty()
                                           ? "metrics and administration are off"
                                           : "metrics and administration on " + server.admin_url());
  server::log(server::LogLevel::kInfo,
              "listening on http://" + host + ":" + std::to_string(server.port()));
  server.run_until_signal();
  return 0;
}

}  // namespace uproar::tools
