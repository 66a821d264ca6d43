// What a send does when the socket fills: first the kernel's own truth table for the flags
// (io_uring with CQE_SKIP_SUCCESS), then the ring's sends, which are built on its last row.

#include <numeric>

#include <gtest/gtest.h>
#include <liburing.h>

#include "core/runtime/ring.h"
#include "core/runtime/uring_abi.h"
#include "ring_fixture.h"

namespace uproar::runtime {
namespace {

constexpr int kBufferBytes = 64 * 1024;
constexpr std::size_t kSends = 8;
constexpr std::size_t kSendBytes = 500'009;  // more than both ends' buffers: the first one is cut

enum class Operation : std::uint8_t { kSend, kSendmsg };

struct Outcome {
  std::size_t claimed_bytes =
      0;  // what a server would believe: all of a silent send, else what its completion says
  std::size_t arrived_bytes = 0;
  std::size_t completions = 0;
  std::size_t short_completions = 0;
  std::size_t refused_completions = 0;  // -EAGAIN
  bool first_trouble_is_short = false;
};

// Eight sends, one per submit, into a socket that nobody reads; what still waits is cancelled if
// `cancel_waiting`, else the reader starts and everything is waited for; then the end of the
// stream, and the bytes are counted.
class TruthTable : public ::testing::TestWithParam<Operation> {
 protected:
  static Outcome run(Operation operation, int flags, bool cancel_waiting) {
    Outcome outcome;
    io_uring ring{};
    io_uring_params params{};
    params.flags = abi::kShardSetup & ~static_cast<std::uint32_t>(IORING_SETUP_R_DISABLED);
    params.cq_entries = 256;
    EXPECT_EQ(::io_uring_queue_init_params(64, &ring, &params), 0);
    TcpPair pair = tcp_pair(kBufferBytes);
    const std::string text = pattern(kSends * kSendBytes);
    std::vector<std::int64_t> results(kSends, -1);  // -1: silent
    const auto reap = [&] {
      io_uring_cqe* cqe = nullptr;
      while (::io_uring_peek_cqe(&ring, &cqe) == 0) {
        if (outcome.completions++ == 0) outcome.first_trouble_is_short = cqe->res > 0;
        outcome.short_completions += cqe->res > 0 ? 1 : 0;
        outcome.refused_completions += cqe->res == -EAGAIN ? 1 : 0;
        results[cqe->user_data] = std::max(cqe->res, 0);
        ::io_uring_cqe_seen(&ring, cqe);
      }
    };
    std::vector<iovec> pieces(kSends);
    std::vector<msghdr> messages(kSends);
    for (std::size_t i = 0; i < kSends; ++i) {
      io_uring_sqe* entry = ::io_uring_get_sqe(&ring);
      const char* from = text.data() + i * kSendBytes;
      if (operation == Operation::kSend) {
        ::io_uring_prep_send(entry, pair.server.get(), from, kSendBytes, flags);
      } else {
        pieces[i] = {.iov_base = const_cast<char*>(from), .iov_len = kSendBytes};
        messages[i].msg_iov = &pieces[i];
        messages[i].msg_iovlen = 1;
        ::io_uring_prep_sendmsg(entry, pair.server.get(), &messages[i],
                                static_cast<unsigned>(flags));
      }
      entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
      entry->user_data = i;
      EXPECT_EQ(::io_uring_submit(&ring), 1);
      reap();
    }
    if (cancel_waiting) {
      io_uring_sync_cancel_reg all{};
      all.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
      all.timeout = {.tv_sec = -1, .tv_nsec = -1};
      (void)::io_uring_register_sync_cancel(&ring, &all);
      EXPECT_GE(::io_uring_get_events(&ring), 0);
      const std::size_t before = outcome.completions;
      reap();
      if (before == 0) outcome.first_trouble_is_short = false;
      EXPECT_EQ(::shutdown(pair.server.get(), SHUT_WR), 0);
      outcome.arrived_bytes = read_to_end(pair.client.get()).size();
    } else {
      std::string arrived;
      char piece[4096];
      while (arrived.size() < text.size()) {
        const ssize_t got = ::recv(pair.client.get(), piece, sizeof piece, MSG_DONTWAIT);
        if (got > 0) {
          arrived.append(piece, static_cast<std::size_t>(got));
          continue;
        }
        io_uring_cqe* cqe = nullptr;
        __kernel_timespec moment{.tv_sec = 0,
                                 .tv_nsec = 1'000'000};  // runs the retries as the window opens
        (void)::io_uring_wait_cqe_timeout(&ring, &cqe, &moment);
        reap();
      }
      outcome.arrived_bytes = arrived.size();
    }
    for (const std::int64_t result : results) {
      outcome.claimed_bytes += result < 0 ? kSendBytes : static_cast<std::size_t>(result);
    }
    ::io_uring_queue_exit(&ring);
    return outcome;
  }
};

TEST_P(TruthTable, WithoutFlagsAShortSendIsSilentAndItsBytesVanish) {
  const Outcome outcome = run(GetParam(), MSG_NOSIGNAL, true);
  EXPECT_LT(outcome.arrived_bytes, outcome.claimed_bytes);
  EXPECT_EQ(outcome.short_completions, 0U);
}

TEST_P(TruthTable, DontwaitAloneIsSilentAboutTheShortOneAndRefusesTheRest) {
  const Outcome outcome = run(GetParam(), MSG_NOSIGNAL | MSG_DONTWAIT, true);
  EXPECT_LT(outcome.arrived_bytes, outcome.claimed_bytes);
  EXPECT_EQ(outcome.short_completions, 0U);
  EXPECT_GT(outcome.refused_completions, 0U);
}

TEST_P(TruthTable, WaitallAloneBringsEverythingButHoldsTheBuffersUntilThen) {
  const Outcome outcome = run(GetParam(), MSG_NOSIGNAL | MSG_WAITALL, false);
  EXPECT_EQ(outcome.arrived_bytes, kSends * kSendBytes);
  EXPECT_EQ(outcome.completions, 0U);
}

TEST_P(TruthTable, DontwaitWithWaitallTellsTheShortOneAndRefusesTheRest) {
  const Outcome outcome = run(GetParam(), MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL, true);
  EXPECT_EQ(outcome.arrived_bytes, outcome.claimed_bytes);
  EXPECT_GE(outcome.short_completions, 1U);
  EXPECT_GT(outcome.refused_completions, 0U);
  EXPECT_TRUE(outcome.first_trouble_is_short);
  EXPECT_LT(outcome.arrived_bytes, kSends * kSendBytes)
      << "the socket did not fill: the row proves nothing";
}

INSTANTIATE_TEST_SUITE_P(Operations, TruthTable,
                         ::testing::Values(Operation::kSend, Operation::kSendmsg),
                         [](const auto& row) {
                           return row.param == Operation::kSend ? "Send" : "Sendmsg";
                         });

class RingSend : public RingTest, public ::testing::WithParamInterface<Operation> {
 protected:
  // Starts one send of `text` in one operation.
  void start(std::string_view text, CompletionKey send_key) {
    if (GetParam() == Operation::kSend) {
      ring->send(0, as_bytes(text), send_key);
      return;
    }
    const std::size_t half = text.size() / 2;
    pieces_[0] = {.iov_base = const_cast<char*>(text.data()), .iov_len = half};
    pieces_[1] = {.iov_base = const_cast<char*>(text.data()) + half, .iov_len = text.size() - half};
    message_ = {};
    message_.msg_iov = pieces_;
    message_.msg_iovlen = 2;
    ring->send_gather(0, &message_, send_key);
  }

 private:
  iovec pieces_[2] = {};
  msghdr message_ = {};
};

TEST_P(RingSend, ASuccessPostsNothingAndEndsInsideSubmit) {
  make_ring();
  TcpPair pair = tcp_pair();
  ASSERT_TRUE(ring->adopt(0, pair.server.release()));
  std::string text = "hello";
  start(text, key(OpKind::kSend));
  ring->submit();
  text = "XXXXX";  // nothing outlives submit
  ring->submit_and_run();
  EXPECT_TRUE(look().empty());
  char got[5] = {};
  ASSERT_EQ(::recv(pair.client.get(), got, 5, MSG_WAITALL), 5);
  EXPECT_EQ(std::string(got, 5), "hello");
}

// The whole life of a blocked socket: short, wait for POLLOUT, the rest; the peer reads one
// unbroken stream.
TEST_P(RingSend, ABlockedSocketGoesOnWhereItStopped) {
  make_ring();
  TcpPair pair = tcp_pair(kBufferBytes);
  ASSERT_TRUE(ring->adopt(0, pair.server.release()));
  const std::string text = pattern(1 << 20);
  std::size_t sent = 0;
  std::string arrived;
  char piece[65'536];
  std::uint32_t blocked = 0;
  while (sent < text.size()) {
    const std::string_view rest = std::string_view(text).substr(sent, 100'000);
    start(rest, key(OpKind::kSend));
    ring->submit();
    std::size_t took = rest.size();
    for (const Seen& seen : look()) {
      ASSERT_EQ(seen.key.kind, OpKind::kSend);
      ASSERT_TRUE(seen.result > 0 || seen.result == -EAGAIN) << seen.result;
      took = static_cast<std::size_t>(std::max(seen.result, 0));
    }
    sent += took;
    if (took == rest.size()) continue;
    ++blocked;
    ring->poll_writable(0, key(OpKind::kWritable));
    ring->submit();
    for (bool writable = false; !writable;) {
      const ssize_t got = ::recv(pair.client.get(), piece, sizeof piece, MSG_DONTWAIT);
      if (got > 0) arrived.append(piece, static_cast<std::size_t>(got));
      ring->submit_and_wait(1, 1000);
      for (const Seen& seen : look()) writable = writable || seen.key.kind == OpKind::kWritable;
    }
  }
  ring->shutdown_write(0, key(OpKind::kCancel));
  ring->submit();
  arrived += read_to_end(pair.client.get());
  EXPECT_GT(blocked, 1U);
  EXPECT_EQ(ring->counters().send_troubles.value(), blocked);
  EXPECT_TRUE(arrived == text) << arrived.size() << " of " << text.size()
                               << " bytes, or in another order";
  EXPECT_EQ(next(OpKind::kCancel).result, 0);
}

TEST_P(RingSend, ASendToAResetPeerIsACompletionNotASignal) {
  make_ring();
  TcpPair pair = tcp_pair();
  ASSERT_TRUE(ring->adopt(0, pair.server.release()));
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ASSERT_EQ(::setsockopt(pair.client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  pair.client.reset();  // RST
  start("hello", key(OpKind::kSend, 0, 3));
  const Seen seen = next(OpKind::kSend);
  EXPECT_EQ(seen.key, key(OpKind::kSend, 0, 3));
  EXPECT_TRUE(seen.result == -ECONNRESET || seen.result == -EPIPE) << seen.result;
}

TEST_P(RingSend, ASendIntoAnEmptySlotIsRefused) {
  make_ring();
  start("hello", key(OpKind::kSend));
  EXPECT_EQ(next(OpKind::kSend).result, -EBADF);
}

INSTANTIATE_TEST_SUITE_P(Operations, RingSend,
                         ::testing::Values(Operation::kSend, Operation::kSendmsg),
                         [](const auto& row) {
                           return row.param == Operation::kSend ? "Send" : "Sendmsg";
                         });

}  // namespace
}  // namespace uproar::runtime
