// What one command costs to decode and one event to encode, with allocations counted. Inputs are of real size: 128 bytes
// of text or data, ids as UUIDs.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "proto/chat/client_event_decoder.h"
#include "proto/chat/server_event_encoder.h"

namespace {
std::uint64_t g_allocations = 0;
}

// Not inlined: g++ would then see malloc'd blocks meet operator delete and warn.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++g_allocations;
  if (void* block = std::malloc(bytes)) return block;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
  std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}

namespace uproar::chat {
namespace {

constexpr std::string_view kText =
    "The quick brown fox jumps over the lazy dog and then, having nothing better to do, does it "
    "again; 128 bytes are soon full, so";
constexpr std::string_view kConversation = "018f4e3a-1c2d-7abc-8def-00000000000c";

// Times `run` and reports allocations for each.
template <class Run>
void measure(benchmark::State& state, std::size_t bytes, Run run) {
  run();  // buffers grow to their size
  const std::uint64_t before = g_allocations;
  for (auto _ : state) run();
  state.counters["allocs"] = benchmark::Counter(static_cast<double>(g_allocations - before),
                                                benchmark::Counter::kAvgIterations);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

void decode(benchmark::State& state, std::string text) {
  ClientEventDecoder decoder;
  const std::size_t bytes = text.size();
  text.resize(bytes + kDecodePaddingBytes);
  const MutableBytes payload{reinterpret_cast<std::byte*>(text.data()), bytes};
  measure(state, bytes, [&] {
    auto decoded = decoder.decode(payload, Now{});
    if (!decoded.ok()) std::abort();
    benchmark::DoNotOptimize(decoded);
  });
}

void decode_ping(benchmark::State& state) {
  decode(state, R"({"type":"ping"})");
}
void decode_send(benchmark::State& state) {
  decode(state, R"({"type":"message.send","id":17,"conversation_id":")" +
                    std::string(kConversation) + R"(","client_id":"c-1234","content":")" +
                    std::string(kText) + "\"}");
}
void decode_publish(benchmark::State& state) {
  decode(
      state,
      R"({"type":"event.publish","conversation_id":")" + std::string(kConversation) +
          R"(","name":"cursor","data":{"x":512.25,"y":-17,"tool":"pen","points":[[1,2],[3,4],[5,6],[7,8]],"text":"hello"}})");
}
void decode_read(benchmark::State& state) {
  decode(state, R"({"type":"message.read","conversation_id":")" + std::string(kConversation) +
                    R"(","seq":12345})");
}
BENCHMARK(decode_ping);
BENCHMARK(decode_send);
BENCHMARK(decode_publish);
BENCHMARK(decode_read);

template <class Event>
void encode_event(benchmark::State& state, const Event& event) {
  JsonWriter out;
  encode(event, {}, out);
  measure(state, out.size(), [&] {
    out.clear();
    encode(event, {}, out);
    benchmark::DoNotOptimize(out.text().data());
    benchmark::ClobberMemory();
  });
  state.counters["frame_bytes"] = static_cast<double>(out.size());
}

const ConversationId kId = *ConversationId::parse(kConversation);
const UserId kUser = UserId(kId.uuid());

Message message() {
  Message message;
  message.id = MessageId(kId.uuid());
  message.conversation = kId;
  message.seq = 12345;
  message.no = 12000;
  message.version = 12345;
  message.sender = kUser;
  message.client_id = "c-1234";
  message.content = kText;
  message.sent_at_us = 1'767'323'045'678'000;
  return message;
}

void encode_event_frame(benchmark::State& state) {
  encode_event(state, Event{.conversation = kId,
                            .sender = kUser,
                            .name = "cursor",
                            .data = '"' + std::string(kText) + '"'});
}
void encode_message_new(benchmark::State& state) {
  encode_event(state, MessageNew{message()});
}
void encode_message_sent(benchmark::State& state) {
  encode_event(state, MessageSent{.message = MessageId(kId.uuid()),
                                  .conversation = kId,
                                  .seq = 12345,
                                  .sent_at_us = 1'767'323'045'678'000});
}
void encode_history_page(benchmark::State& state) {
  HistoryPage page;
  page.conversation = kId;
  page.messages.assign(50, message());
  encode_event(state, page);
}
void write_escaped_text(benchmark::State& state) {  // every 16th byte a quote
  std::string text(4096, 'x');
  for (std::size_t i = 0; i < text.size(); i += 16) text[i] = '"';
  JsonWriter out;
  measure(state, text.size(), [&] {
    out.clear();
    out.string(text);
    benchmark::ClobberMemory();
  });
}
void write_plain_text(benchmark::State& state) {
  const std::string text(4096, 'x');
  JsonWriter out;
  measure(state, text.size(), [&] {
    out.clear();
    out.string(text);
    benchmark::ClobberMemory();
  });
}
BENCHMARK(encode_event_frame);
BENCHMARK(encode_message_new);
BENCHMARK(encode_message_sent);
BENCHMARK(encode_history_page);
BENCHMARK(write_plain_text);
BENCHMARK(write_escaped_text);

}  // namespace
}  // namespace uproar::chat
