#include "bench/load/client_rings.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "bench/load/masked_frame.h"
#include "bench/load/program.h"
#include "bench/load/source_ports.h"

namespace uproar::bench {
namespace {

using runtime::Completion;
using runtime::OpKind;

constexpr std::uint32_t kClientsPerRingMax = 65'536;
constexpr std::uint32_t kDescriptorsApart = 64;  // of this process besides its clients
constexpr std::uint32_t kRecvBuffers = 1024;
constexpr std::uint32_t kRecvBufferBytes = 16 * 1024;
constexpr std::uint64_t kFrameBytesMax = 64ULL << 20;  // larger ones are no frames of a bench
constexpr std::uint32_t kCompletionsPerVisit = 256;    // then the other rings are looked at

// Tries in a row that are refused or reset before nobody is taken to listen.
constexpr std::uint32_t kRefusalsMax = 16;

// What a peer says, fit for a terminal and for JSON.
std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

int new_socket(int receive_bytes) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket: " + std::string(std::strerror(errno)));
  const int on = 1;
  // Cut with a reset in the end: thousands of sockets in TIME_WAIT would starve the next run of ports.
  const linger reset{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_bytes > 0)
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
  return fd;
}

}  // namespace

ClientRings::ClientRings(Options options, ClientSink& sink)
    : options_(std::move(options)), sink_(sink) {
  const std::uint64_t descriptors = raise_descriptor_limit();
  if (descriptors <= kDescriptorsApart)
    die("the limit of descriptors is " + std::to_string(descriptors) + ": raise it (ulimit -n)");
  const auto per_ring = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(descriptors - kDescriptorsApart, kClientsPerRingMax));
  for (const std::uint32_t group : options_.groups) {
    for (std::uint32_t rest = group; rest > 0;) {
      const std::uint32_t clients = std::min(rest, per_ring);
      open_ring(clients);
      rest -= clients;
    }
  }
}

void ClientRings::open_ring(std::uint32_t clients) {
  auto ring = runtime::Ring::create({.direct_slots = clients,
                                     .recv_buffers = kRecvBuffers,
                                     .recv_buffer_bytes = kRecvBufferBytes,
                                     .recv_buffers_at_first = kRecvBuffers});
  if (!ring) die("the load tool's ring: " + ring.error().text());
  if (auto enabled = (*ring)->enable(); !enabled)
    die("the load tool's ring: " + enabled.error().text());
  const auto first = static_cast<std::uint32_t>(clients_.size());
  clients_.resize(first + clients);
  for (std::uint32_t i = 0; i < clients; ++i)
    clients_[first + i].ring = static_cast<std::uint16_t>(rings_.size());
  rings_.push_back({.io = std::move(*ring), .first = first});
}

ClientRings::~ClientRings() {
  for (ClientRing& ring : rings_) ring.io->shut_down();
}

int ClientRings::connected_socket(std::uint32_t client, int receive_bytes) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(options_.ports[client % options_.ports.size()]);
  std::uint32_t refusals = 0;
  for (std::uint32_t tries = 0; tries < kClientsMax; ++tries) {
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source_ % kSourceAddresses);
    from.sin_port = htons(
        static_cast<std::uint16_t>(kFirstSourcePort + source_ / kSourceAddresses % kSourcePorts));
    ++source_;
    const int fd = new_socket(receive_bytes);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0 &&
        ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0)
      return fd;
    const int error = errno;
    ::close(fd);
    // Taken: by another program, or by a connection of the last run that the server has not let go yet.
    if (error == EADDRINUSE || error == EADDRNOTAVAIL) continue;
    const bool refused = error == ECONNREFUSED || error == ECONNRESET || error == ETIMEDOUT;
    if (!refused || ++refusals == kRefusalsMax)
      die("connect: " + std::string(std::strerror(error)) + " at client " + std::to_string(client));
  }
  die("no source port is free");
}

void ClientRings::connect(std::uint32_t client, const std::string& request, int receive_bytes) {
  Client& one = clients_[client];
  const int fd = connected_socket(client, receive_bytes);
  if (!ring_of(client).io->adopt(slot_of(client), fd))
    die("the ring refused client " + std::to_string(client));
  const std::uint32_t generation = one.generation + 1;
  const std::uint16_t ring = one.ring;
  one = Client();
  one.ring = ring;
  one.generation = generation & runtime::CompletionKey::kGenerationMask;
  one.stage = Stage::kUpgrading;
  one.pending = request;
  arm(client);
  queue(client);
}

void ClientRings::send_payload(std::uint32_t client, std::string_view payload) {
  if (clients_[client].stage != Stage::kOpen) return;
  append_masked_frame(clients_[client].pending, options_.binary ? kFinBinary : kFinText, payload);
  queue(client);
}

void ClientRings::send_ping(std::uint32_t client) {
  if (clients_[client].stage != Stage::kOpen) return;
  append_masked_frame(clients_[client].pending, kFinPing, {});
  queue(client);
}

void ClientRings::stop_reading(std::uint32_t client) {
  Client& one = clients_[client];
  one.reads = false;
  if (one.armed)
    ring_of(client).io->cancel(key(OpKind::kRecv, client), key(OpKind::kCancel, client));
}

void ClientRings::cut(std::uint32_t client) {
  Client& one = clients_[client];
  if (one.stage != Stage::kOpen && one.stage != Stage::kUpgrading) return;
  end(client, ClientEnd::kCut, {});
  if (!one.armed) free_slot(client);
}

bool ClientRings::turn() {
  std::size_t moved = 0;
  for (ClientRing& ring : rings_) {
    flush(ring);
    submit(ring);
    moved += ring.sent.size();
    if (ring.io->ready() == 0) continue;
    now_ns_ = monotonic_ns();
    const unsigned came =
        ring.io->reap([&](const Completion& completion) { on_completion(ring.first, completion); },
                      kCompletionsPerVisit);
    ring.seen += came;
    moved += came;
  }
  return moved > 0;
}

void ClientRings::wait(std::int64_t timeout_us) {
  if (rings_.size() == 1) return rings_.front().io->submit_and_wait(1, timeout_us);
  std::this_thread::sleep_for(std::chrono::microseconds(timeout_us));
}

void ClientRings::queue(std::uint32_t client) {
  Client& one = clients_[client];
  if (one.queued || one.blocked) return;
  one.queued = true;
  ring_of(client).queued.push_back(client);
}

// Bytes must not be sent behind those of a send that fell short, and a visit may end before it comes to that completion: whose
// last send is not certain yet waits for a later flush.
void ClientRings::flush(ClientRing& ring) {
  ring.sent.clear();
  std::size_t waiting = 0;
  for (const std::uint32_t client : ring.queued) {
    Client& one = clients_[client];
    if (one.sure_at > ring.seen) {
      ring.queued[waiting++] = client;
      continue;
    }
    one.queued = false;
    if (one.blocked || one.pending.empty() || one.stage == Stage::kFree ||
        one.stage == Stage::kEnding)
      continue;
    one.sending.swap(one.pending);
    one.pending.clear();
    ring.io->send(slot_of(client), as_bytes(one.sending), key(OpKind::kSend, client));
    ring.sent.push_back(client);
  }
  ring.queued.resize(waiting);
}

// A send's trouble is among the completions when the submission returns (io.h), and nothing but submissions adds any: 16,384 fit,
// far more than sends that fall short in one flush.
void ClientRings::submit(ClientRing& ring) {
  ring.io->submit_and_run();
  const std::uint64_t sure_at = ring.seen + ring.io->ready();
  for (const std::uint32_t client : ring.sent) clients_[client].sure_at = sure_at;
}

void ClientRings::on_completion(std::uint32_t first, const Completion& completion) {
  const std::uint32_t client = first + completion.key.slot;
  if (client >= clients_.size() || completion.key.generation != clients_[client].generation) return;
  Client& one = clients_[client];
  switch (completion.key.kind) {
    case OpKind::kRecv:
      return on_recv(client, completion);
    case OpKind::kSend:
      return on_send_trouble(client, completion.result);
    case OpKind::kWritable:
      one.blocked = false;
      return queue(client);
    case OpKind::kClose:
      one.stage = Stage::kFree;
      return sink_.on_end(client, one.how, std::string(std::move(one.partial)));
    default:
      return;
  }
}

void ClientRings::on_recv(std::uint32_t client, const Completion& completion) {
  Client& one = clients_[client];
  if (!completion.more) one.armed = false;
  if (completion.result > 0) {
    const std::string_view bytes = {reinterpret_cast<const char*>(completion.buffer.data()),
                                    completion.buffer.size()};
    received_bytes_ += bytes.size();
    if (one.stage != Stage::kEnding && one.reads) on_bytes(client, bytes);
  } else if (completion.result != -ENOBUFS && completion.result != -ECANCELED &&
             one.stage != Stage::kEnding) {
    end(client, ClientEnd::kClosed,
        completion.result == 0 ? "the stream ended" : std::strerror(-completion.result));
  }
  if (one.armed) return;
  if (one.stage == Stage::kEnding)
    free_slot(client);
  else if (one.reads)
    arm(client);
}

void ClientRings::arm(std::uint32_t client) {
  clients_[client].armed = true;
  ring_of(client).io->arm_recv(slot_of(client), key(OpKind::kRecv, client));
}

void ClientRings::on_send_trouble(std::uint32_t client, std::int32_t result) {
  Client& one = clients_[client];
  if (result < 0 && result != -EAGAIN) return;  // the receive side says how it ended
  one.pending.insert(0, one.sending, static_cast<std::size_t>(std::max(result, 0)));
  one.blocked = true;
  ring_of(client).io->poll_writable(slot_of(client), key(OpKind::kWritable, client));
}

void ClientRings::on_bytes(std::uint32_t client, std::string_view bytes) {
  Client& one = clients_[client];
  const bool joined = !one.partial.empty();
  if (joined) {
    one.partial += bytes;
    bytes = one.partial;
  }
  std::size_t taken = 0;
  if (one.stage == Stage::kUpgrading) {
    const std::size_t head_end = bytes.find("\r\n\r\n");
    if (head_end != std::string_view::npos) {
      if (!bytes.starts_with("HTTP/1.1 101 "))
        return end(client, ClientEnd::kRefused, bytes.substr(0, bytes.find('\r')));
      taken = head_end + 4;
      one.stage = Stage::kOpen;
      one.sending = std::string();  // the request's kilobyte, of each of 250,000
      sink_.on_open(client);
    }
  }
  if (one.stage == Stage::kOpen) taken += take_frames(client, bytes.substr(taken));
  if (one.stage != Stage::kOpen && one.stage != Stage::kUpgrading) return;
  if (joined)
    one.partial.erase(0, taken);
  else
    one.partial.assign(bytes.substr(taken));
}

std::size_t ClientRings::take_frames(std::uint32_t client, std::string_view bytes) {
  std::size_t at = 0;
  while (bytes.size() - at >= 2 && clients_[client].stage == Stage::kOpen) {
    const auto* head = reinterpret_cast<const unsigned char*>(bytes.data() + at);
    std::size_t header = 2;
    std::uint64_t length = head[1];
    if (length == 126) {
      header = 4;
      if (bytes.size() - at < header) break;
      length = static_cast<std::uint64_t>(head[2]) << 8 | head[3];
    } else if (length == 127) {
      header = 10;
      if (bytes.size() - at < header) break;
      length = 0;
      for (int i = 2; i < 10; ++i) length = length << 8 | head[i];
    } else if (length > 127) {
      end(client, ClientEnd::kClosed, "a server must not mask");
      break;
    }
    if (length > kFrameBytesMax) {
      end(client, ClientEnd::kClosed, "a frame of " + std::to_string(length) + " bytes");
      break;
    }
    if (bytes.size() - at < header + length) break;
    const std::string_view payload = bytes.substr(at + header, length);
    at += header + length;
    switch (head[0]) {
      case kFinText:
      case kFinBinary:
        sink_.on_payload(client, payload, now_ns_);
        break;
      case kFinPing:
        append_masked_frame(clients_[client].pending, kFinPong, payload);
        queue(client);
        break;
      case kFinPong:
        break;
      case 0x88: {
        std::string reason = "no code";
        if (payload.size() >= 2) {
          reason = std::to_string(static_cast<unsigned char>(payload[0]) * 256 +
                                  static_cast<unsigned char>(payload[1])) +
                   " " + printable(payload.substr(2));
        }
        end(client, ClientEnd::kClosed, reason);
        break;
      }
      default:
        end(client, ClientEnd::kClosed, "an unexpected frame " + std::to_string(head[0]));
    }
  }
  return at;
}

void ClientRings::end(std::uint32_t client, ClientEnd how, std::string_view reason) {
  Client& one = clients_[client];
  if (one.stage == Stage::kEnding || one.stage == Stage::kFree) return;
  one.stage = Stage::kEnding;
  one.how = how;
  one.partial = std::string(reason);  // which may be a view of it
  if (one.armed)
    ring_of(client).io->cancel(key(OpKind::kRecv, client), key(OpKind::kCancel, client));
}

void ClientRings::free_slot(std::uint32_t client) {
  clients_[client].pending = std::string();
  ring_of(client).io->close(slot_of(client), key(OpKind::kClose, client));
}

}  // namespace uproar::bench
