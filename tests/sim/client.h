#pragma once

// A person's device: a WebSocket client over the kernel's TCP. It connects with a token, keeps cursors as a client must,
// reads at its own pace, and ends in every way in which clients end.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/kernel.h"
#include "tests/sim/oracle.h"
#include "tests/sim/words.h"

namespace uproar::sim {

class Client final : public Peer, public chat::testing::Oracle::Client {
 public:
  // All outlive it.
  Client(Kernel& kernel, chat::testing::Oracle& oracle, Listener& listener)
      : kernel_(kernel), oracle_(oracle), listener_(listener) {}
  ~Client() override;

  // How it leaves.
  enum class Leave : std::uint8_t {
    kGoodbye,  // a close frame, and waits for the answer
    kReset,    // its process ended
    kVanish    // its host did: nobody is told
  };

  // `number`: of the connection, none is used twice. Resuming is announced; the sync goes out with the handshake.
  void connect(std::uint32_t node, std::uint32_t number, const std::string& token, bool resumes,
               const std::vector<ConversationId>& conversations, std::int64_t latency_us);
  void leave(Leave how);
  void say(const chat::ClientEvent& event, std::string_view id);
  void heartbeat();
  // The node that it talks to drains: a request that is not whole by then may have no answer.
  void node_drains() { node_drains_ = true; }
  // Reads nothing until then.
  void stall(std::int64_t until_us);
  // Breaks the connection inside the handler of what it says now: the reset comes right behind the bytes.
  void say_and_break(const chat::ClientEvent& event, std::string_view id);

  [[nodiscard]] bool is_connected() const { return connection != 0; }  // or is on its way
  [[nodiscard]] std::uint32_t node() const { return node_; }
  [[nodiscard]] std::uint16_t close_code() const {
    return close_code_;
  }                                         // of the last connection; 0: none came
  [[nodiscard]] std::string state() const;  // for who reads a trace

  // Every event in its order, for who waits for an answer.
  std::function<void(const Heard&)> when_heard;
  // Its token ends soon.
  std::function<void()> when_expiring;
  // A planted bug: the texts of frames that arrive together, wrong on purpose. Empty: none.
  std::function<void(std::vector<std::string>&)> falsify_frames;
  // Something that no server may say.
  std::function<void(const std::string&)> when_wrong;

  // Peer
  void on_bytes() override;
  void on_broken() override;
  void on_sent(std::string_view bytes) override;

 private:
  void read();
  void take(std::string bytes);
  void take_frames();
  void take_text(const std::string& text);
  void gone();
  void read_soon(std::int64_t delay_us);
  void wrong(const std::string& what);

  Kernel& kernel_;
  chat::testing::Oracle& oracle_;
  Listener& listener_;
  LinkPtr link_;
  std::uint32_t node_ = 0;
  bool is_upgraded_ = false;
  bool is_leaving_ = false;  // has said goodbye
  bool node_drains_ = false;
  bool ready_was_sent_ = false;  // it has left the server
  bool reads_soon_ = false;
  std::string head_;      // of the answer to the handshake
  std::string rest_;      // not yet a whole frame
  std::string sent_end_;  // the last bytes that the server sent, for what stands across two writes
  std::int64_t stalled_until_us_ = 0;
  std::int64_t heard_at_us_ = 0;
  std::uint16_t close_code_ = 0;
};

}  // namespace uproar::sim
