#include "core/chat/chat_shard.h"

#include <algorithm>
#include <utility>

#include "core/chat/conversation_role.h"
#include "core/chat/session_role.h"
#include "core/chat/user_role.h"
#include "core/chat/user_shares.h"

namespace uproar::chat {

struct ChatShard::Roles final : ParcelSink {
  Roles(ChatPorts ports, ChatLimits limits, std::string node)
      : context{.outbox = ports.outbox,
                .router = ports.router,
                .log = ports.log,
                .history = ports.history,
                .directory = ports.directory,
                .ids = ports.ids,
                .nodes = ports.nodes,
                .presence = ports.presence,
                .limits = limits,
                .self = ports.router.self(),
                .shard_count = ports.router.shard_count(),
                .here = this,
                .now = {},
                .deadlines = {},
                .counters = {},
                .interests = {}},
        sessions(context, std::move(node)),
        conversations(context),
        users(context),
        shares(context) {
    UPROAR_CHECK(context.presence == nullptr || context.nodes != nullptr);
    UPROAR_CHECK(context.shard_count >= 1 && context.shard_count <= 64,
                 context.shard_count);  // bits of a bitmap
    UPROAR_CHECK(context.self < context.shard_count, context.self);
  }

  void deliver(Parcel parcel) override {
    std::visit([this](auto& said) { take(said); }, parcel);
  }
  void take(SessionStart& said) { users.on(said, shares.owes(said.user)); }
  void take(SessionEnd& said) { users.on(said); }
  void take(ShareAsk& said) { shares.on(std::move(said)); }
  void take(ShareAnswer& said) { sessions.on(said); }
  void take(ShareBalance& said) { shares.on(said); }
  void take(PresenceReview& said) { sessions.on(said); }
  void take(UserNotice& said) { users.on(std::move(said)); }
  void take(Revoke& said) { users.on(said); }
  void take(PresenceQuery& said) { users.on(said); }
  void take(SessionAdmission& said) { sessions.on(said); }
  void take(SessionNotice& said) {
    const std::uint32_t shard = said.session.shard;
    if (shard != context.self) return context.send(shard, std::move(said));
    sessions.on(std::move(said));
  }
  void take(RevokeSession& said) { sessions.on(said); }
  void take(InterestReady& said) { sessions.on(said); }
  void take(Backpressure& said) { sessions.on(said); }
  void take(PresenceAnswer& said) { sessions.on(said); }
  void take(AttachPage& said) { sessions.on(std::move(said)); }
  void take(AttachEnd& said) { sessions.on(said); }
  void take(ForwardedCommand& said) { conversations.on(std::move(said)); }
  void take(Attach& said) { conversations.on(said); }
  void take(AttachMore& said) { conversations.on(said); }
  void take(AttachCancel& said) { conversations.on(said); }
  void take(MemberCheck& said) { conversations.on(said); }
  void take(MemberAnswer& said) {
    if (!said.was_at_user) {
      said.was_at_user = true;
      const std::uint32_t from = said.from;
      return context.send(from, std::move(said));
    }
    const std::uint32_t shard = said.session.shard;
    if (shard != context.self) return context.send(shard, std::move(said));
    sessions.on(said);
  }
  void take(HearingEnd& said) { sessions.on(said); }
  void take(PageByMembership& said) { sessions.on(said); }
  void take(AudienceCheck& said) { sessions.on(said); }
  void take(Interest& said) {
    const std::uint64_t bit = std::uint64_t{1} << said.shard;
    if (said.add) {
      context.interests[said.topic] |= bit;
      if (context.nodes != nullptr && !is_user_topic(said.topic)) {
        conversations.on_interest(said);  // answers when it is loaded
        return;
      }
      if (context.presence != nullptr) users.on_interest(said);
      context.send(said.shard, InterestReady{said.topic, said.token, false});
      return;
    }
    const auto it = context.interests.find(said.topic);
    if (it == context.interests.end()) return;
    it->second &= ~bit;
    if (it->second == 0) context.interests.erase(it);
    if (context.nodes == nullptr) return;
    if (!is_user_topic(said.topic)) {
      conversations.on_interest(said);
    } else if (context.presence != nullptr) {
      users.on_interest(said);
    }
  }

  void run_due(const Deadline& due) {
    switch (due.kind) {
      case Deadline::Kind::kReleaseHold:
        sessions.hold_ended(due.key);
        break;
      case Deadline::Kind::kResumePull:
        sessions.resume_pull(due.key);
        break;
      case Deadline::Kind::kTyping:
        conversations.typing_due(ConversationId(due.key));
        break;
      case Deadline::Kind::kVerify:
        conversations.verify_due(ConversationId(due.key));
        break;
      case Deadline::Kind::kRepair:
        conversations.repair_due(ConversationId(due.key));
        break;
      case Deadline::Kind::kParked:
        conversations.parked_due(ConversationId(due.key));
        break;
      case Deadline::Kind::kNotLive:
        sessions.tell_not_live(due.key);
        break;
      case Deadline::Kind::kShare:
        sessions.share_due(due.key);
        break;
      case Deadline::Kind::kPresenceReview:
        sessions.retry_presence_reviews();
        break;
      case Deadline::Kind::kAudience:
        sessions.retry_audience_looks();
        break;
      case Deadline::Kind::kAudienceGather:
        sessions.gathered_audiences();
        break;
      case Deadline::Kind::kOffline:
        users.grace_ended(UserId(due.key));
        break;
      case Deadline::Kind::kPresenceFlush:
        users.flush_presence();
        break;
      case Deadline::Kind::kPresenceRead:
        users.retry_presence_read();
        break;
    }
  }

  ShardContext context;
  SessionRole sessions;
  ConversationRole conversations;
  UserRole users;
  UserShares shares;
};

// One call from outside: the time of it, and behind it what has to hold whenever nobody is at work.
class ChatShard::Entry {
 public:
  explicit Entry(const Roles& roles) : roles_(roles) {}
  Entry(Roles& roles, const Now& now) : roles_(roles) { roles.context.now = now; }
  ~Entry() {
    if (!roles_.context.limits.checks_invariants) [[likely]]
      return;
    roles_.conversations.check_invariants();
    roles_.sessions.check_invariants();
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

 private:
  const Roles& roles_;
};

ChatShard::ChatShard(ChatPorts ports, ChatLimits limits, std::string node)
    : roles_(std::make_unique<Roles>(ports, limits, std::move(node))) {}
ChatShard::~ChatShard() = default;

void ChatShard::set_token_judge(TokenJudge& tokens) {
  roles_->sessions.set_token_judge(tokens);
}

void ChatShard::open_session(const Endpoint& session, const TokenProof& proof,
                             bool resume_announced, const Now& now) {
  const Entry entry(*roles_, now);
  roles_->sessions.open(session, proof, resume_announced);
}

void ChatShard::close_session(const Endpoint& session, bool clean, const Now& now) {
  const Entry entry(*roles_, now);
  roles_->sessions.close(session, clean);
}

void ChatShard::on_heartbeat(const Endpoint& session, const Now& now) {
  const Entry entry(*roles_, now);
  roles_->sessions.on_heartbeat(session);
}

void ChatShard::on_drained(const Endpoint& session, const Now& now) {
  const Entry entry(*roles_, now);
  roles_->sessions.on_drained(session);
}

void ChatShard::apply(Command command, const Now& now, std::uint32_t payload_bytes) {
  const Entry entry(*roles_, now);
  roles_->sessions.apply(std::move(command), payload_bytes);
  roles_->conversations.trim();
}

void ChatShard::refuse(const Endpoint& session, const RequestId& request, const Error& error,
                       const Now& now, std::uint32_t payload_bytes) {
  const Entry entry(*roles_, now);
  roles_->sessions.refuse(session, request, error, payload_bytes);
}

bool ChatShard::admit_request(const Actor& actor, const Now& now) {
  const Entry entry(*roles_, now);
  return roles_->sessions.admit_request(actor, 1);
}

void ChatShard::on_parcel(Parcel parcel, const Now& now) {
  const Entry entry(*roles_, now);
  roles_->deliver(std::move(parcel));
  roles_->conversations.trim();
}

void ChatShard::on_committed(std::span<const storage::Outcome> outcomes) {
  const Entry entry(*roles_);
  roles_->conversations.on_committed(outcomes);
}

void ChatShard::revoke_session_here(UserId user, SessionId session) {
  ShardContext& context = roles_->context;
  context.send(context.owner(user), Revoke{user, session});
}

void ChatShard::revoke_session(UserId user, SessionId session) {
  ShardContext& context = roles_->context;
  revoke_session_here(user, session);
  // Each shard is told; the owner alone tells the other nodes.
  if (context.nodes != nullptr && context.owner(user) == context.self) {
    context.nodes->hint(
        topic_of(user),
        {.kind = NodeHint::Kind::kRevoked, .seq = 0, .conversation = {}, .session = session});
  }
}

void ChatShard::end_revoked(const absl::flat_hash_set<SessionId>& sessions, const Now& now) {
  const Entry entry(*roles_, now);
  roles_->sessions.end_revoked(sessions);
}

void ChatShard::on_node_event(const TopicId& topic, Seq seq, ServerEvent event, ByteView payload,
                              const Now& now) {
  const Entry entry(*roles_, now);
  if (is_user_topic(topic)) return;  // nodes tell of users by hints and presence alone
  roles_->conversations.on_node_event(conversation_of(topic), seq, std::move(event), payload);
}

void ChatShard::on_node_hint(const TopicId& topic, const NodeHint& hint, const Now& now) {
  const Entry entry(*roles_, now);
  if (is_user_topic(topic)) {
    roles_->users.on_node_hint(topic, hint);
  } else {
    roles_->conversations.on_node_hint(conversation_of(topic), hint);
  }
}

void ChatShard::on_listening(const TopicId& topic, const Now& now) {
  const Entry entry(*roles_, now);
  if (is_user_topic(topic)) {
    roles_->users.on_listening(topic);
  } else {
    roles_->conversations.on_listening(conversation_of(topic));
  }
}

void ChatShard::on_gap(const Now& now) {
  const Entry entry(*roles_, now);
  roles_->conversations.on_gap();
  roles_->users.on_gap();
}

void ChatShard::on_publish_lost(const TopicId& topic, const Now& now) {
  const Entry entry(*roles_, now);
  if (is_user_topic(topic)) {
    roles_->users.on_publish_lost(topic);
  } else {
    roles_->conversations.on_publish_lost(conversation_of(topic));
  }
}

bool ChatShard::owes_nodes() const {
  return roles_->conversations.owes_nodes();
}

void ChatShard::on_presence(const storage::NodeId& node, UserId user,
                            const storage::PresenceDelta& said, const Now& now) {
  const Entry entry(*roles_, now);
  roles_->users.elsewhere().on_said(node, user, said);
}

void ChatShard::on_presence_listening(UserId user, const Now& now) {
  const Entry entry(*roles_, now);
  roles_->users.elsewhere().on_listening(user);
}

void ChatShard::on_presence_lost(UserId user, const Now& now) {
  const Entry entry(*roles_, now);
  roles_->users.put_again(user);
}

void ChatShard::on_presence_certain(bool is_certain, const Now& now) {
  const Entry entry(*roles_, now);
  roles_->users.elsewhere().on_certain(is_certain);
}

void ChatShard::on_nodes(std::span<const storage::NodeId> others, const Now& now) {
  const Entry entry(*roles_, now);
  roles_->users.elsewhere().on_nodes(others);
}

void ChatShard::tick(const Now& now) {
  const Entry entry(*roles_, now);
  // What is armed for now while we run waits for the next tick: no timer can keep a turn from ending.
  for (std::size_t left = roles_->context.deadlines.size(); left > 0; --left) {
    const std::optional<Deadline> due = roles_->context.deadlines.pop_due(now.monotonic_us);
    if (!due) break;
    roles_->run_due(*due);
  }
  roles_->sessions.advance_deadlines();
  roles_->conversations.trim();
}

std::optional<std::int64_t> ChatShard::next_deadline() const {
  const auto timer = roles_->context.deadlines.next_us();
  const auto session = roles_->sessions.next_deadline_us();
  if (!timer) return session;
  if (!session) return timer;
  return std::min(*timer, *session);
}

const ChatCounters& ChatShard::counters() const {
  return roles_->context.counters;
}

ChatSizes ChatShard::sizes() const {
  const Roles& roles = *roles_;
  return {.sessions = roles.sessions.sessions(),
          .topics = roles.sessions.topics(),
          .interests = roles.context.interests.size(),
          .conversations = roles.conversations.size(),
          .parked = roles.conversations.parked(),
          .pending = roles.conversations.pending(),
          .attaches = roles.conversations.attaches(),
          .pullers = roles.sessions.pullers(),
          .users_online = roles.users.size(),
          .users_watched = roles.users.watched(),
          .timers = roles.context.deadlines.size(),
          .recent_bytes = roles.conversations.recent_bytes(),
          .reads_in_flight = roles.conversations.reads_in_flight()};
}

}  // namespace uproar::chat
