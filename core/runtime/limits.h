#pragma once

// Bounds of core/runtime, with the arithmetic that chose them. Measured figures: docs/rings.md.

#include <cstdint>

namespace uproar::runtime {

// Submission queue of a shard. Larger batches than 1,024 gained nothing in a fan-out of 10,000
// sockets.
inline constexpr std::uint32_t kSqEntries = 1024;

// Completion queue: one turn may see every armed multishot of a busy moment (4,096 buffers), the
// trouble of two full submission batches (2,048) and cancels and closes beside them; twice that,
// next power of two. 16,384 * 16 bytes = 256 KiB per shard.
inline constexpr std::uint32_t kCqEntries = 16'384;

// Receive buffers of a shard: 4,096 * 2 KiB = 8 MiB. They are returned within the turn that reads
// them, so the number bounds what can arrive between two looks at the ring: at 1 M messages/s that
// is 4 ms.
inline constexpr std::uint32_t kRecvBuffers = 4096;
inline constexpr std::uint32_t kRecvBufferBytes = 2048;
// Of them the kernel is offered 32 (64 KiB) at first, and twice as many each time that more arrived
// between two looks: it takes them in turn, so a quiet shard would touch all 8 MiB as surely as a busy
// one. Seven doublings, each of which arms again the receives that came too late, last for ever.
inline constexpr std::uint32_t kRecvBuffersAtFirst = 32;
inline constexpr std::uint32_t kRecvBuffersMax = 32'768;  // the kernel's bound for one buffer ring

// A ring of 64 connections beside those of the shards: each has a receive, a send and a close at most in one turn, so 256
// entries; completions as above, 64 + 2 * 256, next power of two. About 50 KiB of locked memory.
inline constexpr std::uint32_t kSmallSqEntries = 256;
inline constexpr std::uint32_t kSmallCqEntries = 1024;
inline constexpr std::uint32_t kSmallRecvBuffers = 64;

// Direct-descriptor table: 65,536 * ~40 bytes of kernel memory = 2.5 MiB per shard. Bounded again
// at start by the hard RLIMIT_NOFILE (per table, not in sum over tables) and by the kernel's 2^20.
inline constexpr std::uint32_t kDirectSlots = 65'536;
inline constexpr std::uint32_t kDirectSlotsMax = 1U << 20;

// Kernel helper threads per shard: only shutdown() and slow closes ever run there.
inline constexpr std::uint32_t kKernelWorkersMax = 4;

// A submit that the kernel keeps refusing (no memory) is repeated this often with a yield between:
// seconds. After that the process is beyond help and says so.
inline constexpr std::uint32_t kSubmitTriesMax = 1'000'000;

// One turn of a shard. 4,096 completions * ~1.2 us = 5 ms at most before parcels, timers and sends
// get their share.
inline constexpr std::uint32_t kCompletionsPerTurnMax = 4096;
// A first look that brings this many suggests that more is waiting in the kernel (it runs about 20
// pending items per enter), so the turn enters again; this often at most.
inline constexpr std::uint32_t kDrainAgainCompletions = 16;
inline constexpr std::uint32_t kDrainRoundsMax = 8;
inline constexpr std::uint32_t kTasksPerTurnMax = 256;
// Fires and cascades, ~50 ns each without the handler.
inline constexpr std::uint32_t kTimerStepsPerTurnMax = 4096;
// Longest sleep without any deadline: a lost wake would show as this delay, not as a hang.
inline constexpr std::int64_t kSleepMaxUs = 1'000'000;

// Timers of a shard: 24 bytes each in chunks of 4,096 (96 KiB). 1,048,576 = 25 MiB at most.
inline constexpr std::uint32_t kTimersMax = 1U << 20;

// Results and tasks from threads without a ring.
inline constexpr std::uint32_t kInboxTasks = 4096;

// Blocking pool: argon2id takes ~20 ms and 19 MiB; 2 threads serve 100 logins/s, 64 waiting are 0.6 s
// of patience.
inline constexpr std::uint32_t kBlockingThreads = 2;
inline constexpr std::uint32_t kBlockingJobsMax = 64;
// Beside a busy shard on the same core a pool thread gets a tenth of it (weights 110 to 1,024), on an
// idle one all: a flood of logins waits for the talk, not the talk for the flood.
inline constexpr int kBlockingNice = 10;

// At the end of a start every thread is interrupted once. One that waits for a slow disk answers when
// that does.
inline constexpr std::uint32_t kThreadAnswerMs = 10'000;

static_assert(kCqEntries >= kRecvBuffers + 2 * kSqEntries,
              "the completion queue holds a busy turn");
static_assert(kSmallCqEntries >= kSmallRecvBuffers + 2 * kSmallSqEntries);
static_assert(kCompletionsPerTurnMax <= kCqEntries);
static_assert((kRecvBuffers & (kRecvBuffers - 1)) == 0 && kRecvBuffers <= kRecvBuffersMax);

}  // namespace uproar::runtime
