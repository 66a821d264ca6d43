#pragma once

// Group commit for one lane of a shard's store (commit_lanes.h). Operations gather in the open batch while the previous
// batch is being committed; when it has, the open batch follows at once. So batches grow with load by themselves, and an
// idle server commits what one turn of the loop staged in the next turn. One batch is in flight; outcomes come in stage
// order.
//
//   stage() -> [ open batch ] -> commit -> [ in flight ] -> on_committed(outcomes)
//
// Circuit breaker: a failed commit answers kUnavailable for every row in flight and every row waiting behind it, and
// opens the circuit: stage() refuses until a timer lets a probe of a few rows through. Each failed probe doubles the
// wait (limits.h), a good one closes the circuit. A store that says that it is back is probed at once. Nobody sleeps and
// no clock is read: time is the reactor's timer.

#include <cstdint>
#include <memory>
#include <vector>

#include "proto/base/counters.h"
#include "storage/limits.h"
#include "storage/message_log.h"
#include "storage/reactor.h"

namespace uproar::storage {

// Written on the shard's thread, read from any. Lanes of one shard share them.
struct BatchWriterCounters {
  Counter rows;     // staged
  Counter batches;  // commits that worked
  Counter failed_batches;
  Counter failed_rows;  // answered kUnavailable, those that waited behind a failed batch included
  Counter refused_full;
  Counter refused_unavailable;
  Counter probes;
  Histogram batch_rows;  // rows of each batch given to the store
  Histogram
      commit_us;  // from handing a batch over to its outcomes; empty without Options::monotonic_us
  Gauge waiting_rows;  // open batch
  Gauge circuit_open;  // lanes whose circuit is open or probing
};

class BatchWriter final : public MessageLog {
 public:
  struct Options {
    std::uint32_t rows_max = kBatchRowsMax;
    std::size_t bytes_max = kBatchBytesMax;
    std::uint32_t retry_after_ms_min = kRetryAfterMsMin;
    std::uint32_t retry_after_ms_max = kRetryAfterMsMax;
    std::uint32_t probe_rows_max = kProbeRowsMax;
    std::int64_t (*monotonic_us)() = nullptr;  // for commit_us alone
  };
  // Closed: work flows. Open: refused until the timer fires. Probing: a few rows may try.
  enum class Circuit : std::uint8_t { kClosed, kOpen, kProbing };

  // `store` and `reactor` outlive the writer. All calls on the reactor's thread.
  BatchWriter(BatchStore& store, Reactor& reactor, Options options,
              std::shared_ptr<BatchWriterCounters> counters);
  // What is staged or in flight is abandoned: no outcome follows (the store may still commit it).
  ~BatchWriter() override;
  BatchWriter(const BatchWriter&) = delete;
  BatchWriter& operator=(const BatchWriter&) = delete;

  // Before the first stage(); outlives the writer. Apart from the constructor because the domain needs the log first.
  void set_listener(CommitListener& listener) { listener_ = &listener; }

  StageResult stage(Operation operation) override;
  [[nodiscard]] bool has_room(ConversationId conversation, std::size_t rows,
                              std::size_t bytes) const override;
  [[nodiscard]] std::uint32_t retry_after_ms() const override { return retry_after_ms_; }

  // Nothing staged, nothing in flight: what a drain waits for.
  [[nodiscard]] bool is_idle() const { return open_.empty() && in_flight_.empty(); }
  [[nodiscard]] Circuit circuit() const { return circuit_; }
  [[nodiscard]] const BatchWriterCounters& counters() const { return *counters_; }

 private:
  [[nodiscard]] bool fits(std::size_t rows, std::size_t bytes) const;
  void close_batch_soon();
  void close_batch();
  void batch_committed(std::vector<Outcome> outcomes);
  void batch_failed();
  void open_circuit();
  void retry_time_reached();
  void store_recovered();

  BatchStore& store_;
  Reactor& reactor_;
  const Options options_;
  CommitListener* listener_ = nullptr;

  std::vector<Operation> open_;
  std::size_t open_bytes_ = 0;
  std::vector<Ticket> in_flight_;  // tickets of the batch with the store; empty: none
  std::int64_t committing_since_us_ = 0;
  bool closing_soon_ = false;

  Circuit circuit_ = Circuit::kClosed;
  std::uint32_t retry_after_ms_;
  Reactor::TimerId retry_timer_ = 0;
  bool retry_timer_armed_ = false;

  // Dies with the writer: posted tasks and commits look at it before they touch us.
  std::shared_ptr<BatchWriter*> self_;
  const std::shared_ptr<BatchWriterCounters> counters_;
};

}  // namespace uproar::storage
