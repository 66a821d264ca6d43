#include "tests/sim/kernel.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "proto/base/check.h"
#include "tests/sim/oracle.h"

namespace uproar::sim {
namespace {

Kernel* g_kernel = nullptr;

constexpr std::int64_t kWallAtStartUs = 1'700'000'000'000'000;

}  // namespace

Kernel::Kernel(std::uint64_t seed) : random_state_(seed * 2654435769ULL + 1) {
  UPROAR_CHECK(g_kernel == nullptr);
  g_kernel = this;
}

Kernel::~Kernel() {
  g_kernel = nullptr;
}

Kernel& Kernel::current() {
  UPROAR_CHECK(g_kernel != nullptr);
  return *g_kernel;
}

std::uint64_t Kernel::random(std::uint64_t below) {
  random_state_ += 0x9E3779B97F4A7C15ULL;
  std::uint64_t x = random_state_;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return (x ^ (x >> 31)) % below;
}

std::int64_t Kernel::between(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random(static_cast<std::uint64_t>(high - low) + 1));
}

// --- time ------------------------------------------------------------------------------------------------------------

Now Kernel::now() const {
  return now_of(running_node_);
}

Now Kernel::now_of(std::uint32_t node) const {
  const auto offset = wall_offset_.find(node);
  return {
      .monotonic_us = now_us_,
      .wall_us = kWallAtStartUs + now_us_ + (offset == wall_offset_.end() ? 0 : offset->second)};
}

void Kernel::after(std::int64_t delay_us, std::function<void()> run) {
  happenings_.push_back({now_us_ + std::max<std::int64_t>(delay_us, 0), ++order_, std::move(run)});
  std::push_heap(happenings_.begin(), happenings_.end(), std::greater<>());
}

bool Kernel::step() {
  if (happenings_.empty()) return false;
  std::pop_heap(happenings_.begin(), happenings_.end(), std::greater<>());
  Happening next = std::move(happenings_.back());
  happenings_.pop_back();
  now_us_ = next.at_us;
  ++steps_;
  next.run();
  return true;
}

void Kernel::tell(std::string_view what) const {
  if (!chat::testing::is_logging()) return;
  std::fprintf(stderr, "%12.6f %.*s\n", static_cast<double>(now_us_ - kStartUs) / 1e6,
               static_cast<int>(what.size()), what.data());
}

// --- processors ------------------------------------------------------------------------------------------------------

std::uint32_t Kernel::add_ring() {
  const auto index = static_cast<std::uint32_t>(rings_.size());
  rings_.push_back(std::make_unique<RingState>(random(UINT64_MAX)));
  RingState& made = *rings_.back();
  made.node = making_node_;
  made.io.room_of_new = socket_room_;
  if (const auto found = buffers_.find(making_node_); found != buffers_.end())
    made.io.buffers = found->second;
  made.io.recv_bytes_max = chance(30) ? 0 : 2048;
  made.io.end_multishots = chance(30);
  made.io.silent_short_sends = wrong_.silent_short_sends;
  made.io.loses_writable = wrong_.loses_writable;
  made.io.when_sent = [this, index](std::uint32_t slot, std::string_view bytes) {
    const auto found = rings_[index]->links.find(slot);
    if (found == rings_[index]->links.end()) return;
    const LinkPtr link = found->second;
    note(bytes.size());
    if (link->peer == nullptr || link->has_vanished) return;
    link->peer->on_sent(bytes);
    arrives(link, link->next_out_us, [link, text = std::string(bytes)] {
      if (link->peer == nullptr || link->is_broken) return;
      link->received += text;
      link->peer->on_bytes();
    });
  };
  made.io.when_ended = [this, index](std::uint32_t slot) {
    const auto found = rings_[index]->links.find(slot);
    if (found == rings_[index]->links.end()) return;
    const LinkPtr link = found->second;
    if (link->peer == nullptr || link->has_vanished) return;
    arrives(link, link->next_out_us, [link] {
      if (link->peer == nullptr || link->is_broken) return;
      link->is_ended = true;
      link->peer->on_bytes();
    });
  };
  return index;
}

void Kernel::started(std::uint32_t index, std::function<void()> turn) {
  rings_[index]->turn = std::move(turn);
  poke(index);
}

void Kernel::schedule(std::uint32_t index, std::int64_t at_us) {
  RingState& state = *rings_[index];
  if (!state.is_alive || !state.turn) return;
  if (state.due_us != 0 && state.due_us <= at_us) return;
  state.due_us = std::max(at_us, now_us_);
  const std::uint64_t appointment = ++state.appointment;
  after(state.due_us - now_us_, [this, index, appointment] {
    RingState& due = *rings_[index];
    if (!due.is_alive || due.appointment != appointment) return;
    if (const auto paused = paused_until_.find(due.node);
        paused != paused_until_.end() && paused->second > now_us_) {
      due.due_us = 0;
      return schedule(index, paused->second);
    }
    due.due_us = 0;
    note(index);
    running_node_ = due.node;
    due.turn();
    running_node_ = UINT32_MAX;
  });
}

void Kernel::poke(std::uint32_t index) {
  // Mostly at once; now and then something else has the processor.
  schedule(index, now_us_ + (chance(2) ? between(100, 20'000) : between(1, 60)));
}

void Kernel::pause(std::uint32_t node, std::int64_t until_us) {
  paused_until_[node] = until_us;
}

void Kernel::set_buffers(std::uint32_t node, std::uint32_t buffers) {
  buffers_[node] = buffers;
  for (auto& state : rings_) {
    if (state->node == node) state->io.buffers = buffers;
  }
}

void Kernel::end_ring(std::uint32_t index) {
  RingState& state = *rings_[index];
  state.is_alive = false;
  state.turn = nullptr;
  state.links.clear();
  state.accepting.clear();
}

void Kernel::kill(std::uint32_t node, bool resets) {
  for (auto& state : rings_) {
    if (state->node != node || !state->is_alive) continue;
    state->is_alive = false;
    std::vector<LinkPtr> links;
    for (auto& [slot, link] : state->links) links.push_back(link);
    for (auto& [fd, link] : state->accepting) links.push_back(link);
    for (const LinkPtr& link : links) {
      if (resets) arrives(link, link->next_out_us, [this, link] { break_link(link); });
    }
    state->links.clear();
    state->accepting.clear();
  }
  paused_until_.erase(node);
}

// --- TCP -------------------------------------------------------------------------------------------------------------

void Kernel::arrives(const LinkPtr& link, std::int64_t& next_us, std::function<void()> run) {
  const std::int64_t jitter = between(0, link->latency_us / 2 + 1);
  next_us = std::max(next_us, now_us_ + link->latency_us + jitter);
  after(next_us - now_us_, std::move(run));
}

bool Kernel::is_there(const Link& link) {
  if (!link.is_accepted || link.is_broken || !rings_[link.ring]->is_alive) return false;
  const net::SimIo::Socket& socket = rings_[link.ring]->io.socket(link.slot);
  return socket.in_use && socket.life == link.life;
}

void Kernel::break_link(const LinkPtr& link) {
  if (link->is_broken) return;
  link->is_broken = true;
  if (link->peer != nullptr && !link->has_vanished) link->peer->on_broken();
}

LinkPtr Kernel::connect(std::uint32_t node, Peer& peer, std::int64_t latency_us) {
  auto link = std::make_shared<Link>();
  link->peer = &peer;
  link->latency_us = latency_us;
  std::vector<std::uint32_t> listening;
  for (std::uint32_t i = 0; i < rings_.size(); ++i) {
    if (rings_[i]->node == node && rings_[i]->is_alive) listening.push_back(i);
  }
  const std::uint64_t choice = random(1 << 16);
  arrives(link, link->next_in_us, [this, link, listening, choice] {
    if (link->peer == nullptr) return;
    const auto refuse = [&] {
      arrives(link, link->next_out_us, [this, link] { break_link(link); });
    };
    if (listening.empty()) return refuse();
    const std::uint32_t index = listening[choice % listening.size()];
    RingState& state = *rings_[index];
    if (!state.is_alive || !state.io.accepting()) return refuse();
    link->ring = index;
    const int fd = next_fd_++;
    state.accepting[fd] = link;
    (void)state.io.peer_connects(0, fd);
    poke(index);
  });
  return link;
}

void Kernel::adopted(std::uint32_t index, std::uint32_t slot, int fd) {
  RingState& state = *rings_[index];
  const auto found = state.accepting.find(fd);
  if (found == state.accepting.end()) return;
  const LinkPtr link = found->second;
  state.accepting.erase(found);
  link->slot = slot;
  link->life = state.io.socket(slot).life;
  link->is_accepted = true;
  state.links[slot] = link;
  if (link->unsent.empty()) return;
  state.io.peer_says(slot, std::exchange(link->unsent, {}));
  poke(index);
}

void Kernel::say(const LinkPtr& link, std::string bytes) {
  arrives(link, link->next_in_us, [this, link, text = std::move(bytes)] {
    if (!link->is_accepted) {
      link->unsent += text;
      return;
    }
    if (!is_there(*link)) return;
    rings_[link->ring]->io.peer_says(link->slot, text);
    poke(link->ring);
  });
}

std::string Kernel::read(Link& link, std::size_t bytes_max) {
  const std::size_t bytes = std::min(bytes_max, link.received.size());
  std::string out = link.received.substr(0, bytes);
  link.received.erase(0, bytes);
  if (is_there(link)) {
    net::SimIo& io = rings_[link.ring]->io;
    if (io.socket(link.slot).room != SIZE_MAX) {
      io.peer_reads(link.slot, bytes);
      poke(link.ring);
    }
  }
  return out;
}

void Kernel::finish(const LinkPtr& link) {
  arrives(link, link->next_in_us, [this, link] {
    if (!is_there(*link)) return;
    rings_[link->ring]->io.peer_ends(link->slot);
    poke(link->ring);
  });
}

void Kernel::abort(const LinkPtr& link) {
  link->peer = nullptr;
  arrives(link, link->next_in_us, [this, link] {
    if (!is_there(*link)) return;
    rings_[link->ring]->io.peer_breaks(link->slot);
    poke(link->ring);
  });
}

void Kernel::vanish(Link& link) {
  link.has_vanished = true;
  link.peer = nullptr;
}

void Kernel::submitted(std::uint32_t index) {
  RingState& state = *rings_[index];
  if (state.io.working())
    schedule(index, now_us_ + between(5, 200));  // for the kernel's own worker
  for (const auto& [fd, from] : std::exchange(state.sends_wakes, {})) {
    const auto target = static_cast<std::uint32_t>(fd - kRingFds);
    if (!rings_[target]->is_alive) continue;
    rings_[target]->wakes.push_back(
        {.kind = runtime::OpKind::kWake, .generation = 0, .slot = from});
    poke(target);
  }
}

}  // namespace uproar::sim
