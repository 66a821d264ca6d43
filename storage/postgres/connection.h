#pragma once

// One session of a shard: statements go out in pipeline mode, answers come in the order of sending. Lives on the shard's
// reactor and never blocks it; a connection that breaks, or whose server has stopped answering, is replaced.
//
// Work is sent in units. A unit ends with a Sync: without an explicit transaction its statements are one, and after an
// error the rest of it is skipped. Each unit is answered once, with the rows of each statement, or with what went wrong.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "storage/client_link.h"
#include "storage/postgres/connector.h"
#include "storage/postgres/failure.h"
#include "storage/postgres/wire.h"
#include "storage/reactor.h"

namespace uproar::storage::postgres {

struct Call {
  std::uint8_t statement = 0;  // Write or Read
  Params params{};
};

struct Answer {
  enum class End : std::uint8_t {
    kDone,    // every statement has its rows
    kFailed,  // the server refused one: what the unit did is undone, or waits for a rollback
    kLost,    // the connection ended before the answer: the unit may have been carried out, or not
    kRefused  // never sent: there is no connection
  };
  End end = End::kRefused;
  std::vector<Rows> rows{};
  Failure failure{};  // kFailed
};

class Connection {
 public:
  struct Options {
    Purpose purpose = Purpose::kRead;
    std::uint32_t answer_timeout_ms = 0;
  };
  using Answered = std::function<void(Answer)>;
  // Runs on the reactor: `why` is empty when the connection stands.
  using Changed = std::function<void(bool is_up, const std::string& why)>;

  // Begins to connect. `connector` and `reactor` outlive it.
  Connection(Connector& connector, Reactor& reactor, Options options, Changed changed);
  // Nothing is called after it; the server rolls back what is open.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // `answered` runs later on the reactor. Until the first attempt to connect has ended units wait for it; when there is
  // no connection later on they are refused.
  void send(std::vector<Call> calls, Answered answered);
  // Runs `task` in a later turn, unless the connection dies first.
  void later(Reactor::Task task) { link_->post(std::move(task)); }
  // Gives the session up for a new one, whose settings are those of now; in a later turn.
  void reopen(std::string why);
  // Units without an answer.
  [[nodiscard]] std::size_t waiting() const { return units_.size(); }
  [[nodiscard]] bool is_up() const { return connection_ != nullptr; }
  [[nodiscard]] std::uint64_t connects() const { return connects_; }

 private:
  struct Unit {
    std::vector<Call> calls{};  // kept until sent
    bool is_sent = false;
    Answer answer{};
    Answered answered{};
  };

  void connect();
  void connected(Result<ConnectionPtr, SystemError> made);
  void broken(const std::string& why);
  void stop_watching();
  void retry_later();
  void fail_units();
  bool send_unit(Unit& unit);
  void flush();
  void on_ready();
  void read_answers();
  void take(pg_result* result);
  void watch_clock();
  void arm_clock();
  void clock_ticked();

  Connector& connector_;
  Reactor& reactor_;
  const Options options_;
  const Changed changed_;

  ConnectionPtr connection_;
  bool has_tried_ = false;  // the first attempt has ended
  std::deque<Unit> units_;  // sent ones first
  Reactor::WatchId reading_ = 0;
  Reactor::WatchId writing_ = 0;
  bool is_watching_ = false;
  bool is_writing_ = false;

  // The clock runs while there is something to wait for: kTicksPerTimeout without progress are a server that is gone.
  static constexpr std::uint32_t kTicksPerTimeout = 8;
  Reactor::TimerId clock_ = 0;
  bool clock_runs_ = false;
  std::uint32_t quiet_ticks_ = 0;
  std::uint64_t progress_ = 0;
  std::uint64_t progress_at_tick_ = 0;

  std::uint32_t retry_ms_;
  Reactor::TimerId retry_ = 0;
  bool retry_armed_ = false;
  std::minstd_rand random_;
  std::uint64_t connects_ = 0;

  std::shared_ptr<ClientLink> link_;
  // Dies with the connection, which any callback may bring about.
  std::shared_ptr<Connection*> self_;
};

}  // namespace uproar::storage::postgres
