#pragma once

// The conversation role: at owner_of(conversation). Serialises it: may they? then stage; once it is committed, answer
// and publish. Nobody hears what is not durable, and everybody hears all of it in the order of seq.
//
// A cold conversation parks what arrives until it is loaded. A membership change is a barrier: what would be staged
// behind it waits for its outcome. After a failed commit nobody knows what is stored (the answer may have been lost):
// the conversation is read again before it takes further writes, and what turns out to be there is published as a
// history.page with its upto_seq.
//
// Bodies: conversation_role.cc (table, load, verify), conversation_parked.cc (what waits for its
// turn), conversation_repair.cc (holes), conversation_commands.cc (what is asked),
// conversation_outcomes.cc (what was committed), conversation_members.cc (who is in, and who is
// told), conversation_attach.cc (pages of what was missed, history), conversation_attach_reads.cc
// (what these ask the store), conversation_nodes.cc (what other nodes commit: holding, comparing
// with the store).

#include <bit>
#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/chat/conversation.h"
#include "core/chat/permissions.h"
#include "core/chat/shard_context.h"

namespace uproar::chat {

class ConversationRole {
 public:
  explicit ConversationRole(ShardContext& context) : context_(context) {}

  void on(ForwardedCommand command);
  void on(const Attach& attach);
  void on(const AttachMore& more);
  void on(const AttachCancel& cancel);
  void on_committed(std::span<const storage::Outcome> outcomes);

  // --- several nodes ---
  void on_interest(const Interest& interest);  // after it was noted in the context
  void on(const MemberCheck& check);
  void on_node_event(ConversationId id, Seq seq, ServerEvent&& event, ByteView payload);
  void on_node_hint(ConversationId id, const NodeHint& hint);
  void on_listening(ConversationId id);
  void on_gap();
  void on_publish_lost(ConversationId id);
  // Of a commit whose end is unknown: the other nodes are told once it is known.
  [[nodiscard]] bool owes_nodes() const;
  void repair_due(ConversationId id);

  // Forgets idle conversations above the bound. Between turns only: nobody holds a reference.
  void trim();
  void typing_due(ConversationId id);
  void verify_due(ConversationId id);
  void parked_due(ConversationId id);

  // Aborts where something does not hold that has to, whenever nobody is at work
  // (conversation_invariants.cc).
  void check_invariants() const;

  [[nodiscard]] std::size_t size() const { return conversations_.size(); }
  [[nodiscard]] std::size_t parked() const { return parked_count_; }
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }
  [[nodiscard]] std::size_t attaches() const { return attach_count_; }
  [[nodiscard]] std::size_t recent_bytes() const { return recent_bytes_; }
  [[nodiscard]] std::size_t reads_in_flight() const { return history_reads_ + attach_reads_; }

 private:
  // What is staged and why; in stage order.
  struct Pending {
    storage::Operation operation;
    Actor actor;
    Seq published_seq = 0;  // when it was staged
    // CreateConversation: conversation.create waits for it (else message.send does).
    bool is_creation_answer = false;
  };

  // --- table (conversation_role.cc) ---
  Conversation* find(ConversationId id);
  Conversation* find_or_load(ConversationId id);  // null: no room
  Conversation* insert(ConversationId id, Conversation::State state);
  void touch(Conversation& conversation);
  void link_front(Conversation& conversation);
  void unlink(Conversation& conversation);
  void erase(Conversation& conversation);
  void load(Conversation& conversation);
  void loaded(ConversationId id, std::uint32_t failures,
              Result<storage::ConversationState, storage::StoreError> state);
  void take_loaded(ConversationId id, std::uint32_t failures,
                   Result<storage::ConversationState, storage::StoreError> state);
  void take_state(Conversation& conversation, storage::ConversationState state);
  void tell_differences(Conversation& conversation, const std::vector<MemberState>& before);
  void commit_failed(Conversation& conversation);
  void arm_verify(Conversation& conversation);
  void repair_if_behind(Conversation& conversation);
  void repair(Conversation& conversation);
  void repaired(ConversationId id, std::uint32_t claims,
                Result<storage::Page, storage::StoreError> page);
  [[nodiscard]] static std::vector<Message> cut_at_leaving(storage::Page& page);
  void repaired_upto(Conversation& conversation, Seq seq);
  void publish_page(Conversation& conversation, storage::Page page);
  void publish_leaving(Conversation& conversation, const Message& row);
  void account_recent(Conversation& conversation, std::size_t bytes_before);
  void forget_recent(Conversation& conversation);

  // --- what waits for its turn (conversation_parked.cc) ---
  // False: there is no room, and who asked has been refused.
  bool park(Conversation& conversation, Conversation::Parked parked);
  void refuse(const Conversation::Parked& parked, ErrorCode code);
  void hold_up(Conversation& conversation, Conversation::Waiting& waiting);
  void left_parked(const Conversation::Waiting& waiting);
  [[nodiscard]] Conversation::Waiting take_parked(Conversation& conversation);
  void refuse_parked(Conversation& conversation, ErrorCode code);
  void unpark(Conversation& conversation);
  void handle_absent(Conversation& conversation);
  [[nodiscard]] bool may_run_now(const Conversation& conversation,
                                 const Conversation::Parked& parked) const;
  [[nodiscard]] bool is_crowded() const;
  [[nodiscard]] bool lacks_room(const Conversation& conversation, const ClientEvent& event) const;
  void arm_parked(Conversation& conversation, const Conversation::Waiting& waiting);
  void want_room(Conversation& conversation);
  void give_room();

  // --- several nodes (conversation_nodes.cc) ---
  // A hole was seen: alone it is repaired at once, else when what is on its way had time to arrive.
  void repair_soon(Conversation& conversation);
  // So much is committed, somebody says.
  void claim(Conversation& conversation, Seq seq);
  void hold(Conversation& conversation, Seq seq, ServerEvent&& event, ByteView payload);
  void drop_held(Conversation& conversation);  // what was published meanwhile
  void shed_held(Conversation& conversation);  // all
  void release_held(Conversation& conversation);
  void deliver(Conversation& conversation, Seq seq, ServerEvent&& event, ByteView payload);
  void count_sent(Conversation& conversation, const storage::Page& page);
  void sent_by(Conversation& conversation, UserId sender, Seq seq, std::uint64_t no,
               std::int64_t at_us);
  void receipt_from_node(Conversation& conversation, const ReceiptUpdate& receipt);
  void note_if_closed(Conversation& conversation);
  void want_look(Conversation& conversation);
  void look_now(Conversation& conversation);
  void start_looks();
  // Not a member by what may be too old to say so: they may have joined on another node.
  [[nodiscard]] bool is_stranger_in_doubt(const Conversation& conversation, UserId user) const;
  [[nodiscard]] bool needs_look(const Conversation& conversation, const Command& command) const;
  void park_for_look(Conversation& conversation, Conversation::Parked parked);
  void answer_asking(Conversation& conversation);
  void answer(const std::vector<Interest>& asking, bool refused);
  void load_in_turn(Conversation& conversation);
  void start_waiting_loads();

  // --- commands (conversation_commands.cc) ---
  void run(Conversation& conversation, ForwardedCommand command);
  [[nodiscard]] static bool is_write(const ClientEvent& event);
  // A change of members is under way that it has to wait for.
  [[nodiscard]] static bool is_barred(const Conversation& conversation, const Command& command);
  // The member who may, or null and the refusal is out.
  MemberState* permit(Conversation& conversation, const Actor& actor, Act act);
  [[nodiscard]] static std::optional<Error> refusal_of(const Conversation& conversation,
                                                       UserId user, Act act);
  bool stage(Conversation& conversation, const Actor& actor, Body body,
             bool is_creation_answer = false);
  [[nodiscard]] std::optional<Error> try_stage(Conversation& conversation, const Actor& actor,
                                               Body body, bool is_creation_answer);
  bool begin_creation(Conversation& conversation, ForwardedCommand command);
  void send_message(Conversation& conversation, const Actor& actor, MessageSend& send);
  [[nodiscard]] storage::AppendMessage append_of(MessageSend& send);  // moved from
  [[nodiscard]] std::optional<Error> check_message(const MessageSend& send) const;
  void edit(Conversation& conversation, const Actor& actor, MessageEdit& edit);
  void erase_message(Conversation& conversation, const Actor& actor, const MessageDelete& erase);
  void react(Conversation& conversation, const Actor& actor, ReactionChange& change);
  void advance_mark(Conversation& conversation, const Actor& actor, const MarkAdvance& mark);
  void publish_event(Conversation& conversation, const Actor& actor, EventPublish& event);
  void typing(Conversation& conversation, const Actor& actor, bool is_typing);
  void stop_typing(Conversation& conversation, UserId user);
  void created_again(Conversation& conversation, const Actor& actor);
  void join(Conversation& conversation, const Actor& actor);
  void leave(Conversation& conversation, const Actor& actor);
  void add_members(Conversation& conversation, const Actor& actor, const MemberAdd& add);
  void remove_member(Conversation& conversation, const Actor& actor, UserId user);
  void change_role(Conversation& conversation, const Actor& actor, const MemberRole& change);
  void rename(Conversation& conversation, const Actor& actor, ConversationRename& rename);
  // Stages the operations of one membership command; false: none is.
  bool stage_change(Conversation& conversation, const Actor& actor,
                    std::vector<decltype(storage::Operation::body)> bodies,
                    std::optional<ServerEvent> answer);
  bool stage_slice(Conversation& conversation);

  // --- outcomes (conversation_outcomes.cc) ---
  void outcome_of(Conversation& conversation, Pending& pending, const storage::Outcome& outcome);
  void committed(Conversation& conversation, Pending& pending, storage::CreateConversation& op,
                 const storage::Outcome& outcome);
  void committed(Conversation& conversation, Pending& pending, storage::AppendMessage& op,
                 const storage::Outcome& outcome);
  void committed(Conversation& conversation, Pending& pending, storage::EditMessage& op,
                 const storage::Outcome& outcome);
  void committed(Conversation& conversation, Pending& pending, storage::DeleteMessage& op,
                 const storage::Outcome& outcome);
  void committed(Conversation& conversation, Pending& pending, storage::ChangeReaction& op,
                 const storage::Outcome& outcome);
  void committed(Conversation& conversation, Pending& pending, storage::AdvanceMark& op,
                 const storage::Outcome& outcome);
  void committed(Conversation& conversation, Pending& pending, storage::SetMute& op,
                 const storage::Outcome& outcome);
  void failed(Conversation& conversation, Pending& pending, ErrorCode code);
  void mark_ended(Conversation& conversation, Pending& pending, MarkKind kind,
                  const ServerEvent& answer);
  // True when `seq` is the next to be published: it is published_seq now, and the caller publishes. Otherwise it was
  // paged already, or a hole is before it and the repair will bring it.
  bool is_next(Conversation& conversation, Seq seq);
  // A committed event of this node: the other nodes hear it at once, this node's hearers in its turn.
  void announce(Conversation& conversation, Seq seq, ServerEvent&& event);
  // What is kept for resume, after the event was published.
  void keep_row(Conversation& conversation, ServerEvent&& event);
  // An edit, deletion or reaction: answers who asked, and unless it was said before tells everybody.
  void message_changed(Conversation& conversation, const Actor& actor,
                       const storage::Outcome& outcome, ServerEvent&& event);
  void publish(const Conversation& conversation, const ServerEvent& event, Delivery delivery,
               const Endpoint* except = nullptr);
  // To every shard of this node that hears it, and to this one, in one order with what is published.
  template <class Said>
  void send_to_hearers(const Conversation& conversation, const Said& said) {
    std::uint64_t shards = context_.remote_shards(topic_of(conversation.id));
    for (; shards != 0; shards &= shards - 1)
      context_.send(static_cast<std::uint32_t>(std::countr_zero(shards)), said);
    context_.send(context_.self, said);
  }

  // --- who is in (conversation_members.cc) ---
  [[nodiscard]] ConversationView view_for(const Conversation& conversation, UserId user,
                                          Seq seq) const;
  [[nodiscard]] ConversationView view_at_joining(const Conversation& conversation, UserId user,
                                                 Seq seq) const;
  // To all devices of the user but `but`. `to_nodes`: also on other nodes. Whoever learned it from another node does not say
  // it again.
  void tell_joined(const Conversation& conversation, UserId user, Seq seq, const Endpoint& but,
                   bool to_nodes);
  void joined_already(Conversation& conversation, const Actor& actor);
  void tell_if_member(const Conversation& conversation, UserId user);
  // To the session that asked for it, as the answer or behind it.
  void tell_asker(const Conversation& conversation, const Actor& asker, Seq seq, bool is_told);
  // It is published: by `seq` they have left.
  void tell_removed(Conversation& conversation, UserId user, Seq seq);
  void committed(Conversation& conversation, Pending& pending, storage::AddMember& op,
                 const storage::Outcome& outcome);
  void committed(Conversation& conversation, Pending& pending, storage::RemoveMember& op,
                 const storage::Outcome& outcome);
  void committed(Conversation& conversation, Pending& pending, storage::SetRole& op,
                 const storage::Outcome& outcome);
  void committed(Conversation& conversation, Pending& pending, storage::Rename& op,
                 const storage::Outcome& outcome);
  void change_step_done(Conversation& conversation, std::optional<ServerEvent> answer,
                        std::optional<Error> error);
  void joining_done(Conversation& conversation, const Actor& actor,
                    const std::optional<ServerEvent>& answer);
  void members_changed(Conversation& conversation, Seq seq);
  void add_member(Conversation& conversation, UserId user, Role role, Seq seq);
  void take_membership(Conversation& conversation, const Message& row);
  void doubt_marks(Conversation& conversation, UserId user);

  // --- how far the members are (conversation_marks.cc) ---
  [[nodiscard]] std::vector<ServerEvent> receipts_above(const Conversation& conversation,
                                                        const MemberState& member, Seq delivered,
                                                        Seq read) const;
  void tell_marks_to(const Conversation& conversation, const Attach& joining);
  static void note_senders(Conversation& conversation, const storage::Page& page);
  void note_moved_marks(Conversation& conversation, const std::vector<MemberState>& before);
  static void note_announced(Conversation& conversation, UserId user, Seq delivered, Seq read);
  void tell_moved_marks(Conversation& conversation);

  // --- pages (conversation_attach.cc) ---
  void history(Conversation& conversation, const Actor& actor, const History& history);
  void history_read(const Actor& actor, const storage::PageQuery& query,
                    Result<storage::Page, storage::StoreError> page);
  void begin_attach(Conversation& conversation, const Attach& attach);
  AttachState* find_attach(Conversation& conversation, const Endpoint& to, std::uint32_t token);
  void advance_attach(Conversation& conversation, const Endpoint& to, std::uint32_t token);
  void advance_attaches(Conversation& conversation);
  [[nodiscard]] bool must_ask(const Conversation& conversation, const AttachState& attach,
                              const MemberState& member) const;
  void send_page(Conversation& conversation, AttachState& attach, Seq joined_seq,
                 storage::Page page);
  void end_attach(Conversation& conversation, const Endpoint& to, std::uint32_t token, Seq cursor,
                  std::optional<ErrorCode> refused);

  // --- what these ask the store (conversation_attach_reads.cc) ---
  void ask_last_seq(Conversation& conversation, AttachState& attach);
  void ask_last_seq_for_all(Conversation& conversation);
  void last_seq_read(ConversationId id, std::uint64_t number,
                     const Result<Seq, storage::StoreError>& read);
  void refuse_attaches(Conversation& conversation,
                       const std::vector<std::pair<Endpoint, std::uint32_t>>& refused,
                       ErrorCode code);
  void refuse_waiting(Conversation& conversation);
  void found_committed(Conversation& conversation, Seq seq);
  [[nodiscard]] bool can_warm(const Conversation& conversation, const AttachState& attach) const;
  [[nodiscard]] Seq warm_bound(const Conversation& conversation) const;
  void warm(Conversation& conversation, AttachState& attach);
  void read_for_attach(Conversation& conversation, AttachState& attach);
  void start_waiting_reads();
  void attach_read(ConversationId id, const Endpoint& to, std::uint32_t token,
                   Result<storage::Page, storage::StoreError> page);
  void send_leaving_page(Conversation& conversation, AttachState& attach, storage::Page page);

  struct WaitingRead {
    ConversationId conversation;
    Endpoint to;
    std::uint32_t token = 0;
  };

  ShardContext& context_;
  absl::flat_hash_map<ConversationId, std::unique_ptr<Conversation>> conversations_;
  Conversation* newest_ = nullptr;
  Conversation* oldest_ = nullptr;
  absl::flat_hash_map<storage::Ticket, Pending> pending_;  // no allocation once it has grown
  storage::Ticket next_ticket_ = 1;                        // of the next operation staged
  std::deque<WaitingRead> waiting_reads_;
  std::size_t parked_count_ = 0;
  std::size_t parked_bytes_ = 0;
  // Those whose first parked command waits for room in the log, in the order of waiting, each once.
  std::deque<ConversationId> waiting_for_room_;
  std::size_t attach_count_ = 0;
  std::size_t recent_bytes_ = 0;
  std::uint32_t history_reads_ = 0;
  std::uint32_t attach_reads_ = 0;
  std::uint64_t warmings_ = 0;   // begun
  std::uint64_t questions_ = 0;  // for last seqs, so far
  std::uint32_t loads_ = 0;
  // --- several nodes ---
  std::deque<ConversationId> waiting_loads_;  // not loaded; at most conversations_max
  std::deque<ConversationId> waiting_looks_;  // each conversation once
  std::uint32_t looks_ = 0;
  std::size_t heard_count_ = 0;
  std::size_t held_bytes_ = 0;
};

}  // namespace uproar::chat
