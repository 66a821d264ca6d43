// Fixed layouts that nodes leave for each other: records and presence.

#include "storage/node_record.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "storage/limits.h"
#include "storage/presence_store.h"

namespace uproar::storage {
namespace {

const NodeId kNode(Uuid{.high = 1, .low = 2});

TEST(NodeRecord, ComesBackAsItWentInEveryState) {
  for (const NodeState state : {NodeState::kLive, NodeState::kDraining, NodeState::kLeaving}) {
    NodeRecord record{.id = kNode,
                      .name = "chat-1",
                      .url = "wss://a=b.example",
                      .shards = 4,
                      .started_us = 1'795'342'800'000'000,
                      .state = state};
    EXPECT_EQ(decode_node_record(kNode, encode_node_record(record)), record);
    record.key_fingerprint = "5f0c";
    EXPECT_EQ(decode_node_record(kNode, encode_node_record(record)), record);
  }
}

TEST(NodeRecord, IsTextThatOperatorsRead) {
  EXPECT_EQ(encode_node_record({.id = kNode,
                                .name = "n",
                                .url = "u",
                                .shards = 2,
                                .started_us = 3,
                                .state = NodeState::kDraining}),
            "name=n\nurl=u\nshards=2\nstarted=3\nstate=draining\n");
}

TEST(NodeRecord, SkipsWhatANewerNodeSaysAndRefusesWhatIsNone) {
  EXPECT_TRUE(decode_node_record(kNode, "name=n\ncolour=blue").has_value());
  for (const std::string& text :
       {std::string(), std::string("name="), std::string("url=u"), std::string("name=n\nx"),
        std::string("name=n\nshards=x"), std::string("name=n\nshards=-1"),
        std::string("name=n\nstarted=-1"), std::string("name=n\nstate=odd"),
        std::string("name=n\r\n"), std::string("name=n\0", 7),
        "name=" + std::string(kNodeNameBytesMax + 1, 'n'),
        "name=n\nurl=" + std::string(kNodeUrlBytesMax + 1, 'u'),
        "name=n\nkey=" + std::string(kNodeKeyBytesMax + 1, 'k')})
    EXPECT_FALSE(decode_node_record(kNode, text).has_value()) << text;
}

TEST(PresenceDelta, ComesBackAsItWentAndNothingElseIsOne) {
  const PresenceDelta delta{.devices = 0x01020304, .heard_us = 0x05060708090A0B0C};
  const auto bytes = encode_presence_delta(delta);
  EXPECT_EQ(as_text(bytes),
            std::string_view("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C", 12));
  EXPECT_EQ(decode_presence_delta(bytes), delta);
  EXPECT_FALSE(decode_presence_delta(ByteView(bytes).first(11)).has_value());
  EXPECT_FALSE(decode_presence_delta(as_bytes(std::string(13, '\0'))).has_value());
  EXPECT_FALSE(decode_presence_delta(as_bytes(std::string(12, '\xff'))).has_value());
}

}  // namespace
}  // namespace uproar::storage
