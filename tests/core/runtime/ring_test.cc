// Real rings over loopback. What is waited for is a completion; nothing sleeps.

#include "core/runtime/ring.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <future>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "ring_fixture.h"

namespace uproar::runtime {
namespace {

TEST_F(RingTest, CompletesInOrderWithTheKeyItWasGiven) {
  make_ring();
  ring->nop(key(OpKind::kCancel, 3, 0xABCDEF));
  ring->nop(key(OpKind::kClose, 0xFFFFFFFF, 1));
  const auto seen = wait();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].key, key(OpKind::kCancel, 3, 0xABCDEF));
  EXPECT_EQ(seen[1].key, key(OpKind::kClose, 0xFFFFFFFF, 1));
  EXPECT_EQ(seen[0].result, 0);
}

TEST_F(RingTest, SubmitsByItselfWhenTheQueueIsFullAndKeepsWhatOverflows) {
  make_ring({.sq_entries = 8,
             .cq_entries = 16,
             .direct_slots = 4,
             .recv_buffers = 4,
             .recv_buffer_bytes = 64});
  constexpr std::uint32_t kNops = 500;  // 16 fit into the completion queue
  for (std::uint32_t i = 0; i < kNops; ++i) ring->nop(key(OpKind::kClose, i));
  std::uint32_t next_slot = 0;
  while (next_slot < kNops) {
    const auto seen = wait();
    ASSERT_FALSE(seen.empty()) << next_slot;
    for (const Seen& one : seen) ASSERT_EQ(one.key.slot, next_slot++);
  }
  EXPECT_GT(ring->counters().cq_overflows.value(), 0U);
  EXPECT_EQ(ring->counters().completions.value(), kNops);
}

TEST_F(RingTest, ReapsNoMoreThanAsked) {
  make_ring();
  for (int i = 0; i < 10; ++i) ring->nop(key(OpKind::kClose));
  ring->submit_and_wait(10, kGiveUpUs);
  EXPECT_EQ(ring->ready(), 10U);
  EXPECT_EQ(look(3).size(), 3U);
  EXPECT_EQ(look().size(), 7U);
}

TEST_F(RingTest, AWaitEndsAtItsTimeoutWithoutACompletion) {
  make_ring();
  ring->submit_and_wait(1, 1);
  EXPECT_TRUE(look().empty());
}

TEST_F(RingTest, AcceptsPlainDescriptorsAdoptsThemAndReceives) {
  make_ring();
  const Listener listener;
  ring->arm_accept(listener.fd.get(), key(OpKind::kAccept, 9));
  std::vector<Fd> clients;
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    clients.push_back(listener.connect());
    const Seen accepted = next(OpKind::kAccept);
    EXPECT_TRUE(accepted.more);
    ASSERT_GE(accepted.result, 0);
    // The reason for a plain descriptor: whose connection is it?
    sockaddr_in peer{};
    sockaddr_in own{};
    socklen_t length = sizeof peer;
    ASSERT_EQ(::getpeername(accepted.result, reinterpret_cast<sockaddr*>(&peer), &length), 0);
    ASSERT_EQ(::getsockname(clients.back().get(), reinterpret_cast<sockaddr*>(&own), &length), 0);
    EXPECT_EQ(peer.sin_port, own.sin_port);
    ASSERT_TRUE(ring->adopt(slot, accepted.result));
    EXPECT_LT(::fcntl(accepted.result, F_GETFD), 0) << "the plain descriptor is closed";
    ring->arm_recv(slot, key(OpKind::kRecv, slot, slot + 100));
  }
  ring->submit();
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    const std::string text = "from " + std::to_string(slot);
    ASSERT_GT(::send(clients[slot].get(), text.data(), text.size(), 0), 0);
    const Seen received = next(OpKind::kRecv);
    EXPECT_EQ(received.key, key(OpKind::kRecv, slot, slot + 100));
    EXPECT_EQ(received.bytes, text);
    EXPECT_TRUE(received.more);
  }
  clients[1].reset();
  const Seen end = next(OpKind::kRecv);
  EXPECT_EQ(end.key.slot, 1U);
  EXPECT_EQ(end.result, 0);
  EXPECT_FALSE(end.more);
}

TEST_F(RingTest, AdoptsNonBlockingDescriptorsAsWaitingOnes) {
  make_ring();
  TcpPair pair = tcp_pair();
  ASSERT_EQ(::fcntl(pair.server.get(), F_SETFL, O_NONBLOCK), 0);
  ASSERT_TRUE(ring->adopt(0, pair.server.release()));
  ring->arm_recv(0, key(OpKind::kRecv));
  ring->submit_and_run();
  EXPECT_TRUE(look().empty()) << "a non-blocking file would answer -EAGAIN here";
  ASSERT_EQ(::send(pair.client.get(), "x", 1, 0), 1);
  EXPECT_EQ(next(OpKind::kRecv).bytes, "x");
}

TEST_F(RingTest, RefusesSlotsBeyondTheTableAndClosesTheConnection) {
  make_ring({.sq_entries = 8,
             .cq_entries = 16,
             .direct_slots = 2,
             .recv_buffers = 4,
             .recv_buffer_bytes = 64});
  ASSERT_EQ(ring->direct_slots(), 2U);
  TcpPair fits = tcp_pair();
  TcpPair too_many = tcp_pair();
  EXPECT_TRUE(ring->adopt(1, fits.server.release()));
  EXPECT_FALSE(ring->adopt(2, too_many.server.release()));
  EXPECT_EQ(ring->counters().adopts_refused.value(), 1U);
  char byte = 0;
  EXPECT_EQ(::recv(too_many.client.get(), &byte, 1, 0), 0) << "its peer hears the end";
}

// Out of descriptors the multishot ends by name, the waiting connection stays in the backlog, and
// arming again once there is room takes it.
TEST_F(RingTest, AnAcceptWithoutDescriptorsEndsAndLosesNoConnection) {
  make_ring();
  const Listener listener;
  const Fd client = listener.connect();
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const Fd last(::dup(client.get()));  // the lowest free number
  const rlimit none_left{.rlim_cur = static_cast<rlim_t>(last.get()) + 1,
                         .rlim_max = limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none_left), 0);
  ring->arm_accept(listener.fd.get(), key(OpKind::kAccept));
  const Seen refused = next(OpKind::kAccept);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(refused.result, -EMFILE);
  EXPECT_FALSE(refused.more);
  ring->arm_accept(listener.fd.get(), key(OpKind::kAccept));
  const Seen accepted = next(OpKind::kAccept);
  ASSERT_GE(accepted.result, 0);
  EXPECT_TRUE(ring->adopt(0, accepted.result));
}

TEST_F(RingTest, CutsTheTableToTheDescriptorLimit) {
  make_ring({.sq_entries = 8,
             .cq_entries = 16,
             .direct_slots = kDirectSlotsMax,
             .recv_buffers = 4,
             .recv_buffer_bytes = 64});
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, limit.rlim_max) << "the soft limit is raised";
  EXPECT_EQ(ring->direct_slots(), std::min<rlim_t>(limit.rlim_max, kDirectSlotsMax));
}

TEST_F(RingTest, ReturnsEachBufferWhenItsHandlerReturns) {
  make_ring();  // 8 buffers of 256 bytes
  TcpPair pair = tcp_pair();
  ASSERT_TRUE(ring->adopt(0, pair.server.release()));
  ring->arm_recv(0, key(OpKind::kRecv));
  ring->submit();
  const std::string text = pattern(200);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(::send(pair.client.get(), text.data(), text.size(), 0), 200);
    const Seen received = next(OpKind::kRecv);
    ASSERT_EQ(received.bytes, text);
    ASSERT_TRUE(received.more);
    ASSERT_EQ(ring->buffers_free(), 8U);
  }
  EXPECT_EQ(ring->counters().buffers_exhausted.value(), 0U);
  EXPECT_EQ(ring->counters().recv_bytes.value(), 20'000U);
}

TEST_F(RingTest, LendsBuffersWithReadablePaddingEvenTheLastOne) {
  make_ring();
  TcpPair pair = tcp_pair();
  ASSERT_TRUE(ring->adopt(0, pair.server.release()));
  ring->arm_recv(0, key(OpKind::kRecv));
  const std::string text = pattern(2048);  // fills all 8 buffers to their ends
  ASSERT_EQ(::send(pair.client.get(), text.data(), text.size(), 0),
            static_cast<ssize_t>(text.size()));
  std::size_t got = 0;
  unsigned sum = 0;
  while (got < text.size()) {
    ring->submit_and_wait(1, kGiveUpUs);
    bool ended = false;
    ring->reap(
        [&](const Completion& completion) {
          got += completion.buffer.size();
          for (std::size_t i = 0; i < completion.buffer.size() + kReadablePadding; ++i) {
            sum +=
                static_cast<unsigned>(completion.buffer.data()[i]);  // faults if it is not mapped
          }
          ended = ended || !completion.more;
        },
        100);
    if (ended) ring->arm_recv(0, key(OpKind::kRecv));
  }
  EXPECT_EQ(got, text.size());
  EXPECT_NE(sum, 0U);
}

// 2 buffers, 4 messages waiting: recv ends with -ENOBUFS, the connection lives, nothing is lost,
// and re-arming when
// buffers_free() says so goes on without spinning.
TEST_F(RingTest, StarvedReceiversLoseNothingAndAreRearmedWhenBuffersAreBack) {
  make_ring({.sq_entries = 16,
             .cq_entries = 64,
             .direct_slots = 8,
             .recv_buffers = 2,
             .recv_buffer_bytes = 64});
  std::vector<TcpPair> pairs;
  for (std::uint32_t slot = 0; slot < 4; ++slot) {
    pairs.push_back(tcp_pair());
    const std::string text = "message " + std::to_string(slot);
    ASSERT_GT(::send(pairs[slot].client.get(), text.data(), text.size(), 0), 0);
    ASSERT_TRUE(ring->adopt(slot, pairs[slot].server.release()));
    ring->arm_recv(slot, key(OpKind::kRecv, slot));
  }
  std::set<std::uint32_t> heard;
  std::uint64_t starved_total = 0;
  ring->submit_and_wait(4, kGiveUpUs);
  EXPECT_EQ(ring->buffers_free(), 0U) << "unreaped completions may hold them all";
  for (int rounds = 0; heard.size() < 4; ++rounds) {
    ASSERT_LT(rounds, 8);
    std::vector<std::uint32_t> starved;
    for (const Seen& seen : look()) {
      if (seen.result == -ENOBUFS) {
        EXPECT_FALSE(seen.more);
        starved.push_back(seen.key.slot);
      } else {
        EXPECT_EQ(seen.bytes, "message " + std::to_string(seen.key.slot));
        heard.insert(seen.key.slot);
      }
    }
    starved_total += starved.size();
    EXPECT_EQ(ring->buffers_free(), 2U) << "given back as they were read";
    for (const std::uint32_t slot : starved) ring->arm_recv(slot, key(OpKind::kRecv, slot));
    ring->submit_and_run();
  }
  EXPECT_GT(starved_total, 0U);
  EXPECT_EQ(ring->counters().buffers_exhausted.value(), starved_total);
}

// A quiet shard should not touch memory that only a busy one needs.
TEST_F(RingTest, OffersFewBuffersAtFirstAndTwiceAsManyEachTimeTheyRanOut) {
  make_ring({.sq_entries = 16,
             .cq_entries = 64,
             .direct_slots = 8,
             .recv_buffers = 8,
             .recv_buffer_bytes = 64,
             .recv_buffers_at_first = 2});
  EXPECT_EQ(ring->buffers_free(), 2U);
  std::vector<TcpPair> pairs;
  for (std::uint32_t slot = 0; slot < 4; ++slot) {
    pairs.push_back(tcp_pair());
    ASSERT_EQ(::send(pairs[slot].client.get(), "x", 1, 0), 1);
    ASSERT_TRUE(ring->adopt(slot, pairs[slot].server.release()));
    ring->arm_recv(slot, key(OpKind::kRecv, slot));
  }
  ring->submit_and_wait(4, kGiveUpUs);
  std::uint32_t starved = 0;
  std::uint32_t heard = 0;
  for (const Seen& seen : look()) ++(seen.result == -ENOBUFS ? starved : heard);
  EXPECT_EQ(heard, 2U);
  EXPECT_EQ(starved, 2U);
  EXPECT_EQ(ring->buffers_free(), 4U) << "one shortage is one doubling, however many it starved";
}

TEST_F(RingTest, ClosesInTheOrderThatThePeerHears) {
  make_ring();
  TcpPair pair = tcp_pair();
  ASSERT_TRUE(ring->adopt(0, pair.server.release()));
  const CompletionKey recv_key = key(OpKind::kRecv, 0, 5);
  ring->arm_recv(0, recv_key);
  ring->submit_and_run();
  ring->cancel(recv_key, key(OpKind::kCancel, 0, 5));
  const Seen ended = next(OpKind::kRecv);
  EXPECT_EQ(ended.result, -ECANCELED);
  EXPECT_FALSE(ended.more);
  ring->close(0, key(OpKind::kClose, 0, 5));
  const Seen closed = next(OpKind::kClose);
  EXPECT_EQ(closed.result, 0);
  char byte = 0;
  EXPECT_EQ(::recv(pair.client.get(), &byte, 1, 0), 0);
}

// Why the order matters: the armed recv holds the socket open.
TEST_F(RingTest, ACloseUnderAnArmedRecvSendsNoEndUntilTheRecvIsCancelled) {
  make_ring();
  TcpPair pair = tcp_pair();
  ASSERT_TRUE(ring->adopt(0, pair.server.release()));
  ring->arm_recv(0, key(OpKind::kRecv));
  ring->submit_and_run();
  ring->close(0, key(OpKind::kClose));
  EXPECT_EQ(next(OpKind::kClose).result, 0);
  char byte = 0;
  EXPECT_EQ(::recv(pair.client.get(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  ring->cancel(key(OpKind::kRecv), key(OpKind::kCancel));
  EXPECT_EQ(next(OpKind::kRecv).result, -ECANCELED);
  ring->submit_and_run();
  EXPECT_EQ(::recv(pair.client.get(), &byte, 1, 0), 0);
}

TEST_F(RingTest, CancelOfWhatHasEndedSaysSo) {
  make_ring();
  ring->cancel(key(OpKind::kRecv, 7, 7), key(OpKind::kCancel, 7, 7));
  EXPECT_EQ(next(OpKind::kCancel).result, -ENOENT);
}

TEST_F(RingTest, ClosingAnEmptySlotIsAnErrorNotACrash) {
  make_ring();
  ring->close(5, key(OpKind::kClose, 5));
  EXPECT_EQ(next(OpKind::kClose).result, -EBADF);
}

// A slot's second life: what the first one left in the queue is known by its generation, and its
// buffer goes back.
TEST_F(RingTest, LateCompletionsCarryTheGenerationTheyWereStartedFor) {
  make_ring();
  TcpPair first = tcp_pair();
  ASSERT_TRUE(ring->adopt(0, first.server.release()));
  ring->arm_recv(0, key(OpKind::kRecv, 0, 1));
  ring->submit_and_run();
  ASSERT_EQ(::send(first.client.get(), "late", 4, 0), 4);
  ring->submit_and_wait(1, kGiveUpUs);  // in the queue, not looked at
  ring->cancel(key(OpKind::kRecv, 0, 1), key(OpKind::kCancel, 0, 1));
  ring->close(0, key(OpKind::kClose, 0, 1));
  ring->submit_and_run();
  TcpPair second = tcp_pair();
  ASSERT_TRUE(ring->adopt(0, second.server.release()));
  ring->arm_recv(0, key(OpKind::kRecv, 0, 2));
  ASSERT_EQ(::send(second.client.get(), "new", 3, 0), 3);
  std::uint32_t stale = 0;
  std::string fresh;
  while (fresh.empty()) {
    for (const Seen& seen : wait()) {
      if (seen.key.kind != OpKind::kRecv) continue;
      if (seen.key.generation == 2) {
        fresh = seen.bytes;
      } else {
        ++stale;
      }
    }
  }
  EXPECT_EQ(fresh, "new");
  EXPECT_GE(stale, 1U);
  EXPECT_EQ(ring->buffers_free(), 8U);
}

TEST_F(RingTest, PollsPlainDescriptorsOnceOrUntilCancelled) {
  make_ring();
  const Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const std::uint64_t one = 1;
  ring->arm_poll(event.get(), POLLIN, key(OpKind::kPoll, 1), Ring::PollMode::kOnce);
  ring->arm_poll(event.get(), POLLIN, key(OpKind::kPoll, 2), Ring::PollMode::kMultishot);
  ring->submit_and_run();
  std::uint32_t once = 0;
  std::uint32_t multishot = 0;
  for (std::uint32_t written = 1; written <= 3; ++written) {
    ASSERT_EQ(::write(event.get(), &one, sizeof one), 8);
    while (multishot < written) {
      for (const Seen& seen : wait()) {
        EXPECT_NE(seen.result & POLLIN, 0);
        EXPECT_EQ(seen.more, seen.key.slot == 2);
        (seen.key.slot == 1 ? once : multishot) += 1;
      }
    }
  }
  EXPECT_EQ(once, 1U);
  ring->cancel(key(OpKind::kPoll, 2), key(OpKind::kCancel, 2));
  const Seen ended = next(OpKind::kPoll);
  EXPECT_EQ(ended.key.slot, 2U);
  EXPECT_EQ(ended.result, -ECANCELED);
  EXPECT_FALSE(ended.more);
}

TEST_F(RingTest, WakesARingThatSleepsOnAnotherThread) {
  make_ring();
  std::promise<int> sleeper_fd;
  std::thread sleeper([&] {
    auto made = Ring::create(small());
    ASSERT_TRUE(made.ok() && (*made)->enable().ok());
    Ring& other = **made;
    sleeper_fd.set_value(other.fd());
    std::vector<CompletionKey> keys;
    while (keys.empty()) {
      other.submit_and_wait(1, kGiveUpUs);
      other.reap([&](const Completion& completion) { keys.push_back(completion.key); }, 16);
    }
    EXPECT_EQ(keys[0], key(OpKind::kWake, 42));
    other.shut_down();
  });
  ring->wake(sleeper_fd.get_future().get(), 42);
  ring->submit();
  sleeper.join();
  ring->submit_and_run();
  EXPECT_TRUE(look().empty()) << "the sender hears nothing";
  EXPECT_EQ(ring->counters().wakes_sent.value(), 1U);
  EXPECT_EQ(ring->counters().wakes_refused.value(), 0U);
}

TEST_F(RingTest, CountsAWakeThatFailsAndGoesOn) {
  make_ring();
  const Fd not_a_ring(::eventfd(0, EFD_CLOEXEC));
  ring->wake(not_a_ring.get(), 1);
  ring->nop(key(OpKind::kClose));
  EXPECT_EQ(next(OpKind::kClose).result, 0);
  EXPECT_EQ(ring->counters().wakes_refused.value(), 1U);
}

TEST_F(RingTest, ShutDownEndsArmedOperationsAndClosesTheTable) {
  make_ring();
  TcpPair pair = tcp_pair();
  ASSERT_TRUE(ring->adopt(0, pair.server.release()));
  ring->arm_recv(0, key(OpKind::kRecv));
  ring->submit_and_run();
  ring->shut_down();
  char byte = 0;
  EXPECT_EQ(::recv(pair.client.get(), &byte, 1, 0), 0);
}

}  // namespace
}  // namespace uproar::runtime
