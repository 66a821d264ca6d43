#pragma once

// Hot path: per frame and per recipient. Budget per recipient that takes everything at once: allocations 0, locks 0,
// virtual calls 0, reference counts 0, log lines 0; one member (12 bytes, in sequence), one Connection (two cache lines),
// one record (24 bytes) and one submission entry. A recipient that is blocked costs a reference and 24 bytes a frame.
//
// A socket is written at most once per batch. Between two batches the caller has submitted the first and handed over
// the completions, so what a short send left behind is known, queued, and goes out before anything newer.

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "core/net/shard_core.h"
#include "proto/base/check.h"

namespace uproar::net {

// --- The turn's end -------------------------------------------------------------------------------------------------

template <class Io>
bool ShardCore<Io>::flush(Now now) {
  now_ = now;
  ++turn_;
  turn_units_ = 0;
  if (!batch_settled()) return true;
  confirm_batch();
  rearm_starved();
  report();

  write_dirty();
  serve_topics();
  unsubmitted_ = !batch_.empty();
  to_hand_over_ = 0;
  handed_over_ = 0;
  const bool more = topics_.active() || !dirty_.empty() || !doomed_.empty() || !ended_.empty() ||
                    !resume_.empty() || !drained_ids_.empty();
  if (!topics_.active()) batch_sends_max_ = kBatchSendsMin;
  const bool soon = std::exchange(confirm_soon_, false);
  // A starved connection is re-armed as buffers come back, which no completion of its own will tell.
  return more || soon || (!starved_.empty() && io_.buffers_free() > 0);
}

// Have all completions that the last batch may have posted been handed over? They were in the queue when the first
// completion after it was (its submit posted them), so it is enough to have seen as many as were there then.
template <class Io>
bool ShardCore<Io>::batch_settled() {
  if (batch_.empty()) return true;
  if (unsubmitted_) submit_queued();
  return io_.ready() == 0 || (to_hand_over_ > 0 && handed_over_ >= to_hand_over_);
}

template <class Io>
void ShardCore<Io>::confirm_batch() {
  for (const std::uint16_t index : written_) {
    const SendRecord record = batch_[index];
    if (record.done) continue;
    Connection* c = table_.find(record.slot, record.generation);
    if (c == nullptr || c->egress == nullptr || !c->egress->in_flight()) continue;
    c->egress->end_write_whole(egress_budget_);
    after_write(record.slot, *c);
  }
  written_.clear();
  batch_.clear();
  iovecs_used_ = 0;
  batch_no_ = batch_no_ == UINT32_MAX ? 1 : batch_no_ + 1;
  topics_.confirm();
  counters_.egress_bytes.set(static_cast<std::int64_t>(egress_budget_.used));
}

// Everything that calls the handler, before a send of this turn is queued: what it publishes may move runs.
template <class Io>
void ShardCore<Io>::report() {
  for (const ConnectionId id : std::exchange(doomed_, {})) {
    Connection* c = find(id);
    if (c == nullptr || !c->doomed) continue;
    if (c->state == ConnectionState::kOpen) close_slow(id.slot, *c);
    if (c->state == ConnectionState::kHttp) end(id.slot, *c);  // its answer is cut short
  }
  shed_input();
  // Each that waits now has one turn, in the order in which they came; the others stay where they are.
  for (std::size_t left = resume_.size(); left > 0 && turn_units_ < kShardTurnUnits; --left) {
    const ConnectionId id = resume_.front();
    resume_.pop_front();
    Connection* c = find(id);
    if (c == nullptr || !c->resume) continue;
    const bool can_wait = c->state <= ConnectionState::kCloseSent;
    if (can_wait && had_its_turn(*c)) {
      resume_.push_back(id);  // what it keeps is not touched
    } else if (can_wait && keeps_input(*c) && owes_us(*c) > 0) {
      c->resume = false;
      defer(id.slot, *c);  // likewise
    } else {
      resume_reading(id.slot, *c);
    }
  }
  for (const ConnectionId id : std::exchange(drained_ids_, {})) {
    if (find_open(id) != nullptr) handler_.on_drained(id);
  }
  for (const std::uint32_t slot : std::exchange(ended_, {})) drop_connection(slot, table_[slot]);
  if (accept_paused_) arm_listeners();
}

// --- Batches --------------------------------------------------------------------------------------------------------

template <class Io>
void ShardCore<Io>::write_dirty() {
  std::size_t done = 0;
  for (; done < dirty_.size() && batch_.size() < kBatchSendsMax && iovecs_used_ < kBatchIovecsMax;
       ++done) {
    const ConnectionId id = dirty_[done];
    Connection* c = find(id);
    if (c == nullptr || !c->dirty) continue;
    const bool waits = c->egress == nullptr || c->egress->empty() || c->blocked ||
                       c->state >= ConnectionState::kLingering;
    // One write for what was said to it and for what it hears. Dirty until then, or it would be listed once more.
    if (!waits) queue_pending(id.slot, *c);
    c->dirty = false;
    if (waits) continue;

    iovec* vectors = iovecs_.data() + iovecs_used_;
    const std::uint32_t count =
        c->egress->begin_write(vectors, std::min(kGatherFramesMax, kBatchIovecsMax - iovecs_used_));
    if (count == 1) {
      io_.send(id.slot, {static_cast<const std::byte*>(vectors[0].iov_base), vectors[0].iov_len},
               key(runtime::OpKind::kSend, id.slot, *c));
    } else {
      msghdr& message = messages_[written_.size()];
      message = {};
      message.msg_iov = vectors;
      message.msg_iovlen = count;
      io_.send_gather(id.slot, &message, key(runtime::OpKind::kSend, id.slot, *c));
      counters_.gathers.add();
      iovecs_used_ += count;
    }
    counters_.sends.add();
    c->batch = batch_no_;
    c->batch_index = static_cast<std::uint16_t>(batch_.size());
    written_.push_back(c->batch_index);
    batch_.push_back({.slot = id.slot, .generation = id.generation, .window = {}});
    // Its owner waits for the end of this write: to say FIN, to send the rest, or to tell the handler.
    confirm_soon_ = confirm_soon_ || c->state == ConnectionState::kDraining ||
                    c->egress->above_low_water || c->egress->size() > count;
  }
  dirty_.erase(dirty_.begin(), dirty_.begin() + static_cast<std::ptrdiff_t>(done));
}

template <class Io>
void ShardCore<Io>::serve_topics() {
  if (!topics_.active()) return;
  const std::uint32_t batch_no = batch_no_;
  std::uint64_t deliveries = 0;
  std::uint64_t sends = 0;
  const auto deliver = [&](std::uint32_t slot, const Window& window) {
    Connection& c = table_[slot];
    if (c.slow_path || c.batch == batch_no || c.state != ConnectionState::kOpen) [[unlikely]] {
      queue_window(slot, c, window);
      return false;
    }
    io_.send(slot, topics_.bytes(window, variant_of(c)), key(runtime::OpKind::kSend, slot, c));
    ++sends;
    deliveries += window.end - window.first;
    c.batch = batch_no;
    c.batch_index = static_cast<std::uint16_t>(batch_.size());
    batch_.push_back({.slot = slot, .generation = c.generation, .window = window});
    return true;
  };
  const auto prefetch = [this](std::uint32_t slot) { __builtin_prefetch(&table_[slot]); };
  topics_.serve(batch_sends_max_, deliver, prefetch);
  counters_.deliveries.add(deliveries);
  counters_.sends.add(sends);
  // 16, 32 ... 128, and from 16 again: the first looks at the completion queue come early, the later ones seldom.
  batch_sends_max_ = batch_sends_max_ >= kBatchSendsMax ? kBatchSendsMin : batch_sends_max_ * 2;
}

template <class Io>
void ShardCore<Io>::submit_queued() {
  if (!unsubmitted_) return;
  io_.submit();
  unsubmitted_ = false;
}

template <class Io>
void ShardCore<Io>::after_write(std::uint32_t slot, Connection& c) {
  EgressQueue& queue = *c.egress;
  if (queue.above_low_water && queue.unsent_bytes() <= options_.egress_low_water_bytes) {
    queue.above_low_water = false;
    if (c.state == ConnectionState::kHttp)
      resume_http(slot, c);
    else
      drained_ids_.push_back(id_of(slot, c));
  }
  if (!queue.empty()) {
    mark_dirty(slot, c);
    return;
  }
  egress_pool_.give_back(std::exchange(c.egress, nullptr));
  c.slow_path = c.held != nullptr;
  if (c.state == ConnectionState::kDraining) finish_draining(slot, c);
}

template <class Io>
void ShardCore<Io>::wait_writable(std::uint32_t slot, Connection& c) {
  c.blocked = true;
  if (c.poll_armed) return;
  c.poll_armed = true;
  io_.poll_writable(slot, key(runtime::OpKind::kWritable, slot, c));
}

// A send came back short, refused or failed. The only place where the two kinds of record differ afterwards.
template <class Io>
void ShardCore<Io>::on_send_trouble(const runtime::Completion& completion) {
  const std::uint32_t slot = completion.key.slot;
  Connection* c = table_.find(slot, completion.key.generation);
  if (c == nullptr || c->state >= ConnectionState::kLingering) {
    counters_.stale_completions.add();
    return;
  }
  if (completion.result < 0 && completion.result != -EAGAIN) {
    end(slot, *c);
    return;
  }
  if (c->batch != batch_no_ || c->batch_index >= batch_.size()) {
    // It belongs to a batch that counts as sent. flush() does not let that happen unless the completion queue
    // overflowed; what this peer has been sent is not known any more.
    counters_.sends_lost_track.add();
    end(slot, *c);
    return;
  }
  SendRecord& record = batch_[c->batch_index];
  UPROAR_CHECK(record.slot == slot && !record.done, slot);
  record.done = true;
  counters_.sends_blocked.add();
  const auto taken = static_cast<std::uint64_t>(completion.result < 0 ? 0 : completion.result);

  if (record.window.topic == TopicTable::kNone) {
    if (c->egress == nullptr) return;
    c->egress->end_write(taken, egress_budget_);
    after_write(slot, *c);
  } else {
    // Frames that were published since stand behind what is left of this one: nothing was queued meanwhile for a
    // connection without a queue but by send(), which the rest must precede.
    EgressQueue* later = std::exchange(c->egress, nullptr);
    queue_unsent(slot, *c, record.window, taken, record.forget);
    if (later != nullptr) {
      if (c->egress == nullptr) {
        c->egress = later;
        c->slow_path = true;
      } else {
        c->egress->append(*later);
        egress_pool_.give_back(later);
      }
    }
  }
  if (c->egress != nullptr && c->state < ConnectionState::kLingering) wait_writable(slot, *c);
}

template <class Io>
void ShardCore<Io>::on_writable(const runtime::Completion& completion) {
  const std::uint32_t slot = completion.key.slot;
  Connection* c = table_.find(slot, completion.key.generation);
  if (c == nullptr) {
    counters_.stale_completions.add();
    return;
  }
  c->poll_armed = false;
  c->blocked = false;  // also on errors: the next send will name them
  if (c->egress != nullptr) mark_dirty(slot, *c);
  close_if_quiet(slot, *c);
}

// --- Queues ---------------------------------------------------------------------------------------------------------

template <class Io>
void ShardCore<Io>::mark_dirty(std::uint32_t slot, Connection& c) {
  if (c.dirty || c.blocked) return;
  c.dirty = true;
  dirty_.push_back(id_of(slot, c));
}

template <class Io>
void ShardCore<Io>::doom(std::uint32_t slot, Connection& c) {
  if (c.doomed) return;
  c.doomed = true;
  c.slow_path = true;
  doomed_.push_back(id_of(slot, c));
}

template <class Io>
SendOutcome ShardCore<Io>::queue_frame(std::uint32_t slot, Connection& c, const SharedBytes& frame,
                                       std::uint32_t sent, DeliveryClass cls, std::uint32_t tag) {
  if (c.doomed) return SendOutcome::kSlowReader;
  if (frame.empty()) return SendOutcome::kQueued;
  if (sent == 0) {
    if (c.egress == nullptr) {
      c.egress = egress_pool_.take();
      c.slow_path = true;
    }
    switch (c.egress->admit(frame.size(), cls, options_, egress_budget_, counters_)) {
      case Admission::kTake:
        break;
      case Admission::kDrop:
        if (c.egress->empty()) {
          egress_pool_.give_back(std::exchange(c.egress, nullptr));
          c.slow_path = c.held != nullptr;
        }
        return SendOutcome::kDropped;
      case Admission::kShardFull:
        shed_egress();
        if (c.doomed) return SendOutcome::kSlowReader;
        if (c.egress->admit(frame.size(), cls, options_, egress_budget_, counters_) ==
            Admission::kTake)
          break;
        [[fallthrough]];
      case Admission::kSlow:
        doom(slot, c);
        return SendOutcome::kSlowReader;
    }
  }
  queue_always(slot, c, frame, sent, cls, tag);
  return SendOutcome::kQueued;
}

template <class Io>
void ShardCore<Io>::queue_always(std::uint32_t slot, Connection& c, SharedBytes frame,
                                 std::uint32_t sent, DeliveryClass cls, std::uint32_t tag) {
  if (c.egress == nullptr) c.egress = egress_pool_.take();
  c.slow_path = true;
  c.egress->push(std::move(frame), sent, cls, tag, egress_budget_);
  if (c.egress->unsent_bytes() > options_.egress_low_water_bytes) c.egress->above_low_water = true;
  counters_.frames_queued.add();
  mark_dirty(slot, c);
}

// What is left of a window that was sent: `taken` bytes of it are with the kernel. A frame of which it has a part is
// always finished; `only_begun`: nothing else is.
template <class Io>
void ShardCore<Io>::queue_unsent(std::uint32_t slot, Connection& c, const Window& window,
                                 std::uint64_t taken, bool only_begun) {
  const Variant variant = variant_of(c);
  const std::uint32_t tag = topics_.tag(window.topic);
  // A close of ours comes after what was published before it; after a 4201 or a close of the peer's nothing does.
  const bool still_said =
      c.state == ConnectionState::kOpen ||
      (c.state == ConnectionState::kCloseSent && c.close_code != ws::CloseCode::kSlowReader);
  for (const TopicTable::Frame& frame : topics_.frames(window)) {
    const SharedBytes& bytes = frame.bytes(variant);
    if (taken >= bytes.size()) {
      taken -= bytes.size();
      continue;
    }
    const auto sent = static_cast<std::uint32_t>(std::exchange(taken, 0));
    if (sent > 0) {
      queue_always(slot, c, bytes, sent, frame.cls, tag);
    } else if (!only_begun && still_said) {
      (void)queue_frame(slot, c, bytes, 0, frame.cls, tag);  // published before any hold: not held
    }
  }
}

// The frames of a window as references.
template <class Io>
void ShardCore<Io>::queue_window(std::uint32_t slot, Connection& c, const Window& window) {
  const Variant variant = variant_of(c);
  const std::uint32_t tag = topics_.tag(window.topic);
  counters_.deliveries.add(window.end - window.first);
  for (const TopicTable::Frame& frame : topics_.frames(window)) {
    if (c.doomed || c.state != ConnectionState::kOpen) return;
    const SharedBytes& bytes = frame.bytes(variant);
    if (c.held != nullptr && frame.cls == DeliveryClass::kMessage) {
      hold_frame(slot, c, bytes, topics_.id(window.topic), tag);
    } else {
      (void)queue_frame(slot, c, bytes, 0, frame.cls, tag);
    }
  }
}

// What topics owe this connection goes into its queue now, so that it precedes what is said next.
template <class Io>
void ShardCore<Io>::queue_pending(std::uint32_t slot, Connection& c) {
  if (!topics_.active()) return;
  topics_.take_all_pending(c.topics, [&](const Window& window) { queue_window(slot, c, window); });
}

template <class Io>
void ShardCore<Io>::drop_queue(Connection& c) {
  if (c.egress == nullptr) return;
  submit_queued();
  c.egress->clear(egress_budget_);
  egress_pool_.give_back(std::exchange(c.egress, nullptr));
  c.slow_path = true;  // nothing is sent to it any more
}

// --- Calls from above -------------------------------------------------------------------------------------------------

template <class Io>
SendOutcome ShardCore<Io>::send(ConnectionId id, const SharedBytes& frame, DeliveryClass cls) {
  Connection* c = find_open(id);
  if (c == nullptr) return SendOutcome::kGone;
  queue_pending(id.slot, *c);
  return queue_frame(id.slot, *c, frame, 0, cls, EgressQueue::kNoTag);
}

template <class Io>
SendOutcome ShardCore<Io>::send(ConnectionId id, const EncodedMessage& message, DeliveryClass cls) {
  const Connection* c = find_open(id);
  if (c == nullptr) return SendOutcome::kGone;
  return send(id, c->deflate && !message.deflated.empty() ? message.deflated : message.plain, cls);
}

template <class Io>
SubscribeOutcome ShardCore<Io>::subscribe(ConnectionId id, const TopicId& topic) {
  Connection* c = find_open(id);
  if (c == nullptr) return SubscribeOutcome::kGone;
  return topics_.subscribe(c->topics, id.slot, variant_of(*c), topic);
}

template <class Io>
UnsubscribeOutcome ShardCore<Io>::unsubscribe(ConnectionId id, const TopicId& topic,
                                              PendingFrames pending) {
  Connection* c = find(id);
  if (c == nullptr) return UnsubscribeOutcome::kNotThere;
  const std::uint32_t tag = topics_.tag_of(topic);
  Window window;
  const UnsubscribeOutcome outcome = topics_.unsubscribe(c->topics, variant_of(*c), topic, &window);
  if (outcome == UnsubscribeOutcome::kNotThere) return outcome;
  if (pending == PendingFrames::kDeliver) {
    if (!window.empty()) queue_window(id.slot, *c, window);
    return outcome;
  }
  forget_held(*c, topic);
  if (c->egress != nullptr) {
    c->egress->forget_tag(tag, egress_budget_);
    if (c->egress->empty()) after_write(id.slot, *c);
  }
  if (c->batch == batch_no_ && c->batch_index < batch_.size()) {
    SendRecord& record = batch_[c->batch_index];
    if (record.slot == id.slot && record.window.topic == window.topic) record.forget = true;
  }
  return outcome;
}

template <class Io>
void ShardCore<Io>::forget_held(Connection& c, const TopicId& topic) {
  if (c.held == nullptr) return;
  std::erase_if(c.held->entries, [&](const HeldFrames::Entry& entry) {
    if (entry.topic != topic) return false;
    c.held->bytes -= entry.bytes.size();
    return true;
  });
}

template <class Io>
PublishOutcome ShardCore<Io>::publish(const TopicId& topic, const EncodedMessage& message,
                                      DeliveryClass cls, ConnectionId except) {
  if (topics_.subscriber_count(topic) == 0) return PublishOutcome::kNobody;
  if (cls != DeliveryClass::kMessage && topics_.run_is_full(topic)) {
    Counter& lost = cls == DeliveryClass::kEphemeral  ? counters_.dropped_ephemeral
                    : cls == DeliveryClass::kPresence ? counters_.dropped_presence
                                                      : counters_.dropped_receipt;
    lost.add();
    return PublishOutcome::kDropped;
  }
  submit_queued();  // appending may move the run
  Connection* skipped = except.is_none() ? nullptr : find_open(except);
  if (skipped != nullptr) {
    const Window owed = topics_.take_pending(skipped->topics, topic);
    if (!owed.empty()) queue_window(except.slot, *skipped, owed);
  }
  counters_.frames_published.add();
  const TopicTable::PublishResult result = topics_.publish(topic, message, cls);
  if (skipped != nullptr) topics_.mark_served(skipped->topics, topic);
  if (result.run_full) {
    counters_.runs_spilled.add();
    topics_.spill(result.topic, [this](std::uint32_t slot, const Window& window) {
      queue_window(slot, table_[slot], window);
    });
  }
  return PublishOutcome::kQueued;
}

template <class Io>
SendOutcome ShardCore<Io>::publish_to(ConnectionId id, const TopicId& topic,
                                      const EncodedMessage& message) {
  Connection* c = find_open(id);
  if (c == nullptr) return SendOutcome::kGone;
  UPROAR_CHECK(topics_.is_subscribed(c->topics, topic), id.slot);
  queue_pending(id.slot, *c);
  counters_.deliveries.add();
  const bool deflates = c->deflate && !message.deflated.empty();
  const SharedBytes& frame = deflates ? message.deflated : message.plain;
  const std::uint32_t tag = topics_.tag_of(topic);
  if (c->held == nullptr) return queue_frame(id.slot, *c, frame, 0, DeliveryClass::kMessage, tag);
  hold_frame(id.slot, *c, frame, topic, tag);
  return SendOutcome::kQueued;
}

// --- Hold -----------------------------------------------------------------------------------------------------------

template <class Io>
void ShardCore<Io>::hold(ConnectionId id) {
  Connection* c = find_open(id);
  if (c == nullptr) return;
  if (c->held != nullptr) {
    topics_.take_all_pending(c->topics, [](const Window&) {});
    *c->held = {};
    return;
  }
  queue_pending(id.slot, *c);
  c->held = std::make_unique<HeldFrames>();
  c->slow_path = true;
}

template <class Io>
void ShardCore<Io>::hold_frame(std::uint32_t slot, Connection& c, const SharedBytes& frame,
                               const TopicId& topic, std::uint32_t tag) {
  HeldFrames& held = *c.held;
  const bool fits = held.entries.size() < options_.held_frames_max &&
                    std::uint64_t{held.bytes} + frame.size() <= options_.held_bytes_max;
  if (fits) {
    held.bytes += frame.size();
    held.entries.push_back({.bytes = frame, .topic = topic, .tag = tag});
    return;
  }
  counters_.holds_overflowed.add();
  release(slot, c);
  (void)queue_frame(slot, c, frame, 0, DeliveryClass::kMessage, tag);
}

template <class Io>
void ShardCore<Io>::release(std::uint32_t slot, Connection& c) {
  const std::unique_ptr<HeldFrames> held = std::move(c.held);
  if (held == nullptr) return;
  c.slow_path = c.egress != nullptr || c.doomed;
  for (const HeldFrames::Entry& entry : held->entries) {
    (void)queue_frame(slot, c, entry.bytes, 0, DeliveryClass::kMessage, entry.tag);
  }
}

}  // namespace uproar::net
