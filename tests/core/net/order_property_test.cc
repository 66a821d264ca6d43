// Random traffic over a ring that cuts sends, starves receives and ends turns early. Afterwards, for each connection:
// every frame is whole and comes once; those of one topic are in order and none is missing, except behind an
// unsubscribe(kDrop); a direct send comes after everything published before it and before everything published later.

#include <map>
#include <random>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/core/net/sim_shard.h"

namespace uproar::net {
namespace {

struct Spoken {
  char kind = 'd';  // d: direct, t: topic
  std::uint64_t topic = 0;
  std::uint64_t number = 0;  // of all that was ever said, in order
};

struct Expected {
  // What it should hear by topic, one stretch per subscription. `dropped`: ended with kDrop, its tail may be missing.
  struct Stretch {
    std::vector<std::uint64_t> numbers;
    bool dropped = false;
  };
  std::map<std::uint64_t, std::vector<Stretch>> topics;
  std::vector<std::uint64_t> direct;
  std::set<std::uint64_t> subscribed;
  bool was_held = false;
  bool open = true;
};

class OrderProperty : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(OrderProperty, NothingIsLostDoubledTornOrReordered) {
  const std::uint64_t seed = GetParam();
  std::mt19937_64 random(seed);
  const auto chance = [&](std::uint64_t one_in) { return random() % one_in == 0; };
  NetOptions options;
  options.egress_bytes_max = 1U << 30U;
  options.egress_receipt_bytes_max = 1U << 30U;
  options.held_frames_max = 1U << 20U;
  options.held_bytes_max = 1U << 30U;
  SimShard shard(options, seed);
  shard.io.end_multishots = true;
  shard.io.recv_bytes_max = 0;

  constexpr std::size_t kConnections = 12;
  constexpr std::uint64_t kTopics = 5;
  std::vector<ConnectionId> ids;
  std::vector<Expected> expected(kConnections);
  for (std::size_t i = 0; i < kConnections; ++i) ids.push_back(shard.open());
  for (std::size_t i = 0; i < kConnections; ++i) {
    if (chance(2)) shard.io.socket(ids[i].slot).room = random() % 100;
  }

  std::uint64_t number = 0;
  const auto message = [&](char kind, std::uint64_t of_topic) {
    std::ostringstream out;
    out << kind << ' ' << of_topic << ' ' << number << ' ' << std::string(random() % 90, '.');
    return text(out.str());
  };
  for (int step = 0; step < 3000; ++step) {
    const std::size_t who = random() % kConnections;
    Expected& model = expected[who];
    const ConnectionId id = ids[who];
    const std::uint64_t of_topic = random() % kTopics;
    switch (random() % 13) {
      case 0:
      case 1:
        if (!model.open || model.subscribed.contains(of_topic)) break;
        model.subscribed.insert(of_topic);
        model.topics[of_topic].push_back({});
        EXPECT_NE(shard.net.subscribe(id, topic(of_topic)), SubscribeOutcome::kGone);
        break;
      case 2: {
        if (!model.open || !model.subscribed.contains(of_topic)) break;
        const bool drop = chance(2);
        model.subscribed.erase(of_topic);
        model.topics[of_topic].back().dropped = drop;
        EXPECT_NE(shard.net.unsubscribe(id, topic(of_topic),
                                        drop ? PendingFrames::kDrop : PendingFrames::kDeliver),
                  UnsubscribeOutcome::kNotThere);
        break;
      }
      case 3:
      case 4:
      case 5:
      case 6: {
        ++number;
        const bool excepting = chance(3) && model.open;
        for (std::size_t i = 0; i < kConnections; ++i) {
          if (!expected[i].open || !expected[i].subscribed.contains(of_topic)) continue;
          if (excepting && i == who) continue;
          expected[i].topics[of_topic].back().numbers.push_back(number);
        }
        shard.net.publish(topic(of_topic), message('t', of_topic), DeliveryClass::kMessage,
                          excepting ? id : ConnectionId{});
        break;
      }
      case 7:
        if (!model.open) break;
        ++number;
        model.direct.push_back(number);
        EXPECT_EQ(shard.net.send(id, message('d', 0), DeliveryClass::kMessage),
                  SendOutcome::kQueued);
        break;
      case 8:
        if (!model.open || who % 3 != 0) break;
        if (shard.net.is_held(id)) {
          shard.net.release(id);
        } else {
          model.was_held = true;
          shard.net.hold(id);
        }
        break;
      case 9: {
        Expected& owner = expected[who];
        if (!owner.open) break;
        auto& socket = shard.io.socket(id.slot);
        if (socket.room == SIZE_MAX && chance(4)) socket.room = random() % 200;
        if (socket.room != SIZE_MAX) shard.io.peer_reads(id.slot, random() % 400);
        break;
      }
      case 10:
        shard.io.buffers = chance(3) ? 0 : 64;
        break;
      case 11:
        if (!model.open || !model.subscribed.contains(of_topic)) break;
        ++number;
        model.topics[of_topic].back().numbers.push_back(number);
        EXPECT_EQ(shard.net.publish_to(id, topic(of_topic), message('t', of_topic)),
                  SendOutcome::kQueued);
        break;
      default:
        shard.turn(chance(3) ? random() % 4 : SIZE_MAX);
        break;
    }
  }
  shard.io.buffers = 64;
  for (std::size_t i = 0; i < kConnections; ++i) {
    shard.net.release(ids[i]);
    shard.io.peer_reads(ids[i].slot, SIZE_MAX);
  }
  shard.settle();

  for (std::size_t i = 0; i < kConnections; ++i) {
    const Expected& model = expected[i];
    std::string rest;
    std::map<std::uint64_t, std::vector<std::uint64_t>> heard;
    std::vector<std::uint64_t> direct;
    std::uint64_t newest_direct = 0;
    std::uint64_t newest_any = 0;
    for (const ServerFrame& frame : server_frames(shard.io.socket(ids[i].slot).wire, &rest)) {
      std::istringstream in(frame.payload);
      Spoken said;
      in >> said.kind >> said.topic >> said.number;
      ASSERT_FALSE(in.fail()) << "a torn frame: " << frame.payload;
      if (said.kind == 'd') {
        direct.push_back(said.number);
        if (!model.was_held) {
          ASSERT_GT(said.number, newest_any)
              << "overtaken by what was published later, seed " << seed;
        }
        newest_direct = said.number;
      } else {
        heard[said.topic].push_back(said.number);
        if (!model.was_held) {
          ASSERT_GT(said.number, newest_direct) << "came after a later send, seed " << seed;
        }
      }
      newest_any = std::max(newest_any, said.number);
    }
    EXPECT_TRUE(rest.empty()) << rest;
    EXPECT_EQ(direct, model.direct) << "connection " << i << " seed " << seed;
    for (const auto& [of_topic, stretches] : model.topics) {
      std::vector<std::uint64_t>& got = heard[of_topic];
      std::size_t at = 0;
      for (std::size_t nth = 0; nth < stretches.size(); ++nth) {
        const Expected::Stretch& stretch = stretches[nth];
        // kDrop forgets all of the topic that waits, also what an earlier stretch has left in the queue.
        const bool dropped =
            std::any_of(stretches.begin() + static_cast<std::ptrdiff_t>(nth), stretches.end(),
                        [](const Expected::Stretch& later) { return later.dropped; });
        for (const std::uint64_t wanted : stretch.numbers) {
          if (at < got.size() && got[at] == wanted) {
            ++at;
          } else {
            ASSERT_TRUE(dropped) << "connection " << i << " topic " << of_topic << " misses "
                                 << wanted << " seed " << seed;
            break;
          }
        }
      }
      EXPECT_EQ(at, got.size()) << "connection " << i << " topic " << of_topic
                                << " heard too much, seed " << seed;
    }
  }
  EXPECT_EQ(shard.net.counters().egress_bytes.value(), 0);
  EXPECT_EQ(shard.net.counters().sends_lost_track.value(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, OrderProperty, ::testing::Range<std::uint64_t>(1, 61));

// Closings of every kind in the middle of traffic: nothing is left behind, no slot is reused early (SimIo checks),
// every open is closed once.
TEST(ClosingProperty, EverySlotComesBackAndEveryOpenIsClosedOnce) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    NetOptions options;
    options.connections_max = 16;
    options.egress_bytes_max = 2000;
    SimShard shard(options, seed);
    shard.io.end_multishots = true;
    for (int step = 0; step < 1500; ++step) {
      const auto& opened = shard.handler.opened;
      const ConnectionId id =
          opened.empty()
              ? ConnectionId{}
              : opened[opened.size() - 1 - random() % std::min<std::size_t>(16, opened.size())];
      const bool live = !id.is_none() && shard.io.socket(id.slot).in_use;
      switch (random() % 10) {
        case 0:
        case 1:
          if (shard.io.accepting()) {
            shard.io.peer_connects();
            for (int i = 0; i < 4; ++i) shard.turn();
            for (std::uint32_t slot = 0; slot < 16; ++slot) {
              auto& socket = shard.io.socket(slot);
              if (!socket.in_use || !socket.wire.empty() || !socket.inbound.empty()) continue;
              shard.io.peer_says(slot, random() % 8 == 0 ? "BAD\r\n\r\n" : kUpgrade);
            }
          }
          break;
        case 2:
          shard.net.close(id, ws::CloseCode::kGoingAway);
          break;
        case 3:
          if (live) shard.io.peer_ends(id.slot);
          break;
        case 4:
          if (live) shard.io.socket(id.slot).room = random() % 50;
          break;
        case 5:
          if (live && !shard.io.socket(id.slot).peer_fin)
            shard.io.peer_says(id.slot, client_frame(8, ""));
          break;
        case 6:
          (void)shard.net.subscribe(id, topic(random() % 3));
          break;
        case 7:
          shard.net.publish(topic(random() % 3), text(std::string(random() % 300, 'x')),
                            DeliveryClass::kMessage);
          break;
        case 8:
          if (live && !shard.io.socket(id.slot).peer_fin)
            shard.io.peer_says(id.slot, random() % 2 == 0 ? "\x81\x01x" : client_frame(1, "ok"));
          break;
        default:
          shard.turn(random() % 3 == 0 ? 1 + random() % 3 : SIZE_MAX);
      }
      if (random() % 50 == 0) shard.pass_ms(500);
    }
    for (std::uint32_t slot = 0; slot < 16; ++slot) {
      if (shard.io.socket(slot).in_use) shard.io.peer_ends(slot);
    }
    shard.settle();
    for (int i = 0; i < 8; ++i) shard.pass_ms(20'000);
    EXPECT_EQ(shard.net.counters().connections.value(), 0) << "seed " << seed;
    EXPECT_EQ(shard.net.counters().websockets.value(), 0);
    EXPECT_EQ(shard.net.counters().egress_bytes.value(), 0);
    EXPECT_EQ(shard.net.counters().sends_lost_track.value(), 0U);
    std::vector<ConnectionId> opened = shard.handler.opened;
    std::vector<ConnectionId> closed = shard.handler.closed;
    std::sort(opened.begin(), opened.end());
    std::sort(closed.begin(), closed.end());
    EXPECT_EQ(opened, closed) << "seed " << seed;
  }
}

}  // namespace
}  // namespace uproar::net
