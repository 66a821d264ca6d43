// The WebSocket layer on real-shaped payloads. "allocs" is calls of operator new per iteration; on
// the path of a whole frame it must be 0. Buffers of partial messages come from the pool by realloc:
// "held_bytes" says how many bytes the pool holds, 0 on that path.
//
// Frames are unmasked in place, so each round restores the masked bytes first: the frame and
// assembler figures include that copy (BM_CopyOnly shows what it costs).

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "proto/ws/deflate.h"
#include "proto/ws/frame_parser.h"
#include "proto/ws/frame_writer.h"
#include "proto/ws/message_assembler.h"
#include "proto/ws/unmask.h"
#include "proto/ws/utf8.h"

namespace {
std::atomic<std::uint64_t> allocations{0};
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* raw = std::malloc(bytes);
  if (raw == nullptr) std::abort();
  return raw;
}
[[gnu::noinline]] void operator delete(void* raw) noexcept {
  std::free(raw);
}
[[gnu::noinline]] void operator delete(void* raw, std::size_t) noexcept {
  std::free(raw);
}

namespace uproar::ws {
namespace {

constexpr char kMask[] = "\x37\xfa\x21\x3d";

std::string event(std::size_t bytes) {
  std::string out =
      R"({"type":"message.send","conversation_id":"0192f3a4-7b1c-7def-8123-456789abcdef",)"
      R"("client_id":"7","content":")";
  static constexpr std::string_view kWords = "the quick brown fox jumps over the lazy dog; ";
  while (out.size() + 2 < bytes) out.push_back(kWords[out.size() % kWords.size()]);
  out.resize(bytes - 2);
  return out + "\"}";
}

std::string client_text(std::string_view payload) {
  std::string out = "\x81";
  if (payload.size() <= 125) {
    out.push_back(static_cast<char>(0x80 | payload.size()));
  } else {
    out += {static_cast<char>(0xFE), static_cast<char>(payload.size() >> 8),
            static_cast<char>(payload.size() & 0xFF)};
  }
  out.append(kMask, 4);
  for (std::size_t i = 0; i < payload.size(); ++i)
    out.push_back(static_cast<char>(payload[i] ^ kMask[i % 4]));
  return out;
}

class AllocationCount {
 public:
  explicit AllocationCount(benchmark::State& state) : state_(state), before_(allocations.load()) {}
  // Per iteration. Call before anything else is reported: counters allocate too.
  void report() {
    const auto made = static_cast<double>(allocations.load() - before_);
    state_.counters["allocs"] = made / static_cast<double>(state_.iterations());
  }

 private:
  benchmark::State& state_;
  std::uint64_t before_;
};

void finish(benchmark::State& state, std::size_t bytes_each, std::size_t events_each = 1) {
  state.SetBytesProcessed(
      static_cast<std::int64_t>(static_cast<std::size_t>(state.iterations()) * bytes_each));
  state.SetItemsProcessed(
      static_cast<std::int64_t>(static_cast<std::size_t>(state.iterations()) * events_each));
}

void BM_Unmask(benchmark::State& state) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)) + 8);
  const std::span<std::byte> payload = std::span(bytes).subspan(8);  // as behind an 8-byte header
  for (auto _ : state) {
    unmask(payload, 0x3D21FA37);
    benchmark::ClobberMemory();
  }
  finish(state, payload.size());
}
BENCHMARK(BM_Unmask)->Arg(32)->Arg(128)->Arg(1024)->Arg(16384)->Arg(1 << 20);

void BM_Utf8(benchmark::State& state, std::string_view unit) {
  std::string text;
  while (text.size() < static_cast<std::size_t>(state.range(0))) text += unit;
  for (auto _ : state) benchmark::DoNotOptimize(is_utf8(as_bytes(text)));
  finish(state, text.size());
}
BENCHMARK_CAPTURE(BM_Utf8, ascii, "the quick brown fox ")->Arg(128)->Arg(16384);
BENCHMARK_CAPTURE(BM_Utf8, cyrillic, "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82 ")
    ->Arg(128)
    ->Arg(16384);
BENCHMARK_CAPTURE(BM_Utf8, chinese, "\xE6\xBC\xA2\xE5\xAD\x97")->Arg(128)->Arg(16384);
BENCHMARK_CAPTURE(BM_Utf8, emoji_in_ascii, "that is good news \xF0\x9F\x98\x80 ")
    ->Arg(128)
    ->Arg(16384);

// One read's worth of frames, as a busy socket delivers them.
constexpr std::size_t kFramesPerInput = 16;

std::string input_of(std::size_t payload_bytes) {
  std::string out;
  for (std::size_t i = 0; i < kFramesPerInput; ++i) out += client_text(event(payload_bytes));
  return out;
}

void BM_CopyOnly(benchmark::State& state) {
  const std::string wire = input_of(128);
  std::vector<std::byte> buffer(wire.size() + kPayloadPaddingBytes);
  for (auto _ : state) {
    std::memcpy(buffer.data(), wire.data(), wire.size());
    benchmark::ClobberMemory();
  }
  finish(state, wire.size(), kFramesPerInput);
}
BENCHMARK(BM_CopyOnly);

void BM_FrameParser(benchmark::State& state) {
  const std::string wire = input_of(static_cast<std::size_t>(state.range(0)));
  std::vector<std::byte> buffer(wire.size() + kPayloadPaddingBytes);
  FrameParser parser({});
  AllocationCount count(state);
  for (auto _ : state) {
    std::memcpy(buffer.data(), wire.data(), wire.size());
    std::span<std::byte> rest = std::span(buffer).first(wire.size());
    for (;;) {
      const FrameStep step = parser.step(rest);
      if (step.status != FrameStatus::kPayload) break;
      benchmark::DoNotOptimize(step.payload.data());
      rest = rest.subspan(step.consumed);
    }
  }
  count.report();
  finish(state, wire.size(), kFramesPerInput);
}
BENCHMARK(BM_FrameParser)->Arg(128)->Arg(1024);

void BM_AssemblerPassThrough(benchmark::State& state) {
  const std::string wire = input_of(static_cast<std::size_t>(state.range(0)));
  std::vector<std::byte> buffer(wire.size() + kPayloadPaddingBytes);
  AssemblerPool pool;
  MessageAssembler assembler({});
  AllocationCount count(state);
  for (auto _ : state) {
    std::memcpy(buffer.data(), wire.data(), wire.size());
    std::span<std::byte> rest = std::span(buffer).first(wire.size());
    for (;;) {
      const AssemblerEvent event = assembler.step(rest, pool);
      if (event.kind != EventKind::kText) break;
      benchmark::DoNotOptimize(event.payload.data());
      rest = rest.subspan(event.consumed);
    }
  }
  count.report();
  finish(state, wire.size(), kFramesPerInput);
  state.counters["held_bytes"] = static_cast<double>(pool.bytes_held());
}
BENCHMARK(BM_AssemblerPassThrough)->Arg(128)->Arg(1024);

// A message that the end of a read cuts in two: one copy, buffers from the pool.
void BM_AssemblerCutByReads(benchmark::State& state) {
  const std::string wire = client_text(event(static_cast<std::size_t>(state.range(0))));
  std::vector<std::byte> buffer(wire.size() + kPayloadPaddingBytes);
  AssemblerPool pool;
  MessageAssembler assembler({});
  const auto feed = [&](std::span<std::byte> rest) {
    for (;;) {
      const AssemblerEvent event = assembler.step(rest, pool);
      rest = rest.subspan(event.consumed);
      if (event.kind == EventKind::kNeedMore) return;
      benchmark::DoNotOptimize(event.payload.data());
    }
  };
  const auto round = [&] {
    std::memcpy(buffer.data(), wire.data(), wire.size());
    const std::span<std::byte> all = std::span(buffer).first(wire.size());
    feed(all.first(wire.size() / 2));
    feed(all.subspan(wire.size() / 2));
  };
  round();  // fills the pool
  AllocationCount count(state);
  for (auto _ : state) round();
  count.report();
  finish(state, wire.size());
}
BENCHMARK(BM_AssemblerCutByReads)->Arg(128)->Arg(1024)->Arg(32768);

void BM_AssemblerInflate(benchmark::State& state) {
  Deflater deflater;
  const std::string payload = event(static_cast<std::size_t>(state.range(0)));
  std::string wire = client_text(as_text(deflater.compress_payload(as_bytes(payload))));
  wire[0] = static_cast<char>(0xC1);
  std::vector<std::byte> buffer(wire.size() + kPayloadPaddingBytes);
  AssemblerPool pool;
  MessageAssembler assembler({.deflate = true});
  const auto round = [&] {
    std::memcpy(buffer.data(), wire.data(), wire.size());
    const std::span<std::byte> all = std::span(buffer).first(wire.size());
    const AssemblerEvent event = assembler.step(all, pool);
    if (event.kind != EventKind::kText) state.SkipWithError("not a text");
    benchmark::DoNotOptimize(event.payload.data());
    (void)assembler.step(all.subspan(event.consumed), pool);
  };
  round();
  AllocationCount count(state);
  for (auto _ : state) round();
  count.report();
  finish(state, payload.size());
}
BENCHMARK(BM_AssemblerInflate)->Arg(512)->Arg(8192);

void BM_FrameWriter(benchmark::State& state) {
  const std::string payload = event(static_cast<std::size_t>(state.range(0)));
  AllocationCount count(state);
  for (auto _ : state) {
    const SharedBytes frame = text_frame(payload);
    benchmark::DoNotOptimize(frame.data());
  }
  count.report();
  finish(state, payload.size());
}
BENCHMARK(BM_FrameWriter)->Arg(128)->Arg(1024);

void BM_ControlFrame(benchmark::State& state) {
  AllocationCount count(state);
  for (auto _ : state) {
    const ControlFrame frame = control_frame(Opcode::kPong, as_bytes("heartbeat"));
    benchmark::DoNotOptimize(frame.view().data());
  }
  count.report();
  finish(state, 11);
}
BENCHMARK(BM_ControlFrame);

void BM_Deflate(benchmark::State& state) {
  Deflater deflater({.level = static_cast<int>(state.range(1))});
  const std::string payload = event(static_cast<std::size_t>(state.range(0)));
  std::size_t compressed = deflater.compress_payload(as_bytes(payload)).size();
  AllocationCount count(state);
  for (auto _ : state) {
    const SharedBytes frame = deflater.compress(Opcode::kText, as_bytes(payload));
    benchmark::DoNotOptimize(frame.data());
  }
  count.report();
  finish(state, payload.size());
  state.counters["ratio"] = static_cast<double>(compressed) / static_cast<double>(payload.size());
}
BENCHMARK(BM_Deflate)->ArgsProduct({{512, 8192}, {1, 6}});

}  // namespace
}  // namespace uproar::ws
