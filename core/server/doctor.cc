#include "core/server/doctor.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/runtime/probe.h"
#include "core/server/build_posture.h"
#include "core/server/posture.h"
#include "proto/chat/json_writer.h"

namespace uproar::server {
namespace {

void add_text(chat::JsonWriter& json, std::string_view name, std::string_view value) {
  json.raw(name);
  json.string(value);
}

std::string as_json(const std::vector<runtime::Finding>& findings, bool fit) {
  chat::JsonWriter json;
  json.raw(fit ? std::string_view(R"({"fit":true,"findings":[)")
               : std::string_view(R"({"fit":false,"findings":[)"));
  std::string_view comma;
  for (const runtime::Finding& finding : findings) {
    json.raw(comma);
    comma = ",";
    add_text(json, R"({"name":)", finding.name);
    add_text(json, R"(,"status":)", runtime::status_name(finding.status));
    json.raw(R"(,"required":)");
    json.boolean(finding.required);
    json.raw(R"(,"errno":)");
    json.number(static_cast<std::uint64_t>(finding.code));
    add_text(json, R"(,"detail":)", finding.detail);
    add_text(json, R"(,"remedy":)", finding.remedy);
    json.raw('}');
  }
  json.raw("]}\n");
  return std::string(json.text());
}

std::string as_table(const std::vector<runtime::Finding>& findings, bool fit) {
  std::size_t width = 0;
  for (const runtime::Finding& finding : findings) width = std::max(width, finding.name.size());
  std::string out;
  const auto line = [&](std::string_view status, std::string_view name, std::string_view text) {
    out.append(status).append(10 - status.size(), ' ');
    out.append(name).append(width + 2 - name.size(), ' ');
    out.append(text).append("\n");
  };
  for (const runtime::Finding& finding : findings) {
    line(runtime::status_name(finding.status), finding.name, finding.detail);
    if (finding.remedy.empty()) continue;
    std::string advice = "try: ";
    advice += finding.remedy;
    line("", "", advice);
  }
  out += fit ? "\nuproar runs here.\n" : "\nuproar does not run here: see what is missing above.\n";
  return out;
}

}  // namespace

DoctorReport examine_machine(std::uint32_t shards, bool json) {
  // The child that tries what cannot be taken back is made before anything has a thread.
  const auto posture = try_confine(posture_of(Config{}));
  auto findings = runtime::probe_features({.shards = shards});
  findings.insert(findings.end(), posture.begin(), posture.end());
  const auto build = build_findings();
  findings.insert(findings.end(), build.begin(), build.end());
  const bool fit = runtime::require_features(findings).ok();
  return {.fit = fit, .text = json ? as_json(findings, fit) : as_table(findings, fit)};
}

}  // namespace uproar::server
