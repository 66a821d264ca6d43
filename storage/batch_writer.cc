// Hot path: per message. Allocations: none of its own beyond the two vectors that swap; the posted task and the commit
// callback are per batch.
#include "storage/batch_writer.h"

#include <algorithm>
#include <utility>

#include "proto/base/check.h"

namespace uproar::storage {

BatchWriter::BatchWriter(BatchStore& store, Reactor& reactor, Options options,
                         std::shared_ptr<BatchWriterCounters> counters)
    : store_(store),
      reactor_(reactor),
      options_(options),
      retry_after_ms_(options.retry_after_ms_min),
      self_(std::make_shared<BatchWriter*>(this)),
      counters_(std::move(counters)) {
  UPROAR_CHECK(options.rows_max >= 1 && options.probe_rows_max >= 1);
  UPROAR_CHECK(options.retry_after_ms_min >= 1 &&
               options.retry_after_ms_min <= options.retry_after_ms_max);
  store_.when_recovered([guard = std::weak_ptr<BatchWriter*>(self_)] {
    const auto self = guard.lock();
    if (self) (*self)->store_recovered();
  });
}

BatchWriter::~BatchWriter() {
  if (retry_timer_armed_) reactor_.cancel_timer(retry_timer_);
}

StageResult BatchWriter::stage(Operation operation) {
  UPROAR_CHECK(listener_ != nullptr);
  const bool probe_is_away = circuit_ == Circuit::kProbing && !in_flight_.empty();
  if (circuit_ == Circuit::kOpen || probe_is_away) {
    counters_->refused_unavailable.add();
    return StageResult::kUnavailable;
  }
  if (circuit_ == Circuit::kProbing && open_.size() >= options_.probe_rows_max) {
    counters_->refused_unavailable.add();
    return StageResult::kUnavailable;
  }
  const std::size_t bytes = operation.bytes();
  if (!fits(1, bytes)) {
    counters_->refused_full.add();
    return StageResult::kFull;
  }
  open_.push_back(std::move(operation));
  open_bytes_ += bytes;
  counters_->rows.add();
  counters_->waiting_rows.add(1);
  if (in_flight_.empty()) close_batch_soon();
  return StageResult::kStaged;
}

bool BatchWriter::has_room(ConversationId, std::size_t rows, std::size_t bytes) const {
  return circuit_ != Circuit::kClosed || fits(rows, bytes);
}

// The first row always fits: a row larger than a batch would otherwise never be stored.
bool BatchWriter::fits(std::size_t rows, std::size_t bytes) const {
  return open_.empty() ||
         (open_.size() + rows <= options_.rows_max && open_bytes_ + bytes <= options_.bytes_max);
}

// Not inside stage(): what one turn of the loop stages shares one transaction.
void BatchWriter::close_batch_soon() {
  if (closing_soon_) return;
  closing_soon_ = true;
  reactor_.post([guard = std::weak_ptr<BatchWriter*>(self_)] {
    const auto self = guard.lock();
    if (!self) return;
    BatchWriter& writer = **self;
    writer.closing_soon_ = false;
    writer.close_batch();
  });
}

void BatchWriter::close_batch() {
  if (open_.empty() || !in_flight_.empty()) return;
  std::vector<Operation> batch = std::exchange(open_, {});
  open_bytes_ = 0;
  counters_->waiting_rows.add(-static_cast<std::int64_t>(batch.size()));
  in_flight_.reserve(batch.size());
  for (const Operation& operation : batch) in_flight_.push_back(operation.ticket);
  counters_->batch_rows.record(batch.size());
  if (circuit_ == Circuit::kProbing) counters_->probes.add();
  if (options_.monotonic_us != nullptr) committing_since_us_ = options_.monotonic_us();
  store_.commit(std::move(batch),
                [guard = std::weak_ptr<BatchWriter*>(self_)](std::vector<Outcome> outcomes) {
                  const auto self = guard.lock();
                  if (self) (*self)->batch_committed(std::move(outcomes));
                });
}

void BatchWriter::batch_committed(std::vector<Outcome> outcomes) {
  UPROAR_CHECK(outcomes.size() == in_flight_.size(), outcomes.size(), in_flight_.size());
  bool failed = false;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    UPROAR_CHECK(outcomes[i].ticket == in_flight_[i], i,
                 outcomes[i].ticket);  // commits return in stage order
    failed |= outcomes[i].status == OutcomeStatus::kUnavailable;
  }
  if (options_.monotonic_us != nullptr) {
    const std::int64_t took_us = options_.monotonic_us() - committing_since_us_;
    counters_->commit_us.record(static_cast<std::uint64_t>(std::max<std::int64_t>(took_us, 0)));
  }
  if (failed) {
    batch_failed();
    return;
  }
  in_flight_.clear();
  counters_->batches.add();
  if (circuit_ != Circuit::kClosed) {
    circuit_ = Circuit::kClosed;
    counters_->circuit_open.add(-1);
    retry_after_ms_ = options_.retry_after_ms_min;
  }
  // The disk starts on the next batch before we spend time telling people about this one.
  close_batch();
  listener_->on_committed(outcomes);
}

// One transaction: a single row that is unavailable means that all are. Rows that waited behind it are refused, too:
// holding them for the length of an outage would be a queue that nobody was promised.
void BatchWriter::batch_failed() {
  std::vector<Outcome> outcomes;
  outcomes.reserve(in_flight_.size() + open_.size());
  for (const Ticket ticket : in_flight_) outcomes.push_back(Outcome{.ticket = ticket});
  for (const Operation& operation : open_) outcomes.push_back(Outcome{.ticket = operation.ticket});
  counters_->waiting_rows.add(-static_cast<std::int64_t>(open_.size()));
  in_flight_.clear();
  open_.clear();
  open_bytes_ = 0;
  counters_->failed_batches.add();
  counters_->failed_rows.add(outcomes.size());
  open_circuit();
  listener_->on_committed(outcomes);
}

void BatchWriter::open_circuit() {
  const bool probe_failed = circuit_ == Circuit::kProbing;
  retry_after_ms_ = probe_failed ? std::min(retry_after_ms_ * 2, options_.retry_after_ms_max)
                                 : options_.retry_after_ms_min;
  if (circuit_ == Circuit::kClosed) counters_->circuit_open.add(1);
  circuit_ = Circuit::kOpen;
  retry_timer_armed_ = true;
  retry_timer_ = reactor_.arm_timer(retry_after_ms_, [guard = std::weak_ptr<BatchWriter*>(self_)] {
    const auto self = guard.lock();
    if (self) (*self)->retry_time_reached();
  });
}

void BatchWriter::retry_time_reached() {
  retry_timer_armed_ = false;
  circuit_ = Circuit::kProbing;
}

void BatchWriter::store_recovered() {
  if (circuit_ != Circuit::kOpen) return;
  reactor_.cancel_timer(retry_timer_);
  retry_time_reached();
}

}  // namespace uproar::storage
