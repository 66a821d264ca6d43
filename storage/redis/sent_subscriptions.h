#pragma once

// What one server was asked to subscribe and unsubscribe and has not answered. Confirmations come in the order of what was
// sent, one for each channel; an error stands for a whole command. The link's own PING is among it, lest its error be
// taken for another's. Pure: no I/O.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace uproar::storage::redis {

class SentSubscriptions {
 public:
  struct Command {
    std::vector<std::string> channels;  // one at least
    bool is_subscribe = true;
    std::uint64_t serial = 0;  // not 0
  };

  void sent(Command command);
  void pinged();

  // The serial of the oldest command if this answers it, which brings it one answer nearer to its end; else 0.
  [[nodiscard]] std::uint64_t confirmed(std::string_view channel, bool is_subscribe);
  // Takes the oldest, which an error answers. No channels: nothing was sent.
  [[nodiscard]] Command refused();
  // An answer of either kind to a PING; anything else that is the oldest stays.
  void ping_answered();
  [[nodiscard]] bool is_ping_next() const { return !sent_.empty() && sent_.front().is_ping; }

  [[nodiscard]] std::size_t unconfirmed() const { return unconfirmed_; }  // channels
  void clear();

 private:
  struct Entry {
    Command command;
    std::size_t confirmed = 0;
    bool is_ping = false;  // no channels
  };
  std::deque<Entry> sent_;
  std::size_t unconfirmed_ = 0;
};

}  // namespace uproar::storage::redis
