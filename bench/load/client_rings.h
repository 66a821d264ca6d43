#pragma once

// Many WebSocket clients on rings of our own, in one thread that never sleeps while it measures. Hot path: per frame.
// Allocations: 0 in the steady state.
//
// Sockets live in the rings' direct tables, which RLIMIT_NOFILE bounds per ring and not in sum: 250,000 clients need 13 rings and
// no privilege where the limit is 20,000. Source addresses are 127.0.0.1 to 127.0.0.63 with explicit ports, so that connect() does
// not search for one (docs/rings.md).

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime/io.h"
#include "core/runtime/ring.h"

namespace uproar::bench {

enum class ClientEnd : std::uint8_t {
  kRefused,  // the handshake was not answered by 101
  kClosed,   // a close frame or the end of the stream came
  kCut,      // by cut()
};

class ClientSink {
 public:
  virtual ~ClientSink() = default;
  // 101 was read: frames may be sent.
  virtual void on_open(std::uint32_t client) = 0;
  // One whole text or binary payload; the view dies with the call. `now_ns`: when its bytes were looked at.
  virtual void on_payload(std::uint32_t client, std::string_view payload, std::int64_t now_ns) = 0;
  // Its slot is free again: connect() may follow. `reason`: the answer's first line, or the close code and reason.
  virtual void on_end(std::uint32_t client, ClientEnd end, std::string_view reason) = 0;
};

class ClientRings {
 public:
  struct Options {
    // How many clients; each group has rings of its own, so that what comes for few is not looked at behind what comes for
    // many.
    std::vector<std::uint32_t> groups;
    std::vector<std::uint16_t> ports;  // on 127.0.0.1; clients take them in turn
    bool binary = false;               // what is sent
  };
  // Ends the program if a ring cannot be had.
  ClientRings(Options options, ClientSink& sink);
  ~ClientRings();
  ClientRings(const ClientRings&) = delete;
  ClientRings& operator=(const ClientRings&) = delete;

  // Connects (blocking: microseconds over loopback while the listener's backlog has room) and sends `request`, an HTTP upgrade.
  // `receive_bytes`: SO_RCVBUF, 0 for the kernel's choice. Ends the program when nobody listens.
  // REQUIRES: the client was never connected, or its on_end() has come.
  void connect(std::uint32_t client, const std::string& request, int receive_bytes = 0);
  // Queues a masked text (or binary) frame; goes out with the next turn.
  void send_payload(std::uint32_t client, std::string_view payload);
  // The same with an empty ping frame.
  void send_ping(std::uint32_t client);
  // Reads no more; what comes fills its socket.
  void stop_reading(std::uint32_t client);
  // Resets the connection without a goodbye; on_end(kCut) follows, unless it is ending already: then that on_end() does.
  void cut(std::uint32_t client);

  // Sends what was queued and handles what came. True: something was sent or came.
  bool turn();
  // Sleeps until something comes, but no longer than that; with several rings always that long.
  void wait(std::int64_t timeout_us);

  [[nodiscard]] std::uint64_t received_bytes() const { return received_bytes_; }

 private:
  enum class Stage : std::uint8_t { kFree, kUpgrading, kOpen, kEnding };
  struct Client {
    Stage stage = Stage::kFree;
    bool queued = false;   // in its ring's list of those with something to send
    bool blocked = false;  // its socket was full
    bool armed = false;
    bool reads = true;
    ClientEnd how =
        ClientEnd::kCut;  // kEnding: what on_end() will say, with `partial` as the reason
    std::uint16_t ring = 0;
    std::uint32_t generation = 0;
    std::uint64_t sure_at =
        0;  // its ring's `seen` from which on its last send can have no trouble any more
    std::string pending;  // to be sent
    std::string sending;  // given to the ring in the last turn
    std::string partial;  // of a frame or of the handshake's answer
  };
  struct ClientRing {
    std::unique_ptr<runtime::Ring> io;
    std::uint32_t first = 0;  // its clients are numbered on from here
    std::vector<std::uint32_t> queued = {};
    std::vector<std::uint32_t> sent = {};  // by the last flush
    std::uint64_t seen = 0;                // completions that were looked at
  };

  [[nodiscard]] ClientRing& ring_of(std::uint32_t client) { return rings_[clients_[client].ring]; }
  [[nodiscard]] std::uint32_t slot_of(std::uint32_t client) const {
    return client - rings_[clients_[client].ring].first;
  }
  void open_ring(std::uint32_t clients);
  [[nodiscard]] runtime::CompletionKey key(runtime::OpKind kind, std::uint32_t client) const {
    return {.kind = kind, .generation = clients_[client].generation, .slot = slot_of(client)};
  }
  [[nodiscard]] int connected_socket(std::uint32_t client, int receive_bytes);
  void queue(std::uint32_t client);
  void flush(ClientRing& ring);
  void submit(ClientRing& ring);
  void on_completion(std::uint32_t first, const runtime::Completion& completion);
  void on_recv(std::uint32_t client, const runtime::Completion& completion);
  void on_bytes(std::uint32_t client, std::string_view bytes);
  void on_send_trouble(std::uint32_t client, std::int32_t result);
  // Bytes of whole frames at the front; what is left waits for more.
  std::size_t take_frames(std::uint32_t client, std::string_view bytes);
  void arm(std::uint32_t client);
  void end(std::uint32_t client, ClientEnd end, std::string_view reason);
  void free_slot(std::uint32_t client);

  Options options_;
  ClientSink& sink_;
  std::vector<ClientRing> rings_;
  std::vector<Client> clients_;
  std::uint32_t source_ = 0;  // the next (address, port)
  std::uint64_t received_bytes_ = 0;
  std::int64_t now_ns_ = 0;
};

}  // namespace uproar::bench
