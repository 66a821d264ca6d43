#pragma once

// Sentences over a World: people with names, who say things and hear things.

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/core/chat/world.h"

namespace uproar::chat::testing {

class Person {
 public:
  Person(World& world, Connection& connection) : world_(&world), connection_(&connection) {}

  [[nodiscard]] UserId id() const { return connection_->user; }
  [[nodiscard]] Connection& connection() const { return *connection_; }

  void says(ClientEvent event, RequestId id = "1") const {
    world_->say(*connection_, std::move(event), std::move(id));
  }
  void sends(ConversationId conversation, std::string content, std::string client_id = "") const {
    MessageSend send;
    send.conversation = conversation;
    send.content = std::move(content);
    send.client_id = client_id.empty() ? "c" + std::to_string(++count_) : std::move(client_id);
    says(std::move(send));
  }
  void forgets() const { connection_->inbox.clear(); }

  // What of this type was heard so far: answers (with id) and events.
  template <class T>
  [[nodiscard]] std::vector<T> heard() const {
    std::vector<T> out;
    for (const Heard& heard : connection_->inbox) {
      if (const auto* event = std::get_if<T>(&heard.event)) out.push_back(*event);
    }
    return out;
  }
  template <class T>
  [[nodiscard]] std::vector<T> answered() const {
    std::vector<T> out;
    for (const Heard& heard : connection_->inbox) {
      if (const auto* event = std::get_if<T>(&heard.event); event != nullptr && !heard.id.empty())
        out.push_back(*event);
    }
    return out;
  }
  template <class T>
  [[nodiscard]] std::vector<T> overheard() const {
    std::vector<T> out;
    for (const Heard& heard : connection_->inbox) {
      if (const auto* event = std::get_if<T>(&heard.event); event != nullptr && heard.id.empty())
        out.push_back(*event);
    }
    return out;
  }
  // The code of the last error, or kCount.
  [[nodiscard]] ErrorCode refused() const {
    const auto errors = heard<Error>();
    return errors.empty() ? ErrorCode::kCount : errors.back().code;
  }
  [[nodiscard]] std::vector<Seq> seqs() const {
    std::vector<Seq> out;
    for (const MessageNew& fresh : overheard<MessageNew>()) out.push_back(fresh.message.seq);
    return out;
  }
  // The messages that were heard, then the rows of the pages, in the order of each.
  [[nodiscard]] std::vector<Seq> rows() const {
    std::vector<Seq> out = seqs();
    for (const HistoryPage& page : heard<HistoryPage>()) {
      for (const Message& row : page.messages) out.push_back(row.seq);
    }
    return out;
  }

 private:
  World* world_;
  Connection* connection_;
  mutable int count_ = 0;
};

class ChatTest : public ::testing::Test {
 protected:
  explicit ChatTest(World::Options options = {}) : world(std::move(options)) {}

  Person connects(const std::string& name, std::uint32_t shard = 0, bool resume = false) {
    return {world, world.connect(world.user(name), shard, resume)};
  }
  // And does not sync: live traffic is released.
  Person arrives(const std::string& name, std::uint32_t shard = 0) {
    const Person person = connects(name, shard);
    world.advance_ms(kHoldMs);
    return person;
  }
  ConversationId exists(ConversationKind kind, const std::vector<std::string>& names) {
    const ConversationId id(Uuid{0xABCD, (1ULL << 63) | ++rooms_});
    storage::CreateConversation body{.kind = kind, .name = "room", .members = {}};
    for (const std::string& name : names) {
      const bool is_first = body.members.empty() && kind != ConversationKind::kDirect;
      body.members.push_back(
          {.user = world.user(name), .role = is_first ? Role::kOwner : Role::kMember});
    }
    (void)world.model().apply(
        {.ticket = 0, .conversation = id, .actor = body.members[0].user, .at_us = 1, .body = body});
    return id;
  }
  ConversationId group(const std::vector<std::string>& names) {
    return exists(ConversationKind::kGroup, names);
  }
  ConversationId channel(const std::vector<std::string>& names) {
    return exists(ConversationKind::kChannel, names);
  }
  [[nodiscard]] const ChatCounters& counters() { return world.shard(0).counters(); }

  World world;

 private:
  std::uint64_t rooms_ = 0;
};

}  // namespace uproar::chat::testing
