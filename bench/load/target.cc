#include "bench/load/target.h"

#include "bench/load/toml_reader.h"

namespace uproar::bench {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Placeholder::kCount)> kNames = {
    "$room", "$client", "$data", "$n", "$token", "$size", "$cursor"};
constexpr std::string_view kLineEnd = "\r\n";

// A line end after it, and one more that closes the text.
bool can_be_counted(std::string_view behind_size) {
  const std::size_t body = behind_size.find(kLineEnd);
  return body != std::string_view::npos && behind_size.size() >= body + 2 * kLineEnd.size() &&
         behind_size.ends_with(kLineEnd);
}

void insert_size(std::string& out, std::size_t at) {
  const std::size_t body = out.find(kLineEnd, at) + kLineEnd.size();
  out.insert(at, std::to_string(out.size() - kLineEnd.size() - body));
}

}  // namespace

Result<Template, std::string> Template::parse(std::string_view text) {
  Template out;
  while (!text.empty()) {
    const std::size_t at = text.find('$');
    Piece piece{.text = std::string(text.substr(0, at))};
    if (at == std::string_view::npos) {
      out.pieces_.push_back(std::move(piece));
      break;
    }
    text.remove_prefix(at);
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      if (text.starts_with(kNames[i])) piece.placeholder = static_cast<Placeholder>(i);
    }
    if (piece.placeholder == Placeholder::kCount) {
      return Err{"unknown placeholder at '" + std::string(text.substr(0, 20)) +
                 "'; there are $room, $client, $data, $n, $token, $size and $cursor"};
    }
    text.remove_prefix(kNames[static_cast<std::size_t>(piece.placeholder)].size());
    if (piece.placeholder == Placeholder::kSize && !can_be_counted(text))
      return Err{std::string("$size needs a line end behind it and another that closes the text")};
    out.pieces_.push_back(std::move(piece));
  }
  return out;
}

void Template::fill(const PlaceholderValues& values, std::string& out) const {
  std::size_t size_at = std::string::npos;
  for (const Piece& piece : pieces_) {
    out += piece.text;
    if (piece.placeholder == Placeholder::kSize)
      size_at = out.size();
    else if (piece.placeholder != Placeholder::kCount)
      out += values.of[static_cast<std::size_t>(piece.placeholder)];
  }
  if (size_at != std::string::npos) insert_size(out, size_at);
}

Result<Target, std::string> read_target(const std::string& path) {
  TomlReader file(path);
  Target target;
  const auto read_template = [&](std::string_view key, Template& into) {
    auto parsed = Template::parse(file.text(key));
    if (parsed)
      into = std::move(*parsed);
    else
      file.fault(key, parsed.error());
  };
  target.name = file.text("name");
  read_template("path", target.path);
  std::string lines;
  for (const std::string& line : file.texts("headers")) lines += line + "\r\n";
  if (auto headers = Template::parse(lines); headers)
    target.headers = std::move(*headers);
  else
    file.fault("headers", headers.error());
  target.ready = file.text("ready");
  read_template("join", target.join);
  target.joined = file.text("joined");
  read_template("publish", target.publish);
  read_template("publish_stored", target.publish_stored);
  target.stored_ack = file.text("stored_ack");
  target.error = file.text("error");
  target.groups = file.boolean("groups", false);
  read_template("resume_path", target.resume_path);
  read_template("resume", target.resume);
  target.resumed = file.text("resumed");
  target.cursor = file.text("cursor");
  read_template("heartbeat", target.heartbeat);
  target.ping = file.text("ping");
  target.pong = file.text("pong");
  target.binary = file.boolean("binary", false);
  target.gathers = file.boolean("gathers", false);
  if (target.path.empty()) file.fault("path", "must not be empty");
  if (target.publish.empty()) file.fault("publish", "must not be empty");
  if (!target.resume.empty() && (target.resumed.empty() || target.cursor.empty()))
    file.fault("resume", "needs resumed and cursor");
  if (auto fault = file.finish(); !fault.empty()) return Err{std::move(fault)};
  return target;
}

}  // namespace uproar::bench
