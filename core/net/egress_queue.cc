#include "core/net/egress_queue.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "proto/base/check.h"
#include "proto/base/weakness.h"

namespace uproar::net {

namespace {

std::uint32_t limit_of(DeliveryClass cls, const NetOptions& options) {
  switch (cls) {
    case DeliveryClass::kEphemeral:
      return options.egress_ephemeral_bytes_max;
    case DeliveryClass::kPresence:
      return options.egress_presence_bytes_max;
    case DeliveryClass::kReceipt:
      return options.egress_receipt_bytes_max;
    case DeliveryClass::kMessage:
      break;
  }
  return options.egress_bytes_max;
}

Counter& dropped(DeliveryClass cls, NetCounters& counters) {
  if (cls == DeliveryClass::kEphemeral) return counters.dropped_ephemeral;
  if (cls == DeliveryClass::kPresence) return counters.dropped_presence;
  return counters.dropped_receipt;
}

}  // namespace

Admission EgressQueue::admit(std::uint32_t frame_bytes, DeliveryClass cls,
                             const NetOptions& options, EgressBudget& budget,
                             NetCounters& counters) {
  const std::uint64_t cost = std::uint64_t{frame_bytes} + kEgressEntryBytes;
  const auto fits = [&] { return charged_ + cost <= limit_of(cls, options); };
  const auto shard_fits = [&] { return budget.used + cost <= options.egress_shard_bytes_max; };
  if (cls != DeliveryClass::kMessage) {
    if (fits() && shard_fits()) return Admission::kTake;
    dropped(cls, counters).add();
    return Admission::kDrop;
  }
  if (fits() && shard_fits()) return Admission::kTake;
  for (const auto lossy :
       {DeliveryClass::kEphemeral, DeliveryClass::kPresence, DeliveryClass::kReceipt}) {
    const std::uint32_t shed =
        remove_waiting([&](const Entry& entry) { return entry.cls == lossy; }, budget);
    dropped(lossy, counters).add(shed);
    if (fits() && shard_fits()) return Admission::kTake;
  }
  if (!fits() && !empty() && !weakened(Weakness::kSlowReaders)) return Admission::kSlow;
  if (!shard_fits()) return Admission::kShardFull;
  // One message larger than the whole queue may be: it waits alone. 32-bit accounting is the last bound.
  return cost < std::numeric_limits<std::uint32_t>::max() - charged_ ? Admission::kTake
                                                                     : Admission::kSlow;
}

void EgressQueue::push(SharedBytes frame, std::uint32_t sent, DeliveryClass cls, std::uint32_t tag,
                       EgressBudget& budget) {
  const std::uint32_t cost = frame.size() - sent + kEgressEntryBytes;
  charged_ += cost;
  budget.used += cost;
  entries_.push_back(
      {.bytes = std::move(frame), .sent = sent, .tag = tag, .cls = cls, .forget = false});
}

std::uint32_t EgressQueue::begin_write(iovec* iovecs, std::uint32_t iovecs_max) {
  UPROAR_CHECK(in_flight_ == 0);
  const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(size(), iovecs_max));
  for (std::uint32_t i = 0; i < count; ++i) {
    Entry& entry = entries_[head_ + i];
    // writev takes non-const pointers and does not write through them.
    iovecs[i].iov_base = const_cast<std::byte*>(entry.bytes.data()) + entry.sent;
    iovecs[i].iov_len = entry.bytes.size() - entry.sent;
  }
  in_flight_ = count;
  return count;
}

void EgressQueue::discharge(std::uint32_t bytes, EgressBudget& budget) {
  charged_ -= bytes;
  budget.used -= bytes;
}

void EgressQueue::pop_front(EgressBudget& budget) {
  Entry& entry = entries_[head_];
  discharge(entry.bytes.size() - entry.sent + kEgressEntryBytes, budget);
  entry.bytes = SharedBytes{};
  ++head_;
  if (head_ == entries_.size()) {
    entries_.clear();
    head_ = 0;
  } else if (head_ >= 64 &&
             head_ * 2 >= entries_.size()) {  // amortised: moved at most once per entry sent
    entries_.erase(entries_.begin(), entries_.begin() + head_);
    head_ = 0;
  }
}

void EgressQueue::end_write(std::uint64_t bytes, EgressBudget& budget) {
  const std::uint32_t frames = std::exchange(in_flight_, 0);
  std::uint32_t done = 0;
  while (bytes > 0) {
    UPROAR_CHECK(done < frames, bytes);  // the kernel cannot take more than it was given
    Entry& entry = entries_[head_];
    const std::uint32_t left = entry.bytes.size() - entry.sent;
    if (bytes < left) {
      entry.sent += static_cast<std::uint32_t>(bytes);
      discharge(static_cast<std::uint32_t>(bytes), budget);
      break;
    }
    bytes -= left;
    pop_front(budget);
    ++done;
  }
  remove_waiting([](const Entry& entry) { return entry.forget; }, budget);
}

void EgressQueue::end_write_whole(EgressBudget& budget) {
  for (std::uint32_t left = std::exchange(in_flight_, 0); left > 0; --left) pop_front(budget);
}

template <class Which>
std::uint32_t EgressQueue::remove_waiting(Which&& which, EgressBudget& budget) {
  const std::size_t before = entries_.size();
  std::size_t keep = head_ + in_flight_;
  for (std::size_t at = keep; at < entries_.size(); ++at) {
    Entry& entry = entries_[at];
    if (entry.sent == 0 && which(entry)) {
      discharge(entry.bytes.size() + kEgressEntryBytes, budget);
      continue;
    }
    if (keep != at) entries_[keep] = std::move(entry);
    ++keep;
  }
  entries_.resize(keep, Entry{});
  if (head_ == entries_.size()) {
    entries_.clear();
    head_ = 0;
  }
  return static_cast<std::uint32_t>(before - keep);
}

void EgressQueue::append(EgressQueue& later) {
  UPROAR_CHECK(later.in_flight_ == 0);
  for (std::size_t at = later.head_; at < later.entries_.size(); ++at)
    entries_.push_back(std::move(later.entries_[at]));
  charged_ += later.charged_;
  above_low_water = above_low_water || later.above_low_water;
  later.entries_.clear();
  later.head_ = 0;
  later.charged_ = 0;
}

void EgressQueue::forget_tag(std::uint32_t tag, EgressBudget& budget) {
  for (std::uint32_t i = 0; i < in_flight_; ++i) {
    Entry& entry = entries_[head_ + i];
    if (entry.tag == tag) entry.forget = true;
  }
  remove_waiting([&](const Entry& entry) { return entry.tag == tag; }, budget);
}

void EgressQueue::forget_all_but_begun(EgressBudget& budget) {
  for (std::uint32_t i = 0; i < in_flight_; ++i) entries_[head_ + i].forget = true;
  remove_waiting([](const Entry&) { return true; }, budget);
}

void EgressQueue::clear(EgressBudget& budget) {
  in_flight_ = 0;
  while (!empty()) pop_front(budget);
}

EgressPool::~EgressPool() {
  for (EgressQueue* queue : spare_) delete queue;
}

EgressQueue* EgressPool::take() {
  if (spare_.empty()) return new EgressQueue;
  EgressQueue* queue = spare_.back();
  spare_.pop_back();
  return queue;
}

void EgressPool::give_back(EgressQueue* queue) {
  UPROAR_CHECK(queue->empty());
  queue->above_low_water = false;
  if (spare_.size() >= kEgressQueuesKept || queue->capacity() > kEgressKeptEntriesMax) {
    delete queue;
    return;
  }
  spare_.push_back(queue);
}

}  // namespace uproar::net
