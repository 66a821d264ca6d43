#include <cstdio>
#include <string>
#include <thread>

#include "core/runtime/probe.h"
#include "tools/command.h"

namespace uproar::tools {
namespace {

std::string json_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += ' ';
      continue;
    }
    out += c;
  }
  return out + "\"";
}

void print_json(const std::vector<runtime::Finding>& findings, bool fit) {
  std::printf("{\"fit\":%s,\"findings\":[", fit ? "true" : "false");
  const char* comma = "";
  for (const runtime::Finding& finding : findings) {
    std::printf("%s{\"name\":%s,\"status\":\"%s\",\"required\":%s,\"errno\":%d,\"detail\":%s,\"remedy\":%s}", comma,
                json_string(finding.name).c_str(), std::string(runtime::status_name(finding.status)).c_str(),
                finding.required ? "true" : "false", finding.code, json_string(finding.detail).c_str(),
                json_string(finding.remedy).c_str());
    comma = ",";
  }
  std::puts("]}");
}

void print_text(const std::vector<runtime::Finding>& findings, bool fit) {
  for (const runtime::Finding& finding : findings) {
    const std::string status(runtime::status_name(finding.status));
    std::printf("%-9s %-28s %s\n", status.c_str(), finding.name.c_str(), finding.detail.c_str());
    if (!finding.remedy.empty()) std::printf("%-9s %-28s try: %s\n", "", "", finding.remedy.c_str());
  }
  std::puts(fit ? "\nuproar runs here." : "\nuproar does not run here: see what is missing above.");
}

}  // namespace

int doctor(const std::vector<std::string>& arguments) {
  bool json = false;
  std::uint32_t shards = std::max(1U, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--json") {
      json = true;
    } else if (arguments[i] == "--shards" && i + 1 < arguments.size() && !arguments[i + 1].empty() &&
               arguments[i + 1].size() < 4 && arguments[i + 1].find_first_not_of("0123456789") == std::string::npos) {
      shards = std::max(1U, static_cast<std::uint32_t>(std::stoul(arguments[++i])));
    } else {
      const bool help = arguments[i] == "--help" || arguments[i] == "-h";
      std::fputs("usage: uproar doctor [--json] [--shards N]\n\n"
                 "Tries what uproar needs of the kernel and its limits, and says how to mend what is missing.\n"
                 "Exit code 0: uproar runs here; 1: it does not.\n\n"
                 "Example: uproar doctor --shards 4\n",
                 help ? stdout : stderr);
      return help ? 0 : 2;
    }
  }
  const auto findings = runtime::probe_features({.shards = shards});
  const bool fit = runtime::require_features(findings).ok();
  if (json) print_json(findings, fit);
  else print_text(findings, fit);
  return fit ? 0 : 1;
}

}  // namespace uproar::tools
