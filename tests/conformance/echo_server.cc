// A whole server on core/net and what is below it: every WebSocket message comes back with its type. No chat code is
// linked: the proof that the layer boundary is real, and the target of protocol test suites.
//
//   echo_server --listen HOST:PORT [--message-bytes-max N] [--deflate] [--connections-max N]
//
// One shard. Prints "listening on port N" when it accepts. SIGTERM and SIGINT close what is open with 4300 and end;
// a second one ends at once. GET / answers 200 {"ok":true}; POST answers with the body it was sent.

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/net/listener.h"
#include "core/net/shard_net.h"
#include "core/runtime/ring.h"
#include "core/runtime/shard_thread.h"
#include "proto/ws/deflate.h"
#include "proto/ws/frame_writer.h"
#include "proto/ws/limits.h"

namespace {

using namespace uproar;

struct Arguments {
  std::string listen = "127.0.0.1:9001";
  std::uint32_t message_bytes_max = ws::kMessageBytesMaxDefault;
  std::uint32_t connections_max = 16384;
  bool deflate = false;
};

volatile std::sig_atomic_t stop_signals = 0;

class EchoShard : public runtime::TurnHandler, public net::Handler {
 public:
  EchoShard(const Arguments& arguments, int listen_fd)
      : arguments_(arguments), listen_fd_(listen_fd) {}

  // --- runtime::TurnHandler ---

  Result<void, SystemError> on_start(runtime::ShardContext& context) override {
    context_ = &context;
    net::NetOptions options;
    options.connections_max = std::min(arguments_.connections_max, context.ring().direct_slots());
    options.message_bytes_max = arguments_.message_bytes_max;
    options.deflate = arguments_.deflate;
    options.control_frames_per_second_max = 1000;  // test suites ping in a burst
    options.handshakes_per_address_per_second_max = 0;
    options.ping_interval_ms = 0;
    // Room for the largest message twice over: the peer may send the next before it has read the last.
    options.egress_bytes_max = std::max<std::uint32_t>(4U << 20U, 4 * arguments_.message_bytes_max);
    net_ = std::make_unique<net::ShardNet>(context.ring(), *this, options);
    net_->add_listener(listen_fd_);
    return {};
  }
  void on_completion(const runtime::Completion& completion) override {
    net_->on_completion(completion, context_->now());
  }
  void on_tick(const Now& now) override {
    if (stop_signals > 0) net_->drain();
    net_->on_tick(now);
  }
  bool flush(const Now& now) override {
    const bool busy = net_->flush(now);
    if (stop_signals > 1 || net_->drained()) context_->stop();
    return busy;
  }
  std::int64_t next_deadline_us() const override {
    const std::int64_t soon = context_->now().monotonic_us + 100'000;  // looks for the signal
    return std::min(net_->next_deadline().value_or(soon), soon);
  }

  // --- net::Handler ---

  void on_request(net::ConnectionId id, const http::Request& request) override {
    if (request.method == "POST") {
      net_->respond(id, net::Reply{.content_type = "application/octet-stream",
                                   .body = as_text(request.body)});
    } else {
      net_->respond(id, net::Reply{.body = R"({"ok":true})"});
    }
  }
  net::UpgradeAnswer on_upgrade(net::ConnectionId, const http::Request&) override {
    return {.accept = true, .status = 0, .subprotocol = {}, .body = {}, .context = 0};
  }
  void on_open(net::ConnectionId) override {}
  void on_message(net::ConnectionId id, net::MessageKind kind, MutableBytes payload) override {
    const ws::Opcode opcode =
        kind == net::MessageKind::kText ? ws::Opcode::kText : ws::Opcode::kBinary;
    SharedBytes frame;
    if (net_->negotiated_deflate(id)) frame = deflater_.compress(opcode, payload);
    if (frame.empty()) frame = ws::frame(opcode, payload);
    (void)net_->send(id, frame, net::DeliveryClass::kMessage);
  }
  void on_ping(net::ConnectionId) override {}
  void on_drained(net::ConnectionId) override {}
  void on_closed(net::ConnectionId, net::CloseCause) override {}

 private:
  const Arguments arguments_;
  const int listen_fd_;
  runtime::ShardContext* context_ = nullptr;
  std::unique_ptr<net::ShardNet> net_;
  ws::Deflater deflater_;
};

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--deflate") {
      out.deflate = true;
      continue;
    }
    if (i + 1 >= argc) return std::nullopt;
    const char* value = argv[++i];
    if (name == "--listen") {
      out.listen = value;
    } else if (name == "--message-bytes-max") {
      const unsigned long bytes = std::strtoul(value, nullptr, 10);
      if (bytes < 1 || bytes > ws::kMessageBytesMaxCeiling) return std::nullopt;
      out.message_bytes_max = static_cast<std::uint32_t>(bytes);
    } else if (name == "--connections-max") {
      out.connections_max = static_cast<std::uint32_t>(std::strtoul(value, nullptr, 10));
    } else {
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = parse(argc, argv);
  if (!arguments) {
    std::fprintf(stderr,
                 "usage: echo_server --listen HOST:PORT [--message-bytes-max 1..%u] [--deflate]\n",
                 ws::kMessageBytesMaxCeiling);
    return 2;
  }
  const auto listening = net::listen_reuseport(arguments->listen);
  if (!listening.ok()) {
    std::fprintf(stderr, "%s\n", listening.error().text().c_str());
    return 1;
  }
  for (const int signal : {SIGTERM, SIGINT}) {
    std::signal(signal, [](int) { stop_signals = stop_signals + 1; });
  }
  EchoShard shard(*arguments, *listening);
  runtime::ShardThread thread({}, shard);
  if (const auto started = thread.start(); !started.ok()) {
    std::fprintf(stderr, "%s\n", started.error().text().c_str());
    return 1;
  }
  std::printf("listening on port %u\n", net::local_port(*listening));
  std::fflush(stdout);
  thread.join();
  ::close(*listening);
  return 0;
}
