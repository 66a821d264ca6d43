#pragma once

// The session role: at the shard that holds a connection. Who is it, what does it hear, how fast may it talk, what has
// it missed.
//
// Start: register at owner(user) -> read the audience -> subscribe, announce new topics to their
// owners -> all of them know -> they say of which conversations the user is a member still ->
// session.ready -> who is online -> early commands -> the first command (a sync?) or a timer
// releases what was held: live traffic, and looks at memberships that have changed. Registering
// comes before reading: a membership that changes meanwhile is then either in what was read, or
// comes as a notice, or both.
//
// Bodies: session_role.cc (life, rate, routing), session_expiry.cc (how long it may last),
// session_share.cc (what all connections of a user share), session_sync.cc and session_pull.cc
// (sync, joined conversations), session_membership.cc (who joined, who left), session_live.cc (what
// finds room), session_presence.cc and session_presence_review.cc (who is online, and who may know
// it no more), session_audience.cc (what it may not have been told of).

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "core/chat/local_topics.h"
#include "core/chat/puller.h"
#include "core/chat/request_buckets.h"
#include "core/chat/session_table.h"
#include "core/chat/session_wheel.h"
#include "core/chat/shard_context.h"
#include "core/chat/token_proof.h"

namespace uproar::chat {

class SessionRole {
 public:
  SessionRole(ShardContext& context, std::string node);

  // Outlives this object. REQUIRES: once, before the first session.refresh.
  void set_token_judge(TokenJudge& tokens) { tokens_ = &tokens; }

  void open(const Endpoint& endpoint, const TokenProof& proof, bool resume_announced);
  void close(const Endpoint& endpoint, bool clean);
  void on_heartbeat(const Endpoint& endpoint);
  void on_drained(const Endpoint& endpoint);
  void refuse(const Endpoint& endpoint, const RequestId& request, const Error& error,
              std::uint32_t payload_bytes);
  [[nodiscard]] bool admit_request(const Actor& actor, std::uint32_t units);
  void apply(Command command, std::uint32_t payload_bytes);

  void on(const SessionAdmission& admission);
  void on(SessionNotice notice);
  void on(const RevokeSession& revoke);
  void end_revoked(const absl::flat_hash_set<SessionId>& sessions);
  void on(const AudienceCheck& check);
  void on(const MemberAnswer& answer);
  void on(const HearingEnd& end);
  void on(const PageByMembership& said);
  void on(const InterestReady& ready);
  void on(const Backpressure& said);
  void on(const ShareAnswer& answer);
  void on(const PresenceAnswer& answer);
  void on(const PresenceReview& review);
  void on(AttachPage page);
  void on(const AttachEnd& end);

  void hold_ended(const Uuid& key);
  void share_due(const Uuid& key);
  void resume_pull(const Uuid& key);
  void tell_not_live(const Uuid& key);
  void retry_presence_reviews();
  void retry_audience_looks();
  void gathered_audiences();
  void advance_deadlines();
  [[nodiscard]] std::optional<std::int64_t> next_deadline_us() const { return wheel_.next_us(); }

  [[nodiscard]] std::size_t sessions() const { return session_count_; }
  [[nodiscard]] std::size_t topics() const { return topics_.size(); }
  [[nodiscard]] std::size_t pullers() const { return pullers_.size(); }
  // Aborts where something does not hold that has to, whenever nobody is at work
  // (session_invariants.cc).
  void check_invariants() const;

 private:
  void check_session(std::uint32_t slot, const Session& session) const;
  void check_subscriptions() const;
  // presence.get, and the snapshot of a session's peers, while owners are asked.
  struct PresenceAsk {
    enum class Kind : std::uint8_t {
      kGet,
      kWatch,       // the answer is followed by a correction
      kCorrection,  // tells what differs from the answer
      kSnapshot     // tells who is online
    };
    Actor actor;
    Kind kind{};
    std::uint32_t owners_awaited = 0;
    std::vector<PresenceState> users;  // by id
    std::vector<UserId> strangers;     // of these, by id: nobody is asked about them
  };

  // A command that waits for the share of its user, or for its answer, which says what it costs.
  struct AskedShare {
    Endpoint from;
    Command command;                // until it runs
    std::uint32_t units = 0;        // asked for
    std::uint32_t pages_given = 0;  // by the answer
    bool is_paused = false;         // its session is not read meanwhile
    // Its session has ended by an error of ours, a logout for instance: it does not run.
    bool was_ended_by_us = false;
    std::vector<EarlyMessage> behind;  // what was said behind it before session.ready
  };

  // --- life and routing ---
  [[nodiscard]] Session* live(const Endpoint& endpoint);          // starting or ready
  [[nodiscard]] Session* live_session(const Endpoint& endpoint);  // null for requests, too
  void load_audiences();
  struct AudienceDue {
    Endpoint session;
    bool is_look = false;  // it has begun: what it hears is compared
  };
  void audiences_loaded(const std::vector<AudienceDue>& due,
                        Result<std::vector<storage::Audience>, storage::StoreError> loaded);
  void audience_loaded(const Endpoint& endpoint, storage::Audience audience);
  void become_ready(const Endpoint& endpoint, Session& session);
  void run(Command command, std::uint32_t units);  // cost() of it
  void run_in_turn(const Endpoint& endpoint, std::vector<EarlyMessage> said);
  void begin_wait(const Endpoint& endpoint, Session& session);
  void end_wait(const Endpoint& endpoint, Session& session);
  // After session.ready, if that is still to come. May end the session.
  void refuse_in_turn(const Actor& actor, Session& session, const Error& error);
  void say_early(Session& session, EarlyMessage said);
  // `share`: token of what the session waits for until this is answered; 0: it does not.
  void route(Command command, std::uint32_t share = 0);
  void forward(Command command, ConversationId conversation);
  void create_conversation(Command command);
  void list_conversations(const Actor& actor, const ConversationList& list);
  void get_conversation(const Actor& actor, ConversationId conversation, std::uint32_t share);
  [[nodiscard]] RateBucket& request_bucket(UserId user);
  [[nodiscard]] bool admit(Session& session, const Actor& actor, std::uint32_t units,
                           std::uint32_t payload_bytes);
  void charge(Session& session, std::uint32_t units, std::uint32_t payload_bytes);
  [[nodiscard]] Endpoint endpoint_of(std::uint32_t slot, std::uint32_t generation) const;
  [[nodiscard]] Endpoint endpoint_of(const Uuid& key) const;  // of a deadline of a session
  // Live traffic goes out, and memberships that may have changed are looked at.
  void release_hold(const Endpoint& endpoint, Session& session);
  void fail(const Endpoint& endpoint, Session& session, ErrorCode code,
            std::string_view detail = {});
  void detach(const Endpoint& endpoint, Session& session, std::int64_t offline_at_us);

  // --- how long it may last (session_expiry.cc) ---
  [[nodiscard]] std::uint32_t monotonic_expiry_s(const TokenProof& proof) const;
  void keep_until(Session& session, const TokenProof& proof) const;
  void warn_before_expiry(std::uint32_t slot, Session& session);
  // A deadline of it has come: it is told, or ends.
  void look_at(const Endpoint& endpoint, Session& session);
  void refresh(const Actor& actor, const SessionRefresh& command);
  // --- the user's share (session_share.cc) ---
  // In units, with what is told of it: what it takes to be let in.
  [[nodiscard]] std::uint32_t cost(const ClientEvent& event) const;
  // And when it runs, in which the store is asked about users whom the session does not hear.
  // `session`, here and below: null for a request.
  [[nodiscard]] std::uint32_t cost_of_strangers(const ClientEvent& event,
                                                const Session* session) const;
  // That it stores and that are counted.
  [[nodiscard]] std::uint32_t pages_of(const ClientEvent& event) const;
  // What is to be asked for before it runs; nullopt: nothing. `units`: all that it costs.
  [[nodiscard]] std::optional<ShareDemand> demand_of(const Command& command, const Session* session,
                                                     std::uint32_t units,
                                                     std::uint32_t pages) const;
  // `session` is live, or null. `units`: cost() of it.
  void run_or_ask(Command command, Session* session, std::uint32_t units);
  void ask_share(Command command, ShareDemand demand);
  void share_settled(std::uint32_t token, const std::optional<Error>& refused);
  void end_share(std::uint32_t token);
  void settle_pages(UserId user, Session* session, std::uint32_t given, std::uint32_t spent);
  void charge_after(const Actor& actor, std::uint32_t units);
  void charge_more(const Actor& actor, Session* session, std::uint32_t units);

  // --- topics ---
  [[nodiscard]] bool hear(const Endpoint& endpoint, Session& session,
                          UserId user);  // false: kTopicsMax
  bool unhear(const Endpoint& endpoint, Session& session, const TopicId& topic,
              PendingFrames pending);
  [[nodiscard]] bool hears(const Session& session, const TopicId& topic) const;

  // --- sync and joined conversations ---
  void notice(const Endpoint& endpoint, Session& session, SessionNotice notice);
  // Of what it neither hears nor pulls. False: there is no room.
  [[nodiscard]] bool pull(const Endpoint& endpoint, Session& session, PullItem item,
                          bool is_asked_for);
  void joined(const Endpoint& endpoint, Session& session, const SessionNotice& notice);
  // Once more for the sync that is under way, if that has refused it. False: it has not.
  [[nodiscard]] bool pull_stranger(std::uint32_t number, const MembershipChange& joined);
  void removed(const Endpoint& endpoint, Session& session, ConversationId conversation, Seq seq);
  void sync(const Actor& actor, Sync command);
  void unread(const Actor& actor, const UnreadFetch& command);
  void unread_listed(const Actor& actor, std::uint32_t limit,
                     Result<std::vector<ConversationView>, storage::StoreError> listed);
  // Until it is synced again (SessionExtras::silent). False: too many are, and the session has ended.
  [[nodiscard]] bool silence(const Endpoint& endpoint, Session& session,
                             ConversationId conversation, Seq cursor);
  std::uint32_t make_puller(const Endpoint& to, UserId user, Attach::Mode mode);  // 0: kPullersMax
  static PullItem* find_item(Puller& puller, ConversationId conversation);        // null: none
  // Takes the conversation out of the puller, wherever it stands; its topic's hold passes to the caller.
  std::optional<PullItem> take_item(Puller& puller, ConversationId conversation);
  void pump(std::uint32_t number);
  void start_item(std::uint32_t number, Puller& puller, PullItem item);
  [[nodiscard]] bool look_for_memberships(std::uint32_t number);
  void settle_looks(Puller& puller, Result<std::vector<ConversationId>, storage::StoreError> found);
  void end_refused_looks(std::uint32_t number);
  static void leave_rest(Puller& puller);
  void tell_missed(const Endpoint& to, UserId user, Seq cursor, HistoryPage page);
  void finish_item(std::uint32_t number, PullItem item, Seq cursor,
                   std::optional<ErrorCode> refused);
  void go_live(const Puller& puller, Session& session, const PullItem& item, Seq cursor);
  // False: the session has ended.
  [[nodiscard]] bool stay_silent(const Endpoint& endpoint, Session& session, const PullItem& item,
                                 ErrorCode refused);
  void finish_sync_if_done(std::uint32_t number);
  void drop_puller(std::uint32_t number);
  [[nodiscard]] bool egress_is_full(const Puller& puller) const;
  [[nodiscard]] bool has_read_enough(const Puller& puller) const;
  void charge_page(Puller& puller, const HistoryPage& page);
  void tell_units(Puller& puller);

  // --- what finds room, and what does not (session_live.cc) ---
  // Topics that a sync may add to what the session hears and pulls.
  [[nodiscard]] std::size_t topics_left(const Session& session) const;
  [[nodiscard]] bool has_room(const Session& session, bool is_asked_for) const;
  // A joining by somebody else, before anything is spent on it. False: it is not live, and told so.
  [[nodiscard]] bool admit_joining(const Endpoint& endpoint, Session& session,
                                   ConversationId conversation);
  // It will be told so; nil: of some.
  void not_live(const Endpoint& endpoint, Session& session, ConversationId conversation);
  void act_in(Session& session, ConversationId conversation);
  void note_live(const Actor& viewer, ConversationView& view);

  // --- what it may not have been told of (session_audience.cc) ---
  void check_later(const Endpoint& endpoint, Session& session, ConversationId conversation);
  void check_now(const Endpoint& endpoint, Session& session, ConversationId conversation);
  void check_membership(const Endpoint& endpoint, Session& session);
  void look_up(const Endpoint& endpoint, ConversationId conversation);  // nil: all
  void start_audience_looks();
  void arm_audience_retry();
  // True: what it found is out of date.
  bool audience_look_ended(std::uint32_t number, const AudienceCheck& look, bool is_known);
  void outdate_looks(const Endpoint& endpoint, ConversationId conversation);
  void audience_compared(const Endpoint& endpoint, const storage::Audience& audience);
  void membership_viewed(std::uint32_t number, const AudienceCheck& look,
                         Result<ConversationView, storage::StoreError> viewed);
  // It hears it, or will at the end of a pull or of a sync that it was told to ask for again.
  [[nodiscard]] bool is_provided_for(const Session& session, ConversationId conversation) const;

  // --- presence ---
  void presence_subscribe(const Actor& actor, PresenceSubscribe command);
  void presence_unsubscribe(const Actor& actor, PresenceUnsubscribe command);
  void presence_get(const Actor& actor, std::vector<UserId> users);
  // `done` gets, of `users`, those about whom the actor may not know (by id), unless the store cannot say who that is: then
  // the actor is refused. At once where the store need not be asked.
  using Judged = std::function<void(std::vector<UserId> strangers)>;
  void judge_presence(const Actor& actor, const std::vector<UserId>& users, Judged done);
  // --- presence that may be known no more (session_presence_review.cc) ---
  struct ReviewUnderway;
  void start_presence_reviews();
  [[nodiscard]] std::vector<UserId> reviewed_with(const PresenceReview& review);
  void pause_presence_reviews(std::int64_t wait_us);
  void review_next(std::shared_ptr<ReviewUnderway> review);
  void review_answered(const std::shared_ptr<ReviewUnderway>& review,
                       const std::vector<UserId>& asked,
                       const Result<std::vector<UserId>, storage::StoreError>& found);
  void part(const PresenceReview& review, const std::vector<UserId>& strangers);
  void unwatch(const Endpoint& endpoint, UserId user);
  void presence_watch(const Actor& actor, std::vector<UserId> users, std::vector<UserId> strangers);
  void presence_ask(const Actor& actor, std::vector<UserId> users, PresenceAsk::Kind kind,
                    std::vector<UserId> strangers = {});
  void ask_owners(PresenceAsk ask);
  void presence_known(PresenceAsk ask);

  ShardContext& context_;
  const std::string node_;
  TokenJudge* tokens_ = nullptr;
  SessionTable table_;
  SessionWheel wheel_;
  std::vector<SessionWheel::Due> deadlines_due_;  // of the turn
  LocalTopics topics_;
  std::size_t session_count_ = 0;
  absl::flat_hash_map<std::uint32_t, std::unique_ptr<Puller>> pullers_;
  absl::flat_hash_map<std::uint32_t, std::uint32_t> puller_of_token_;
  absl::flat_hash_map<std::uint32_t, PresenceAsk> presence_asks_;
  // Who has left a conversation and is watched or connected here, each once until the reads begin.
  std::deque<UserId> presence_reviews_due_;
  absl::flat_hash_map<UserId, std::vector<Endpoint>> presence_reviews_;  // devices of those due
  std::uint32_t presence_reviews_underway_ = 0;
  RateBucket presence_review_rate_;  // pairs
  bool presence_review_armed_ = false;
  // Sessions that wait for a read of their audience: one that begins, and one look (Session::look_due), however many gaps
  // there were meanwhile.
  std::deque<AudienceDue> audiences_due_;
  std::vector<AudienceDue> audiences_failed_;  // looks, until the timer
  std::uint32_t audience_loads_underway_ = 0;
  RateBucket audience_rate_;
  bool audience_gather_armed_ = false;
  // Each pair once until its read begins: at most kAudienceLooksMax.
  std::deque<AudienceCheck> audience_looks_;
  absl::flat_hash_set<AudienceCheck> audience_looks_due_;
  struct UnderwayLook {
    AudienceCheck look;
    std::uint32_t number = 0;
    bool is_stale = false;  // they have left since it was asked
  };
  std::vector<UnderwayLook> audience_looks_underway_;  // at most kAudienceLooksInFlightMax
  bool audience_timer_armed_ = false;
  std::uint32_t next_number_ = 0;  // pullers, tokens and asks
  RequestBuckets request_buckets_;
  absl::flat_hash_map<std::uint32_t, AskedShare> shares_asked_;  // by token
};

}  // namespace uproar::chat
