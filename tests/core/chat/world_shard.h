#pragma once

// One shard of the world as its ChatShard sees it: the ports. What goes through them is recorded, or waits until a step
// moves it. Bodies: world_shard.cc; world_nodes.cc (the bus, and who is connected where).

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/check.h"
#include "tests/core/chat/world.h"

namespace uproar::chat::testing {

// The channel of a user's presence: a third kind beside the topics of conversations and users.
TopicId presence_topic(UserId user);
bool is_presence_topic(const TopicId& topic);
UserId user_of(const TopicId& topic);  // as World::user() makes them

struct World::Shard final : Outbox,
                            Router,
                            storage::MessageLog,
                            storage::HistoryReader,
                            storage::Directory,
                            IdSource,
                            NodeBus,
                            PresenceExchange,
                            TokenJudge {
  struct Read {
    std::function<void()> execute;
    std::function<void()> answer;
    bool is_executed = false;
  };

  Shard(World& w, std::uint32_t i);

  // --- Outbox ---
  void reply(const Endpoint& to, const RequestId& id, const ServerEvent& event) override;
  void tell(const Endpoint& to, const ServerEvent& event, Delivery) override;
  void publish(const TopicId& topic, const Reach& reach, const ServerEvent& event,
               Delivery delivery, const Endpoint* except) override;
  void publish_to(std::span<const Endpoint> sessions, const TopicId& topic,
                  const ServerEvent& event) override;
  void relay(const TopicId& topic, std::uint64_t shards, ByteView payload,
             Delivery delivery) override;
  bool subscribe(const Endpoint& session, const TopicId& topic) override;
  bool unsubscribe(const Endpoint& session, const TopicId& topic, PendingFrames pending) override;
  [[nodiscard]] std::vector<Endpoint> subscribers(const TopicId& topic) const override;
  void hold(const Endpoint& session) override;
  void release(const Endpoint& session) override;
  void forget_held(const Endpoint& session, const TopicId& topic) override;
  void pause(const Endpoint& session) override;
  void resume(const Endpoint& session) override;
  [[nodiscard]] std::uint64_t egress_bytes(const Endpoint& session) const override;
  void close(const Endpoint& session, const Error& error) override;

  // --- NodeBus ---
  void listen(const TopicId& topic) override { world.bus_->listen(number, topic); }
  void unlisten(const TopicId& topic) override { world.bus_->unlisten(number, topic); }
  void hint(const TopicId& topic, const NodeHint& hint) override;

  // --- PresenceExchange ---
  void put(UserId user, const storage::PresenceDelta& said) override;
  void read(std::vector<UserId> users, storage::PresenceStore::Found found) override;
  void watch(UserId user) override { world.bus_->listen(number, presence_topic(user)); }
  void unwatch(UserId user) override { world.bus_->unlisten(number, presence_topic(user)); }

  // --- TokenJudge ---
  Result<TokenProof, Error> judge(std::string_view token) override;

  // --- Router ---
  [[nodiscard]] std::uint32_t self() const override { return index; }
  [[nodiscard]] std::uint32_t shard_count() const override { return world.options_.shards; }
  void post(std::uint32_t to_shard, Parcel parcel) override;

  // --- MessageLog ---
  storage::StageResult stage(storage::Operation operation) override;
  [[nodiscard]] bool has_room(ConversationId, std::size_t rows, std::size_t) const override;
  [[nodiscard]] std::uint32_t retry_after_ms() const override { return 250; }

  // --- reads: executed at one moment, answered at a later one ---
  template <class T, class Run>
  void read(storage::Done<T> done, Run run);
  void load_conversation(ConversationId id,
                         storage::Done<storage::ConversationState> done) override;
  void read_page(const storage::PageQuery& query, storage::Done<storage::Page> done) override;
  void read_log(const storage::LogQuery& query, storage::Done<storage::LogPage> done) override;
  void read_last_seq(ConversationId id, storage::Done<Seq> done) override;
  void create_user(storage::User, storage::Done<UserId>) override { UPROAR_CHECK(false); }
  void find_user_by_name(std::string, storage::Done<storage::User>) override {
    UPROAR_CHECK(false);
  }
  void find_users(std::vector<UserId> ids, storage::Done<std::vector<storage::User>> done) override;
  void find_companions(UserId of, std::vector<UserId> users, storage::InDoubt in_doubt,
                       storage::Done<std::vector<UserId>> done) override;
  void ensure_user(UserId, std::string, std::int64_t, storage::Done<storage::User>) override;
  void set_last_online(UserId id, std::int64_t at_us) override;
  void create_session(storage::SessionRecord, storage::Done<SessionId>) override {
    UPROAR_CHECK(false);
  }
  void rotate_session(std::string, std::string, std::int64_t, std::int64_t,
                      storage::Done<storage::Rotation>) override;
  void revoke_session(SessionId, std::int64_t, storage::Done<bool>) override {
    UPROAR_CHECK(false);
  }
  void revoked_since(std::int64_t, storage::Done<std::vector<SessionId>>) override {
    UPROAR_CHECK(false);
  }
  void load_audiences(std::vector<UserId> users, storage::AudienceBounds bounds,
                      storage::Done<std::vector<storage::Audience>> done) override;
  void list_conversations(storage::ListQuery query,
                          storage::Done<storage::ConversationList> done) override;
  void view_conversation(ConversationId id, UserId viewer, std::uint32_t members_max,
                         storage::Done<ConversationView> done) override;
  void unread_conversations(UserId user, std::uint32_t limit,
                            storage::Done<std::vector<ConversationView>> done) override;
  void find_memberships(UserId user, std::vector<ConversationId> ids,
                        storage::Done<std::vector<ConversationId>> done) override;
  void find_writers(std::vector<storage::Writer> asked,
                    storage::Done<std::vector<storage::Writer>> done) override;

  // --- IdSource ---
  Uuid make(const Now&) override;

  // --- how they do it ---
  // To subscribers on this shard and on those of the bitmap.
  void send(const TopicId& topic, std::uint64_t remote_shards, const ServerEvent& event,
            Delivery delivery, const std::optional<Endpoint>& but);
  void link(std::uint32_t to, Delivered run);  // a shard of this node
  void say_to_nodes(const TopicId& topic, Seq seq, const ServerEvent& event);
  void arrived(const FakeBus::Item& item);
  [[nodiscard]] std::uint64_t all_others() const;  // shards of this node

  World& world;
  const std::uint32_t number;  // through all nodes
  const std::uint32_t first;   // of the node
  const std::uint32_t index;   // within the node
  std::unique_ptr<ChatShard> chat;
  std::map<TopicId, std::set<Endpoint>> topics;
  std::deque<storage::Operation> staged;
  std::deque<std::vector<storage::Outcome>> outcomes;
  std::deque<Read> reads;
  std::int64_t heard_us = 0;  // of the last put
};

}  // namespace uproar::chat::testing
