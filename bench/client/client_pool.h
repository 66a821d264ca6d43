#pragma once

// Many client connections in one thread: WebSocket clients, or plain TCP readers of the same frames. Hot path: per frame.
//
// poll() is one pass of an epoll loop that never sleeps, so that no delivery pays for waking the reader: the server's
// cost is then that of a reader who is always awake, in the floor's case too.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace uproar::bench {

class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // One whole text frame; the views die with the call. `frame` is header and payload.
  virtual void on_text(std::uint32_t client, std::string_view payload, std::string_view frame) = 0;
};

class ClientPool {
 public:
  ClientPool();
  ~ClientPool();
  ClientPool(const ClientPool&) = delete;
  ClientPool& operator=(const ClientPool&) = delete;

  // Connects clients() .. clients() + requests.size() - 1 to 127.0.0.1:port, sends each its request and waits for the
  // answer's end (an empty request: connected is enough). Anything but a 101 ends the program.
  void open(std::uint16_t port, const std::vector<std::string>& requests, FrameSink& sink);
  void close_all();

  // One pass over what is readable; never waits. True: something was.
  bool poll(FrameSink& sink);
  // Passes until nothing has come for `quiet_ms`.
  void drain(FrameSink& sink, int quiet_ms);

  // A masked text frame. Waits while the socket is full.
  void send_text(std::uint32_t client, std::string_view text);

  [[nodiscard]] std::uint32_t clients() const {
    return static_cast<std::uint32_t>(clients_.size());
  }
  // Passes that found something, and the time they took: the rest of the time the reader was idle.
  [[nodiscard]] std::int64_t busy_ns() const { return busy_ns_; }
  [[nodiscard]] std::uint64_t reads() const { return reads_; }

 private:
  enum class Stage : std::uint8_t { kConnecting, kUpgrading, kOpen, kClosed };
  struct Client {
    int fd = -1;
    Stage stage = Stage::kConnecting;
    std::string partial;  // of a frame or of the handshake's answer
  };

  void connect_one(std::uint16_t port, std::uint32_t index);
  void on_event(std::uint32_t index, FrameSink& sink);
  void on_connected(std::uint32_t index);
  void read(std::uint32_t index, FrameSink& sink);
  // Hands whole frames over; returns the bytes they took.
  std::size_t take_frames(std::uint32_t index, std::string_view bytes, FrameSink& sink);
  void send_frame(int fd, std::uint8_t first_byte, std::string_view payload);
  void send_bytes(int fd, std::string_view bytes);
  void opened(Client& client);

  int epoll_ = -1;
  std::vector<Client> clients_;
  const std::vector<std::string>* requests_ = nullptr;  // during open()
  std::uint32_t first_ = 0;                             // index of requests_[0]
  std::uint32_t opening_ = 0;
  std::int64_t busy_ns_ = 0;
  std::uint64_t reads_ = 0;
  std::string buffer_;
  std::string out_;
};

}  // namespace uproar::bench
