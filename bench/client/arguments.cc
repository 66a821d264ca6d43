#include "bench/client/arguments.h"

#include <algorithm>
#include <charconv>

#include "bench/client/process.h"

namespace uproar::bench {

bool Arguments::flag(std::string_view name) {
  return std::erase(words_, name) > 0;
}

void Arguments::read(std::string_view name, std::string& out) {
  const auto at = std::find(words_.begin(), words_.end(), name);
  if (at == words_.end()) return;
  if (at + 1 == words_.end()) die(usage_);
  out = *(at + 1);
  words_.erase(at, at + 2);
}

void Arguments::read(std::string_view name, std::uint32_t& out) {
  std::string text;
  read(name, text);
  if (text.empty()) return;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) die(usage_);
}

void Arguments::finish(bool valid) const {
  if (!valid || !words_.empty()) die(usage_);
}

}  // namespace uproar::bench
