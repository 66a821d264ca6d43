#pragma once

// Who hears what on this shard, and what they have not been sent yet. Knows no sockets: a member is a number (the
// connection's slot) and sending is what the caller does in serve().
//
// Hot path: per recipient. Budget in serve(): allocations 0, locks 0, virtual calls 0, reference counts 0; 12 bytes
// of member touched in sequence. Per publish: one copy of the frame into the topic's run.
//
//   frames published and not yet served to all:      run_base            end
//     run (plain)     [ frame | frame | frame ]         v                 v
//     run (deflated)  [ frame | frame | frame ]        ---- numbers ----->
//     members         [ slot, link, served ] [ ... ] [ ... ]
//                             ^ cursor: `remaining` members from here on may have served != end
//
// The moving window of docs/rings.md, "The loop's policy": serving a member sends the one contiguous range [served,
// end) of the run of its variant, so frames that arrive while the cursor goes round leave with the next member and are
// owed to those behind it.
//
// Whose turn it is, as RFC 8290 section 4.1 has it for flows: active topics stand in two lists, first come first served.
// A topic that was at rest joins the new ones for kNewTopicSends members, enough for a small room; what it owes then it
// sends among the old ones, a quantum at a time. New topics go first but leave the old ones a part of every batch, so a
// conversation of two waits for no large room and no number of small ones stops a large one.
//
// What everybody was served is forgotten in confirm(), which the caller invokes when no byte of it can still be needed,
// that is after the completions of the last batch have been seen: the whole run when the topic came to rest, its front
// when the cursor has gone once round a topic that never does.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/net/handler.h"
#include "core/net/limits.h"
#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/base/shared_bytes.h"

namespace uproar::net {

enum class SubscribeOutcome : std::uint8_t {
  kFirst,  // added; nobody on this shard heard the topic before
  kAdded,
  kAlready,
  kTooMany,  // kTopicsPerConnectionMax
  kGone,     // no such open connection
};

enum class UnsubscribeOutcome : std::uint8_t {
  kLast,  // removed; nobody on this shard hears the topic any more
  kRemoved,
  kNotThere,
};

enum class Variant : std::uint8_t { kPlain, kDeflated };

// A connection's place in the table: head of its list of memberships.
struct TopicLinks {
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  std::uint32_t head = kNone;
  std::uint32_t count = 0;
};

class TopicTable {
 public:
  static constexpr std::uint32_t kNone = TopicLinks::kNone;

  // Frames [first, end) of a topic, by number (numbers wrap; only their differences mean anything).
  struct Window {
    // Index, valid until confirm() after the topic lost its last member.
    std::uint32_t topic = kNone;
    std::uint32_t first = 0;
    std::uint32_t end = 0;

    [[nodiscard]] bool empty() const { return first == end; }
  };

  struct Frame {
    SharedBytes plain;
    SharedBytes deflated;       // empty: the plain one serves both variants
    std::uint32_t plain_begin;  // offset in all that was ever put into the plain run (wraps)
    std::uint32_t deflated_begin;
    DeliveryClass cls;

    [[nodiscard]] const SharedBytes& bytes(Variant variant) const {
      return variant == Variant::kDeflated && !deflated.empty() ? deflated : plain;
    }
  };

  struct PublishResult {
    std::uint32_t topic = kNone;  // kNone: nobody hears it
    bool run_full = false;        // the run has passed kRunFramesMax or kRunBytesMax: call spill()
  };

  TopicTable();
  ~TopicTable();
  TopicTable(const TopicTable&) = delete;
  TopicTable& operator=(const TopicTable&) = delete;

  // --- Members ------------------------------------------------------------------------------------------------------

  SubscribeOutcome subscribe(TopicLinks& links, std::uint32_t slot, Variant variant,
                             const TopicId& topic);

  // Removes the membership. What it had not been served is returned in `pending`, readable until confirm().
  UnsubscribeOutcome unsubscribe(TopicLinks& links, Variant variant, const TopicId& topic,
                                 Window* pending);

  // Removes all memberships and forgets what they had not been served.
  void unsubscribe_all(TopicLinks& links, Variant variant) {
    while (links.head != kNone) {
      const TopicId id = topics_[links_[links.head].topic].id;
      Window pending;
      (void)unsubscribe(links, variant, id, &pending);
    }
  }

  // Takes what one member of one topic has not been served: it counts as served afterwards. An empty window when it is
  // no member.
  [[nodiscard]] Window take_pending(const TopicLinks& links, const TopicId& topic);
  // The same for every topic of the connection: take(const Window&) per non-empty window.
  template <class Take>
  void take_all_pending(const TopicLinks& links, Take&& take) {
    for (std::uint32_t at = links.head; at != kNone; at = links_[at].next) {
      const Window window = take_of_link(at);
      if (!window.empty()) take(window);
    }
  }

  [[nodiscard]] bool is_subscribed(const TopicLinks& links, const TopicId& topic) const;
  [[nodiscard]] std::uint32_t subscriber_count(const TopicId& topic) const;
  // f(slot) for each, in no order; it may not subscribe or unsubscribe.
  template <class F>
  void for_each_subscriber(const TopicId& topic, F&& f) const {
    const std::uint32_t index = index_of(topic);
    if (index == kNone) return;
    for (std::uint32_t i = 0; i < topics_[index].member_count; ++i)
      f(topics_[index].members[i].slot);
  }
  [[nodiscard]] std::size_t topic_count() const { return by_id_.size(); }

  // --- Publishing ---------------------------------------------------------------------------------------------------

  // Appends to the topic's run. REQUIRES: no unsubmitted send points into a run (appending may move it).
  PublishResult publish(const TopicId& topic, const EncodedMessage& message, DeliveryClass cls);
  // Would publish() exceed the run's bound? For lossy frames, which are then refused instead.
  [[nodiscard]] bool run_is_full(const TopicId& topic) const;
  // `member` (if it is one) counts as served up to the end: it will not hear the newest frame. Call take_pending()
  // before publish() so that earlier frames are not lost.
  void mark_served(const TopicLinks& links, const TopicId& topic);

  // Hands every pending window of the topic to take(slot, window), whatever the cursor; afterwards nobody is owed.
  template <class Take>
  void spill(std::uint32_t topic_index, Take&& take) {
    Topic& topic = topics_[topic_index];
    for (std::uint32_t i = 0; i < topic.member_count; ++i) {
      Member& member = topic.members[i];
      if (member.served == topic.end) continue;
      const Window window{topic_index, member.served, topic.end};
      member.served = topic.end;
      take(member.slot, window);
    }
    topic.remaining = 0;
    if (topic.run) {
      topic.run->frames_spilled = topic.run->frames.size();
      topic.run->bytes_spilled = topic.run->plain.size();
    }
  }

  // --- Serving ------------------------------------------------------------------------------------------------------

  [[nodiscard]] bool active() const { return new_.head != kNone || old_.head != kNone; }

  // Serves members of active topics until `sends_max` calls of deliver() returned true (a send was used) or
  // kBatchVisitsMax members were looked at. deliver(slot, Window) may neither subscribe nor unsubscribe nor publish.
  // prefetch(slot) is called some members ahead.
  template <class Deliver, class Prefetch>
  void serve(std::uint32_t sends_max, Deliver&& deliver, Prefetch&& prefetch) {
    constexpr std::uint32_t kAhead = 4;
    const std::uint32_t new_sends_max = sends_max - sends_max / kOldTopicsPart;
    std::uint32_t sends = 0;
    std::uint32_t visits = 0;
    while (active() && sends < sends_max && visits < kBatchVisitsMax) {
      const bool old_is_next = new_.head == kNone || (old_.head != kNone && sends >= new_sends_max);
      const std::uint32_t index = old_is_next ? old_.head : new_.head;
      const std::uint32_t enough = old_is_next || old_.head == kNone ? sends_max : new_sends_max;
      Topic& topic = topics_[index];
      const std::uint32_t end = topic.end;
      while (topic.remaining > 0 && sends < enough && topic.quantum_left > 0 &&
             visits < kBatchVisitsMax) {
        if (topic.cursor >= topic.member_count) topic.cursor = 0;
        if (topic.cursor + kAhead < topic.member_count)
          prefetch(topic.members[topic.cursor + kAhead].slot);
        Member& member = topic.members[topic.cursor++];
        --topic.remaining;
        ++visits;
        if (--topic.lap_left == 0) end_lap(index);
        if (member.served == end) continue;
        const Window window{index, member.served, end};
        member.served = end;
        --topic
              .quantum_left;  // also for who is blocked and gets a reference: it is work like another
        if (deliver(member.slot, window)) ++sends;
      }
      if (topic.remaining == 0) {
        retire(index);
      } else if (topic.quantum_left == 0) {
        grow_old(index);
      }
    }
  }

  // One contiguous range of the run: what a member of `variant` is owed. Dies with the next publish() or confirm().
  [[nodiscard]] ByteView bytes(const Window& window, Variant variant) const {
    const Topic& topic = topics_[window.topic];
    const Run& run = *topic.run;
    const Frame& first = run.frames[window.first - topic.run_base];
    const std::size_t after = window.end - topic.run_base;
    const bool is_last = after >= run.frames.size();
    if (variant == Variant::kPlain) {
      const std::size_t begin = first.plain_begin - run.plain_origin;
      const std::size_t end =
          is_last ? run.plain.size() : run.frames[after].plain_begin - run.plain_origin;
      return ByteView(run.plain).subspan(begin, end - begin);
    }
    const std::size_t begin = first.deflated_begin - run.deflated_origin;
    const std::size_t end =
        is_last ? run.deflated.size() : run.frames[after].deflated_begin - run.deflated_origin;
    return ByteView(run.deflated).subspan(begin, end - begin);
  }
  // The frames themselves, for those that must keep references. Dies like bytes().
  [[nodiscard]] std::span<const Frame> frames(const Window& window) const {
    const Topic& topic = topics_[window.topic];
    return std::span<const Frame>(topic.run->frames)
        .subspan(window.first - topic.run_base, window.end - window.first);
  }

  // A number that stays with a topic while it has members; tags held and queued frames. 0 is no topic's.
  [[nodiscard]] std::uint32_t tag(std::uint32_t topic_index) const {
    return topics_[topic_index].tag;
  }
  [[nodiscard]] const TopicId& id(std::uint32_t topic_index) const {
    return topics_[topic_index].id;
  }
  // 0 when the topic does not exist.
  [[nodiscard]] std::uint32_t tag_of(const TopicId& topic) const;

  // The last batch is past: runs that everybody was served are emptied or given back.
  void confirm();

  [[nodiscard]] std::size_t memory_bytes() const;
  // Frames that the topic keeps at the moment.
  [[nodiscard]] std::size_t run_frames(const TopicId& topic) const;

 private:
  struct Member {
    std::uint32_t slot;
    std::uint32_t link;    // back reference into links_
    std::uint32_t served;  // number of the first frame that it has not been served
  };
  static_assert(sizeof(Member) == 12, "the fan-out loop walks these in order");

  // One membership as its connection sees it.
  struct Link {
    std::uint32_t topic;
    std::uint32_t member;  // index in the topic's members
    std::uint32_t next;    // of the same connection, or of the free list
  };
  static_assert(sizeof(Link) == 12);

  struct Run {
    std::vector<Frame> frames;
    std::vector<std::byte> plain;
    std::vector<std::byte> deflated;
    std::uint32_t plain_origin = 0;  // Frame::plain_begin of the first byte that is still here
    std::uint32_t deflated_origin = 0;
    std::size_t frames_spilled = 0;  // up to here everybody was given references
    std::size_t bytes_spilled = 0;

    [[nodiscard]] bool full() const {
      return frames.size() - frames_spilled >= kRunFramesMax ||
             plain.size() - bytes_spilled >= kRunBytesMax;
    }
  };

  struct Topic {
    TopicId id;
    Member* members = nullptr;  // capacity is a power of two, at least 1
    std::uint32_t member_count = 0;
    std::uint32_t member_capacity = 0;
    std::unique_ptr<Run> run;    // only while something is pending or unconfirmed
    std::uint32_t run_base = 0;  // number of run->frames[0]
    std::uint32_t end = 0;       // number after the newest frame
    std::uint32_t cursor = 0;
    std::uint32_t remaining = 0;
    std::uint32_t quantum_left = 0;
    std::uint32_t lap_left = 0;  // visits until everybody was served up to lap_mark
    std::uint32_t lap_mark = 0;
    std::uint32_t trim_to = 0;  // frames before it may go in confirm()
    std::uint32_t deflate_members = 0;
    std::uint32_t next = kNone;  // active list; free list
    std::uint32_t previous = kNone;
    std::uint32_t tag = 0;
    bool is_active = false;
    bool is_new = false;      // stands in new_, not in old_
    bool is_retired = false;  // stands in retired_: confirm() looks at its run
    bool is_dead = false;     // no member left; freed in confirm()
  };
  static_assert(sizeof(Topic) <= 96);

  struct List {  // through Topic::next and previous
    std::uint32_t head = kNone;
    std::uint32_t tail = kNone;
  };

  [[nodiscard]] std::uint32_t find_link(const TopicLinks& links, std::uint32_t topic_index) const;
  [[nodiscard]] std::uint32_t index_of(const TopicId& topic) const;
  [[nodiscard]] Window take_of_link(std::uint32_t link);
  std::uint32_t new_topic(const TopicId& id);
  std::uint32_t new_link();
  void add_member(Topic& topic, Member member);
  void remove_member(Topic& topic, std::uint32_t at);
  void begin_lap(Topic& topic);
  void end_lap(std::uint32_t index);
  static void trim(Topic& topic);
  void retire(std::uint32_t index);
  void activate(std::uint32_t index);
  void grow_old(std::uint32_t index);
  [[nodiscard]] List& list_of(const Topic& topic) { return topic.is_new ? new_ : old_; }
  void push_back(std::uint32_t index);
  void unlink(std::uint32_t index);
  void note_retired(std::uint32_t index);
  void free_topic(std::uint32_t index);
  std::unique_ptr<Run> take_run();
  void give_back(std::unique_ptr<Run> run);

  absl::flat_hash_map<TopicId, std::uint32_t> by_id_;
  std::vector<Topic> topics_;
  std::deque<Link> links_;  // grows in pieces: half of a vector would stand empty
  std::uint32_t free_topic_ = kNone;
  std::uint32_t free_link_ = kNone;
  List new_;
  List old_;
  std::uint32_t next_tag_ = 1;
  std::vector<std::uint32_t> retired_;
  std::vector<std::unique_ptr<Run>> spare_runs_;
  std::size_t member_bytes_ = 0;
};

}  // namespace uproar::net
