#pragma once

// Sessions of this shard by the slot of their connection: what an idle one costs is what stands in Session.

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/chat/endpoint.h"
#include "core/chat/limits.h"
#include "core/chat/parcel.h"
#include "core/chat/rate_bucket.h"

namespace uproar::chat {

// What was said before session.ready: run, or refused, after it and in the same order.
struct EarlyMessage {
  Command command;  // `refused` is set: its actor alone
  std::optional<Error> refused;
};

// What a session needs until live traffic is released: so long it is held.
struct SessionStarting {
  bool resume_announced = false;
  bool audience_loaded = false;
  std::uint32_t topics_awaited = 0;  // owners that have not said yet that they know of us
  std::uint32_t checks_awaited = 0;  // owners that have not said yet whether we are members still
  std::vector<UserId> peers;
  std::vector<EarlyMessage> early;  // at most kEarlyMessagesMax
  bool hears_all = true;            // what its user is in found room
  bool reviews_presence = false;    // its user has left a conversation: `peers` may be older
  // Told as left before it hears. The audience may be older, and an owner that has forgotten the conversation
  // (MemberCheck) may not know. Of more than kEarlyLeavingsMax none: the audience is read once more.
  std::vector<ConversationId> left;
  bool reads_again = false;
  // Memberships that have changed, perhaps (nil: any). Looked up after the release, as a sync that follows may name them.
  std::vector<ConversationId> checks;

  void leave(ConversationId conversation) {
    if (std::find(left.begin(), left.end(), conversation) != left.end()) return;
    if (!audience_loaded && left.size() >= kEarlyLeavingsMax) {
      reads_again = true;
    } else {
      left.push_back(conversation);
    }
  }
  void check_later(ConversationId conversation, std::uint32_t max) {
    const bool is_there = std::any_of(checks.begin(), checks.end(), [&](ConversationId x) {
      return x == conversation || x.is_nil();
    });
    if (is_there) return;
    if (conversation.is_nil() || checks.size() >= max) {
      checks.assign(1, ConversationId());
    } else {
      checks.push_back(conversation);
    }
  }
};

// What others have put its user in since it began.
struct SessionJoinings {
  RateBucket rate;
  // Numbers in LocalTopics, pulled or heard, in which the user has done nothing on this session: at most joined_live_max.
  std::vector<std::uint32_t> unasked;
  // To be told that it does not hear them: at most kNotLiveNamedMax, and whether there are more.
  std::vector<ConversationId> not_live;
  bool more_not_live = false;
  bool is_telling = false;  // the timer runs

  [[nodiscard]] bool empty() const { return unasked.empty() && !is_telling && rate.is_unused(); }
};

// That ended what the session heard, or what a sync of it was to go on from.
struct ToldLeaving {
  ConversationId conversation;
  Seq seq = 0;
  std::int64_t at_us = 0;
};

// What a session that only listens does not have.
struct SessionExtras {
  std::optional<SessionStarting> starting;
  // Of the topics heard, users that presence.subscribe asked for; peers that are heard without asking are not among them.
  std::vector<std::uint32_t> watches;
  // A sync of these was refused for now, at this cursor: the client asks again, and until then it is told nothing of them
  // but of a joining above it. At most kSilentMax.
  absl::flat_hash_map<ConversationId, Seq> silent;
  std::vector<ToldLeaving> leavings;  // the oldest first, at most kLeavingsKeptMax
  SessionJoinings joinings;
  std::uint32_t puller = 0;         // of a sync under way; 0: none
  std::uint32_t unread_puller = 0;  // of an unread.fetch; kUnreadAsked: the store has not answered
  std::uint32_t waiting = 0;  // commands that wait at their owners: nothing more is read meanwhile
  std::uint32_t share = 0;    // token of the command that waits for the user's share; 0: none

  [[nodiscard]] bool empty() const {
    return !starting && watches.empty() && silent.empty() && leavings.empty() && joinings.empty() &&
           puller == 0 && unread_puller == 0 && waiting == 0 && share == 0;
  }
};

struct Session {
  static constexpr std::uint32_t kNone = ~0U;
  enum class State : std::uint8_t { kFree, kStarting, kReady, kClosing };

  // What a command looks at comes first, and lies together.
  UserId user;
  RateBucket commands;
  RateBucket bytes;
  std::unique_ptr<SessionExtras> extras;  // null: has none
  std::uint32_t generation = 0;
  std::uint32_t heartbeat_s = 0;  // monotonic seconds of the last frame, rounded down
  std::uint16_t pages_left = 0;   // of the lot that it may store (stored_pages_of)
  State state = State::kFree;
  std::uint8_t rate_strikes = 0;
  // It was told that its token ends: one session.refresh does not wait for what it has said before.
  bool may_refresh : 1 = false;
  // Its user may owe for pages: sync and unread.fetch ask their share first.
  bool may_owe : 1 = false;
  bool look_due = false;  // what it hears is to be compared with the store: not begun
  // So long before its token ends it is told so. 0: it has been, or is not ready.
  std::uint8_t warns_s = 0;
  std::uint8_t wheel_bucket = 0;

  SessionId id;                       // of the login whose token it lives by; ends with it
  std::vector<std::uint32_t> topics;  // numbers in LocalTopics: heard, once each
  std::uint32_t expires_s = 0;        // monotonic seconds of the end of its token
  std::uint32_t expires_at_s = 0;     // which the token says in Unix seconds; from 2106 on: then
  std::uint32_t wheel_next = kNone;   // slots: the bucket of SessionWheel that the session is in
  std::uint32_t wheel_prev = kNone;

  // Monotonic seconds at which something is due for its token.
  [[nodiscard]] std::uint64_t token_deadline_s() const {
    if (warns_s == 0) return std::uint64_t{expires_s} + kExpiryLeewayS;
    return expires_s - std::min<std::uint32_t>(expires_s, warns_s);
  }
  [[nodiscard]] SessionStarting* starting() {
    return extras && extras->starting ? &*extras->starting : nullptr;
  }
  [[nodiscard]] std::uint32_t share() const { return extras ? extras->share : 0; }
  [[nodiscard]] std::uint32_t puller() const { return extras ? extras->puller : 0; }
  [[nodiscard]] std::uint32_t unread_puller() const { return extras ? extras->unread_puller : 0; }
  // null: it is not.
  [[nodiscard]] const Seq* silent_at(ConversationId conversation) const {
    if (!extras) return nullptr;
    const auto it = extras->silent.find(conversation);
    return it == extras->silent.end() ? nullptr : &it->second;
  }

  SessionExtras& make_extras() {
    if (!extras) extras = std::make_unique<SessionExtras>();
    return *extras;
  }
  void end_pull() {
    if (extras) extras->puller = 0;
    free_empty_extras();
  }
  void note_leaving(ConversationId conversation, Seq seq, std::int64_t now_us) {
    auto& leavings = make_extras().leavings;
    std::erase_if(leavings, [&](const ToldLeaving& x) {
      if (x.conversation == conversation) seq = std::max(seq, x.seq);
      return x.conversation == conversation || now_us - x.at_us > kLeavingKeptUs;
    });
    if (leavings.size() >= kLeavingsKeptMax) leavings.erase(leavings.begin());
    leavings.push_back({.conversation = conversation, .seq = seq, .at_us = now_us});
  }
  void forget_leaving(ConversationId conversation) {
    if (!extras) return;
    std::erase_if(extras->leavings,
                  [&](const ToldLeaving& x) { return x.conversation == conversation; });
    free_empty_extras();
  }
  // Of a membership that they were told the end of.
  [[nodiscard]] bool is_late(ConversationId conversation, Seq joining, std::int64_t now_us) const {
    return extras &&
           std::any_of(extras->leavings.begin(), extras->leavings.end(), [&](const ToldLeaving& x) {
             return x.conversation == conversation && joining < x.seq &&
                    now_us - x.at_us <= kLeavingKeptUs;
           });
  }
  // By then a joining is no news: what lies before it, perhaps a leaving, was not told.
  [[nodiscard]] bool will_be_told_not_live(ConversationId conversation) const {
    if (!extras || !extras->joinings.is_telling) return false;
    const auto& named = extras->joinings.not_live;
    return extras->joinings.more_not_live ||
           std::find(named.begin(), named.end(), conversation) != named.end();
  }
  // The user has asked for it, or it is heard no more.
  void forget_unasked(std::uint32_t topic) {
    if (!extras || extras->joinings.unasked.empty()) return;
    std::erase(extras->joinings.unasked, topic);
    free_empty_extras();
  }
  void end_silence(ConversationId conversation) {
    if (extras) extras->silent.erase(conversation);
    free_empty_extras();
  }
  void end_unread() {
    if (extras) extras->unread_puller = 0;
    free_empty_extras();
  }
  // After something in it has ended.
  void free_empty_extras() {
    if (extras && extras->empty()) extras.reset();
  }
};
static_assert(kSessionBuckets <= 256 && kRateStrikesMax <= 255, "numbers in 8 bits");
static_assert(sizeof(Session) <= 112, "idle sessions are most of what a shard holds");

class SessionTable {
 public:
  // Makes room. REQUIRES: nothing about the slot's present use.
  Session& at(std::uint32_t slot) {
    const std::size_t chunk = slot / kChunk;
    if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
    if (!chunks_[chunk]) chunks_[chunk] = std::make_unique<std::array<Session, kChunk>>();
    return (*chunks_[chunk])[slot % kChunk];
  }
  // The live session that `endpoint` names, or null: ended ones are recognised by their generation.
  [[nodiscard]] Session* find(const Endpoint& endpoint) {
    const std::size_t chunk = endpoint.slot / kChunk;
    if (endpoint.kind != Endpoint::Kind::kSession || chunk >= chunks_.size() || !chunks_[chunk])
      return nullptr;
    Session& session = (*chunks_[chunk])[endpoint.slot % kChunk];
    const bool is_it =
        session.state != Session::State::kFree && session.generation == endpoint.generation;
    return is_it ? &session : nullptr;
  }
  // `f(slot, session)` for each that is not free, `at_most` of them.
  template <class F>
  void for_each(F&& f, std::size_t at_most = SIZE_MAX) const {
    for (std::size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
      if (!chunks_[chunk]) continue;
      for (std::size_t i = 0; i < kChunk; ++i) {
        if (at_most == 0) return;
        const Session& session = (*chunks_[chunk])[i];
        if (session.state == Session::State::kFree) continue;
        --at_most;
        f(static_cast<std::uint32_t>(chunk * kChunk + i), session);
      }
    }
  }

 private:
  static constexpr std::size_t kChunk = 512;  // whole pages: 112 * 512 = 14 * 4,096
  std::vector<std::unique_ptr<std::array<Session, kChunk>>> chunks_;  // addresses stay
};

}  // namespace uproar::chat
