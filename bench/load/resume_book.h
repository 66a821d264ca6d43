#pragma once

// What each client needs to come back after its connection broke: the cursor that it says, and what it had said without being answered.
// Hot path: heard() per delivery. Allocations: 0 but for texts that wait for their answer.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace uproar::bench {

class ResumeBook {
 public:
  struct Send {
    std::uint64_t n = 0;  // number of the publish
    std::string text;
  };

  // `marker`: what stands before the number of an event ('"seq":'), in text of the server's own, never in what clients say. Empty: no book is kept.
  ResumeBook(std::uint32_t clients, std::string_view marker)
      : marker_(marker), cursors_(marker.empty() ? 0 : clients), unanswered_(cursors_.size()) {}

  [[nodiscard]] bool is_kept() const { return !cursors_.empty(); }

  // The highest number behind a marker in `payload` moves the client's cursor; never back.
  void heard(std::uint32_t client, std::string_view payload);
  // 0: it has heard nothing.
  [[nodiscard]] std::uint64_t cursor(std::uint32_t client) const { return cursors_[client]; }

  void said(std::uint32_t client, std::uint64_t n, std::string_view text);
  // `answer` begins with the number.
  void answered(std::uint32_t client, std::string_view answer);
  // In the order in which they were said.
  [[nodiscard]] std::span<const Send> unanswered(std::uint32_t client) const {
    return unanswered_[client];
  }

 private:
  std::string marker_;
  std::vector<std::uint64_t> cursors_;  // by client, as the next one
  std::vector<std::vector<Send>> unanswered_;
};

}  // namespace uproar::bench
