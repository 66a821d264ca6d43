// Two shards of two nodes on the bus in memory: what one says the other is told, and whatever is lost is told as lost.

#include "core/server/shard_bus.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/server/bus_words.h"
#include "proto/chat/server_event_encoder.h"
#include "storage/discovery.h"
#include "storage/limits.h"
#include "storage/memory/memory_bus.h"
#include "storage/presence_store.h"
#include "tests/storage/manual_reactor.h"

namespace uproar::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const ConversationId kRoom(Uuid{.high = 0x1111, .low = 0x8000000000000001});
const UserId kAnn(Uuid{.high = 0x2222, .low = 0x8000000000000002});
const chat::TopicId kRoomTopic = chat::topic_of(kRoom);
const chat::TopicId kAnnTopic = chat::topic_of(kAnn);

// What the shard was told, as text.
class Ear final : public ShardBus::Hearer {
 public:
  void on_node_event(const chat::TopicId& topic, Seq seq, chat::ServerEvent event,
                     ByteView payload) override {
    told.push_back("event " + name(topic) + " " + std::to_string(seq));
    events.push_back(std::move(event));
    payloads.emplace_back(as_text(payload));
  }
  void on_node_hint(const chat::TopicId& topic, const chat::NodeHint& hint) override {
    told.push_back("hint " + name(topic) + " " + std::to_string(static_cast<int>(hint.kind)) + " " +
                   std::to_string(hint.seq));
  }
  void on_listening(const chat::TopicId& topic) override {
    told.push_back("listening " + name(topic));
  }
  void on_gap() override { told.emplace_back("gap"); }
  void on_publish_lost(const chat::TopicId& topic) override {
    told.push_back("lost " + name(topic));
  }
  void on_presence(UserId user, const storage::BusMessage& message) override {
    const auto said = storage::decode_presence_delta(message.payload);
    told.push_back("presence " + name(chat::topic_of(user)) + " " +
                   (said ? std::to_string(said->devices) : "?"));
  }
  void on_presence_listening(UserId user) override {
    told.push_back("listening to presence of " + name(chat::topic_of(user)));
  }
  void on_presence_lost(UserId user) override {
    told.push_back("lost presence of " + name(chat::topic_of(user)));
  }
  void on_roll_call(const storage::NodeId& node, bool asks) override {
    told.push_back((asks ? "called by " : "answered by ") + node.text());
  }
  void on_nodes_poked() override { told.emplace_back("nodes"); }
  void on_revoked(const gateway::SessionRevoked& revoked) override {
    told.push_back("revoked " + revoked.session.text());
  }
  void on_revocations_missed() override { told.emplace_back("revocations"); }
  void on_bus_state(storage::BusState) override {}

  static std::string name(const chat::TopicId& topic) {
    return topic == kRoomTopic ? "room" : topic == kAnnTopic ? "ann" : "?";
  }
  [[nodiscard]] std::vector<std::string> take() { return std::exchange(told, {}); }

  std::vector<std::string> told;
  std::vector<chat::ServerEvent> events;
  std::vector<std::string> payloads;
};

class ShardBusTest : public ::testing::Test {
 protected:
  struct Node {
    Node(storage::MemoryBusHub& hub, storage::Reactor& reactor, std::uint64_t number)
        : bus(hub.connect(reactor, ports, storage::NodeId(Uuid{.high = number, .low = number}),
                          0)) {
      ports.connect(*bus);
    }
    ~Node() { ports.disconnect(); }
    Ear ear;
    ShardBus ports{ear};
    std::unique_ptr<storage::Bus> bus;
  };

  void SetUp() override {
    turn();
    ASSERT_TRUE(here_.ports.is_live() && there_.ports.is_live());
    // Logouts of before may have been missed, nothing else.
    ASSERT_THAT(there_.ear.take(), ElementsAre("revocations"));
    (void)here_.ear.take();
  }
  void turn() { reactor_.run_until_idle(); }
  void there_listens(const chat::TopicId& topic) {
    there_.ports.listen(topic);
    turn();
    (void)there_.ear.take();
  }
  static std::string event_text(Seq seq) {
    chat::MessageNew event;
    event.message.conversation = kRoom;
    event.message.seq = seq;
    event.message.no = seq;
    event.message.id = MessageId(Uuid{.high = 3, .low = 3});
    event.message.sender = kAnn;
    event.message.content = "hello";
    event.message.sent_at_us = 1'700'000'000'000'000;
    chat::JsonWriter json;
    chat::encode(chat::ServerEvent(event), {}, json);
    return std::string(json.text());
  }
  // As a node of another version would say it.
  void say(std::string_view channel, std::uint8_t kind, Seq seq, std::string_view payload) {
    ASSERT_EQ(here_.bus->publish(channel, kind, seq, as_bytes(payload)),
              storage::PublishResult::kQueued);
    turn();
  }

  storage::ManualReactor reactor_;
  storage::MemoryBusHub hub_;
  Node here_{hub_, reactor_, 1};
  Node there_{hub_, reactor_, 2};
};

TEST_F(ShardBusTest, TellsWhenATopicIsListenedToAndHandsOverEventsAsTheyCame) {
  there_.ports.listen(kRoomTopic);
  turn();
  EXPECT_THAT(there_.ear.take(), ElementsAre("listening room"));
  const std::string text = event_text(7);
  here_.ports.publish(kRoomTopic, 7, as_bytes(text));
  turn();
  EXPECT_THAT(there_.ear.take(), ElementsAre("event room 7"));
  EXPECT_THAT(there_.ear.payloads, ElementsAre(text));
  ASSERT_EQ(there_.ear.events.size(), 1U);
  EXPECT_EQ(std::get<chat::MessageNew>(there_.ear.events[0]).message.content, "hello");
  EXPECT_THAT(here_.ear.take(), IsEmpty()) << "a node does not hear itself";

  there_.ports.unlisten(kRoomTopic);
  here_.ports.publish(kRoomTopic, 8, as_bytes(event_text(8)));
  turn();
  EXPECT_THAT(there_.ear.take(), IsEmpty());
}

TEST_F(ShardBusTest, CarriesHintsToUsersAndConversations) {
  there_listens(kRoomTopic);
  there_listens(kAnnTopic);
  using Kind = chat::NodeHint::Kind;
  here_.ports.hint(kRoomTopic,
                   {.kind = Kind::kCommitted, .seq = 9, .conversation = {}, .session = {}});
  here_.ports.hint(kAnnTopic,
                   {.kind = Kind::kJoined, .seq = 4, .conversation = kRoom, .session = {}});
  turn();
  EXPECT_THAT(there_.ear.take(), ElementsAre("hint room 0 9", "hint ann 1 4"));
}

TEST_F(ShardBusTest, HandsPresenceToWhoWatchesTheUser) {
  const std::string channel = storage::presence_channel(kAnn);
  there_.bus->subscribe(channel);
  turn();
  EXPECT_THAT(there_.ear.take(), ElementsAre("listening to presence of ann"));
  const auto said = storage::encode_presence_delta({.devices = 2, .heard_us = 5});
  say(channel, static_cast<std::uint8_t>(BusKind::kPresence), 0, std::string(as_text(said)));
  EXPECT_THAT(there_.ear.take(), ElementsAre("presence ann 2"));
  there_.ports.on_publish_lost(std::vector<std::string>{channel}, false);
  EXPECT_THAT(there_.ear.take(), ElementsAre("lost presence of ann"));
}

TEST_F(ShardBusTest, MakesAHintOfADurableEventThatItDoesNotUnderstand) {
  there_listens(kRoomTopic);
  const auto event = static_cast<std::uint8_t>(BusKind::kEvent);
  const std::string channel = channel_of(kRoomTopic);
  say(channel, event, 12, R"({"type":"message.of_the_future","seq":12})");
  EXPECT_THAT(there_.ear.take(), ElementsAre("hint room 0 12")) << "committed: the store has it";
  say(channel, event, 0, "no JSON");
  EXPECT_THAT(there_.ear.take(), IsEmpty()) << "ephemeral: lost, as it may be";
  EXPECT_EQ(there_.ports.counters().undecodable.value(), 2U);
}

TEST_F(ShardBusTest, TakesAHintThatItDoesNotUnderstandForSomethingThatTheStoreKnows) {
  there_listens(kRoomTopic);
  there_listens(kAnnTopic);
  const auto hint = static_cast<std::uint8_t>(BusKind::kHint);
  say(channel_of(kRoomTopic), hint, 0, "\x7F");
  EXPECT_THAT(there_.ear.take(), ElementsAre("hint room 0 0"));
  say(channel_of(kAnnTopic), hint, 0, "\x7F");
  EXPECT_THAT(there_.ear.take(), IsEmpty());
}

TEST_F(ShardBusTest, CountsWhatItDoesNotKnowAndDropsIt) {
  there_listens(kRoomTopic);
  say(channel_of(kRoomTopic), 200, 5, "x");
  there_.bus->subscribe("of the future");
  turn();
  say("of the future", static_cast<std::uint8_t>(BusKind::kEvent), 5, event_text(5));
  EXPECT_THAT(there_.ear.take(), IsEmpty());
  EXPECT_EQ(there_.ports.counters().unknown.value(), 2U);
}

TEST_F(ShardBusTest, SaysThatItIsCommittedWhereAnEventIsTooLargeForTheBus) {
  there_listens(kRoomTopic);
  const std::string huge(storage::kBusPayloadBytesMax + 1, 'x');
  here_.ports.publish(kRoomTopic, 31, as_bytes(huge));
  here_.ports.publish(kRoomTopic, 0, as_bytes(huge));
  turn();
  EXPECT_THAT(there_.ear.take(), ElementsAre("hint room 0 31"));
}

TEST_F(ShardBusTest, TellsBothSidesOfAnInterruptionWhatMayBeMissing) {
  there_listens(kRoomTopic);
  hub_.go_down();
  turn();
  here_.ports.publish(kRoomTopic, 8, as_bytes(event_text(8)));
  here_.ports.hint(
      kAnnTopic,
      {.kind = chat::NodeHint::Kind::kAudience, .seq = 0, .conversation = {}, .session = {}});
  turn();
  EXPECT_THAT(there_.ear.take(), IsEmpty());
  hub_.come_back();
  turn();
  EXPECT_THAT(here_.ear.take(), ::testing::UnorderedElementsAre("gap", "revocations", "revocations",
                                                                "lost room", "lost ann"));
  // The gap is what a third node may have said while nobody could hear it.
  EXPECT_THAT(there_.ear.take(), ::testing::UnorderedElementsAre("gap", "revocations",
                                                                 "revocations", "listening room"));
  EXPECT_EQ(there_.ports.counters().gaps_heard.value(), 1U);
}

TEST_F(ShardBusTest, TellsEverybodyWhenItCannotSayWhichOfItsChannelsLostSomething) {
  here_.ports.on_publish_lost({}, true);
  turn();
  EXPECT_THAT(there_.ear.take(), ElementsAre("gap", "revocations"));
  EXPECT_THAT(here_.ear.take(), IsEmpty()) << "its own state is not in doubt";
  EXPECT_EQ(here_.ports.counters().gaps_told.value(), 1U);
}

TEST_F(ShardBusTest, TellsEverybodyAgainWhenThatWordItselfWasLost) {
  hub_.go_down();
  turn();
  here_.ports.on_publish_lost({}, true);
  hub_.come_back();
  turn();
  EXPECT_EQ(here_.ports.counters().gaps_told.value(), 2U);
  // Whether the word comes before it is heard again or after: being heard again counts as a gap.
  EXPECT_THAT(there_.ear.take(), ::testing::Contains("gap"));
}

TEST_F(ShardBusTest, TellsEveryShardOfALogout) {
  const SessionId session(Uuid{.high = 5, .low = 5});
  here_.ports.publish_revoked({.session = session, .user = kAnn, .at_us = 7});
  turn();
  EXPECT_THAT(there_.ear.take(), ElementsAre("revoked " + session.text()));
}

TEST_F(ShardBusTest, HasTheStoreAskedForLogoutsThatDidNotLeave) {
  hub_.go_down();
  turn();
  here_.ports.publish_revoked(
      {.session = SessionId(Uuid{.high = 5, .low = 5}), .user = kAnn, .at_us = 7});
  hub_.come_back();
  turn();
  EXPECT_THAT(there_.ear.take(), ::testing::Contains("revocations"));
}

TEST_F(ShardBusTest, HasTheStoreAskedForLogoutsThatItDoesNotUnderstand) {
  const auto revoked = static_cast<std::uint8_t>(BusKind::kRevoked);
  say(kRevokedChannel, revoked, 0, "of the future");
  EXPECT_THAT(there_.ear.take(), ElementsAre("revocations"));
  EXPECT_EQ(there_.ports.counters().undecodable.value(), 1U);
  say(kRevokedChannel, revoked, 0, "");
  EXPECT_THAT(there_.ear.take(), ElementsAre("revocations"));
  EXPECT_EQ(there_.ports.counters().undecodable.value(), 1U) << "said on purpose";
}

TEST_F(ShardBusTest, PassesOnThatTheListOfNodesHasChanged) {
  there_.bus->subscribe(storage::kNodesChannel);
  turn();
  EXPECT_THAT(there_.ear.take(), ElementsAre("nodes")) << "it may have, before";
  say(storage::kNodesChannel, static_cast<std::uint8_t>(BusKind::kNodes), 0, "");
  EXPECT_THAT(there_.ear.take(), ElementsAre("nodes"));
}

TEST_F(ShardBusTest, AsksWhoIsThereAndAnswers) {
  here_.ports.join_roll_call();
  there_.ports.join_roll_call();
  turn();
  here_.ports.call_roll();
  turn();
  const std::string here = storage::NodeId(Uuid{.high = 1, .low = 1}).text();
  const std::string there = storage::NodeId(Uuid{.high = 2, .low = 2}).text();
  EXPECT_THAT(there_.ear.take(), ElementsAre("called by " + here));
  there_.ports.answer_roll_call();
  turn();
  EXPECT_THAT(here_.ear.take(), ElementsAre("answered by " + there));
}

TEST_F(ShardBusTest, SaysNothingOnceItIsDisconnected) {
  there_listens(kRoomTopic);
  here_.ports.disconnect();
  here_.ports.publish(kRoomTopic, 1, as_bytes(event_text(1)));
  here_.ports.listen(kAnnTopic);
  here_.ports.on_publish_lost({}, true);
  turn();
  EXPECT_THAT(there_.ear.take(), IsEmpty());
}

}  // namespace
}  // namespace uproar::server
