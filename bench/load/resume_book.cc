#include "bench/load/resume_book.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace uproar::bench {
namespace {

std::optional<std::uint64_t> number_at(std::string_view text) {
  std::uint64_t number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc())
    return std::nullopt;
  return number;
}

}  // namespace

void ResumeBook::heard(std::uint32_t client, std::string_view payload) {
  for (std::size_t at = payload.find(marker_); at != std::string_view::npos;
       at = payload.find(marker_)) {
    payload.remove_prefix(at + marker_.size());
    cursors_[client] = std::max(cursors_[client], number_at(payload).value_or(0));
  }
}

void ResumeBook::said(std::uint32_t client, std::uint64_t n, std::string_view text) {
  unanswered_[client].push_back({.n = n, .text = std::string(text)});
}

void ResumeBook::answered(std::uint32_t client, std::string_view answer) {
  const auto n = number_at(answer);
  std::erase_if(unanswered_[client], [&](const Send& send) { return send.n == n; });
}

}  // namespace uproar::bench
