#include "bench/load/ack_ledger.h"

#include <charconv>

namespace uproar::bench {

std::optional<AckLedger::Waiting> AckLedger::acknowledged(std::string_view text) {
  std::uint64_t n = 0;
  const bool is_number =
      std::from_chars(text.data(), text.data() + text.size(), n).ec == std::errc();
  const auto found = is_number ? waiting_.find(n) : waiting_.end();
  if (found == waiting_.end()) {
    ++strange_;
    return std::nullopt;
  }
  const Waiting out = found->second;
  waiting_.erase(found);
  return out;
}

}  // namespace uproar::bench
