#include "bench/load/load_run.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "bench/load/program.h"

namespace uproar::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kStallNs = 30 * kSecond;
constexpr std::int64_t kOwedNs = 10 * kSecond;
constexpr double kSettleSeconds = 1;  // a server may hold live traffic for a moment after a join
constexpr double kRepeatSeconds = 0.3;
constexpr std::uint32_t kPublishesPerTurnMax = 256;
// What was due since the last turn: their latencies count as well. With more of them this tool was the limit, which load_busy says.
constexpr std::uint32_t kPublishesAtEndMax = 16'384;
constexpr std::uint32_t kHeartbeatsPerTurnMax = 256;
// So late may be what is due while this tool gives way.
constexpr std::int64_t kGivesWayUs = 100;

std::vector<DeliveryLedger::Room> seats_of(const Scenario& scenario) {
  std::vector<DeliveryLedger::Room> out;
  for (const Traffic& one : scenario.traffic) {
    out.insert(out.end(), one.rooms,
               {.members = one.members,
                .readers = one.members - one.silent,
                .publishers = one.publishers});
  }
  return out;
}

std::vector<std::uint32_t> clients_of(const Scenario& scenario) {
  std::vector<std::uint32_t> out;
  for (const Traffic& one : scenario.traffic) out.push_back(one.rooms * one.members);
  return out;
}

std::vector<std::string> names_of(const Scenario& scenario) {
  std::vector<std::string> out;
  for (const Traffic& one : scenario.traffic) out.push_back(one.name);
  return out;
}

void note(Occurrences& what, std::uint32_t client, std::string_view text) {
  if (what.count++ == 0) what.first = "client " + std::to_string(client) + ": " + std::string(text);
}

}  // namespace

LoadRun::LoadRun(const Scenario& scenario, const Target& target, Options options)
    : scenario_(scenario),
      target_(target),
      options_(std::move(options)),
      rings_({.groups = clients_of(scenario), .ports = options_.ports, .binary = target.binary},
             *this),
      ledger_(seats_of(scenario)),
      book_(scenario.clients(),
            scenario.storm.fraction > 0 && !target.resume.empty() ? target.cursor : ""),
      measurement_(names_of(scenario)),
      plan_(scenario),
      heartbeats_(scenario.clients(), scenario.heartbeat_seconds, monotonic_ns()),
      server_(options_.server_pids),
      room_of_(scenario.clients()),
      seats_(scenario.clients()),
      cut_ns_(scenario.clients()),
      marker_offset_(scenario.traffic.size()) {
  if (target.groups) tokens_.emplace(options_.auth_key);
  seat_clients();
}

RunResult LoadRun::run() {
  if (result_.server_memory_before.rss_bytes == 0) result_.server_memory_before = server_.memory();
  come_all();
  turn_for(kSettleSeconds, "settling");
  begin_publishing();
  turn_for(scenario_.warmup_seconds, "warming up");
  measure();
  wait_for_the_owed();
  result_.traffic = measurement_.traffic();
  result_.lost = ledger_.lost();
  result_.repeated = ledger_.repeated();
  result_.unknown = ledger_.unknown();
  result_.missing = ledger_.missing();
  result_.missing_acks = acks_.waiting();
  result_.strange_acks = acks_.strange();
  result_.server_fault = server_.fault();
  cut_all();  // 250,000 armed receives ended one by one take seconds, all at once by the kernel a minute
  return std::move(result_);
}

void LoadRun::measure() {
  prepare_storm();
  const CpuTime cpu_before = server_.cpu();
  const std::uint64_t bytes_before = rings_.received_bytes();
  const std::int64_t begin = monotonic_ns();
  busy_ns_ = 0;
  measurement_.begin(begin);
  if (scenario_.storm.fraction > 0) storm();
  turn_for(scenario_.seconds, "measuring");
  const std::int64_t end = monotonic_ns();
  publish_due(end, kPublishesAtEndMax);
  measurement_.end(end);
  publishing_ = false;
  result_.server_cpu = server_.used(cpu_before, server_.cpu());
  result_.server_memory = server_.memory();
  const auto wall = static_cast<double>(end - begin);
  result_.begin_ns = begin;
  result_.seconds = wall / kSecond;
  result_.load_busy = static_cast<double>(busy_ns_) / wall;
  result_.received_bytes = rings_.received_bytes() - bytes_before;
}

void LoadRun::wait_for_the_owed() {
  const std::int64_t give_up = monotonic_ns() + kOwedNs;
  while (ledger_.under_way() + acks_.waiting() > 0 && monotonic_ns() < give_up) turn();
  turn_for(kRepeatSeconds, "waiting for what would be a repeat");
}

const World& LoadRun::make_world() {
  result_.server_memory_before = server_.memory();
  world_.users = new_users(static_cast<std::uint32_t>(seats_.size()));
  // Users come to be when they are first seen, and members must be known. Members who are connected while others are added hear of
  // each: so everybody comes once and goes, then the publishers make the rooms and go as well.
  bring_in("introducing users", kOpeningMax, [](std::uint32_t) { return true; });
  cut_all();
  bring_in("connecting publishers", kOpeningMax, [this](std::uint32_t client) {
    return rooms_[room_of_[client]].first_client == client;
  });
  std::vector<std::string> names;
  for (const Room& room : rooms_) names.push_back(room.name);
  maker_.emplace(scenario_.members(), std::move(names), world_);
  turn_until("making rooms", [&] {
    while (const auto room = maker_->next(monotonic_ns()))
      rings_.send_payload(rooms_[*room].first_client, maker_->command(*room));
    return maker_->is_done();
  });
  maker_.reset();
  use_world(std::move(world_));
  cut_all();
  return world_;
}

void LoadRun::use_world(World world) {
  world_ = std::move(world);
  for (std::size_t i = 0; i < rooms_.size(); ++i) rooms_[i].name = world_.conversations[i].text();
}

// --- what is heard --------------------------------------------------------------------------------------------

void LoadRun::on_payload(std::uint32_t client, std::string_view payload, std::int64_t now_ns) {
  if (!target_.ping.empty() && payload == target_.ping)
    return rings_.send_payload(client, target_.pong);
  if (maker_ && seats_[client] == Seat::kIn) {
    const auto headway = maker_->heard(room_of_[client], payload, now_ns);
    if (!headway) die("making a room: " + headway.error());
    if (*headway) moved_ns_ = now_ns;
    return;
  }
  if (!target_.error.empty() && payload.starts_with(target_.error)) {
    if (seats_[client] != Seat::kIn && book_.is_kept() && measurement_.is_under_way()) {
      note(result_.storm.turned_away, client, payload);
      return rings_.cut(client);  // and tries again
    }
    if (seats_[client] != Seat::kIn)
      die("client " + std::to_string(client) + " was refused: " + std::string(payload));
    return note(result_.refused, client, payload);
  }
  if (seats_[client] != Seat::kIn) return on_seat_payload(client, payload, now_ns);
  if (!target_.stored_ack.empty() && payload.starts_with(target_.stored_ack))
    return on_ack(client, payload.substr(target_.stored_ack.size()), now_ns);
  on_event(client, payload, now_ns);
}

void LoadRun::on_event(std::uint32_t client, std::string_view payload, std::int64_t now_ns) {
  if (book_.is_kept()) book_.heard(client, payload);
  std::size_t& offset = marker_offset_[rooms_[room_of_[client]].traffic];
  PublishName name;
  if (!find_name(payload, offset, name)) return;
  const std::size_t bytes = scenario_.traffic[rooms_[room_of_[client]].traffic].payload_bytes;
  const auto take = [&](std::size_t at) {
    const bool whole =
        target_.gathers ? is_whole_text(payload, at, bytes) : payload.size() - at >= bytes;
    if (!whole) name.room = kNoRoom;
    on_delivery(client, name, now_ns);
    payload.remove_prefix(at + kNumberedTextBytesMin);
  };
  take(offset);
  for (std::size_t next = 0; target_.gathers && find_name(payload, next, name);) take(next);
}

void LoadRun::on_delivery(std::uint32_t client, PublishName name, std::int64_t now_ns) {
  const std::uint32_t room = room_of_[client];
  const std::uint32_t traffic = rooms_[room].traffic;
  const DeliveryLedger::Outcome outcome = ledger_.delivered(room, client, name);
  measurement_.delivered(traffic, outcome, now_ns);
  if (outcome.complete && publishing_ && scenario_.traffic[traffic].in_flight > 0)
    publish(traffic, plan_.next(traffic, now_ns));
}

void LoadRun::on_ack(std::uint32_t client, std::string_view number, std::int64_t now_ns) {
  if (book_.is_kept()) book_.answered(client, number);
  if (const auto publish = acks_.acknowledged(number))
    measurement_.acknowledged(publish->traffic, publish->due_ns, now_ns);
}

void LoadRun::on_end(std::uint32_t client, ClientEnd end, std::string_view reason) {
  moved_ns_ = monotonic_ns();
  if (seats_[client] != Seat::kIn) return on_end_of_handshake(client, end, reason);
  seats_[client] = Seat::kOut;
  --in_;
  if (end != ClientEnd::kCut) note(result_.ended, client, reason);
}

// --- what is said ---------------------------------------------------------------------------------------------

void LoadRun::publish(std::uint32_t traffic, const PublishPlan::Turn& turn) {
  const Traffic& one = scenario_.traffic[traffic];
  const std::uint64_t number = ledger_.published(turn.room, turn.publisher, turn.due_ns);
  const std::uint64_t n = next_n_++;
  const std::uint32_t client = rooms_[turn.room].first_client + turn.publisher;
  data_.clear();
  append_named_text(data_, {.room = turn.room, .publisher = turn.publisher, .number = number},
                    one.payload_bytes);
  number_ = std::to_string(n);
  PlaceholderValues values = values_of(client);
  values[Placeholder::kData] = data_;
  values[Placeholder::kN] = number_;
  text_.clear();
  (one.stored ? target_.publish_stored : target_.publish).fill(values, text_);
  if (book_.is_kept() && one.stored) book_.said(client, n, text_);
  // One that is out says it when it is back.
  if (!book_.is_kept() || seats_[client] == Seat::kIn) rings_.send_payload(client, text_);
  if (one.stored && !target_.stored_ack.empty())
    acks_.published(n, {.due_ns = turn.due_ns, .traffic = traffic});
  measurement_.published(traffic);
}

void LoadRun::begin_publishing() {
  publishing_ = true;
  const std::int64_t now_ns = monotonic_ns();
  plan_.begin(now_ns);
  for (std::uint32_t traffic = 0; traffic < plan_.traffics(); ++traffic) {
    for (std::uint32_t i = 0; i < scenario_.traffic[traffic].in_flight; ++i)
      publish(traffic, plan_.next(traffic, now_ns));
  }
}

void LoadRun::publish_due(std::int64_t now_ns, std::uint32_t publishes_max) {
  for (std::uint32_t traffic = 0; traffic < plan_.traffics(); ++traffic) {
    for (std::uint32_t i = 0; i < publishes_max; ++i) {
      const auto turn = plan_.due(traffic, now_ns);
      if (!turn) break;
      publish(traffic, *turn);
    }
  }
}

// A peer's answer is no delivery: on_payload() finds no name in it.
void LoadRun::say_heartbeats(std::int64_t now_ns) {
  for (std::uint32_t i = 0; i < kHeartbeatsPerTurnMax; ++i) {
    const auto client = heartbeats_.next(now_ns);
    if (!client) return;
    if (seats_[*client] != Seat::kIn) continue;
    if (target_.heartbeat.empty()) {
      rings_.send_ping(*client);
    } else {
      text_.clear();
      target_.heartbeat.fill(values_of(*client), text_);
      rings_.send_payload(*client, text_);
    }
    if (measurement_.is_under_way()) ++result_.heartbeats;
  }
}

// --- turns ----------------------------------------------------------------------------------------------------

void LoadRun::turn() {
  const std::int64_t begin = monotonic_ns();
  const bool connected = arrivals_ && let_in(begin);
  if (publishing_) publish_due(begin, kPublishesPerTurnMax);
  say_heartbeats(begin);
  if (rings_.turn() || connected) {
    busy_ns_ += monotonic_ns() - begin;
  } else if (options_.gives_way) {
    rings_.wait(kGivesWayUs);
  }
}

bool LoadRun::is_idle() const {
  if (!publishing_) return true;
  return std::all_of(scenario_.traffic.begin(), scenario_.traffic.end(), [](const Traffic& one) {
    return one.in_flight == 0 && one.publishes_per_second == 0;
  });
}

void LoadRun::turn_until(const char* what, const std::function<bool()>& done) {
  moved_ns_ = monotonic_ns();
  std::int64_t shown_ns = moved_ns_;
  while (!done()) {
    turn();
    const std::int64_t now_ns = monotonic_ns();
    if (options_.progress && now_ns - shown_ns > kSecond / 5) {
      shown_ns = now_ns;
      std::fprintf(stderr, "\r%s: %u of %zu clients, %u of %zu rooms\033[K", what, in_,
                   seats_.size(), maker_ ? maker_->made() : 0, rooms_.size());
    }
    if (now_ns - moved_ns_ > kStallNs)
      die(std::string(what) + ": no headway for 30 s; " + std::to_string(in_) + " of " +
          std::to_string(seats_.size()) + " clients are in");
  }
}

void LoadRun::turn_for(double seconds, const char* what) {
  const std::int64_t begin = monotonic_ns();
  const auto end = begin + static_cast<std::int64_t>(seconds * kSecond);
  std::int64_t shown_ns = begin;
  for (std::int64_t now_ns = begin; now_ns < end; now_ns = monotonic_ns()) {
    turn();
    if (options_.progress && now_ns - shown_ns > kSecond / 5) {
      shown_ns = now_ns;
      std::fprintf(stderr, "\r%s: %.0f of %.0f s, %llu deliveries\033[K", what,
                   static_cast<double>(now_ns - begin) / kSecond, seconds,
                   static_cast<unsigned long long>(measurement_.deliveries()));
    }
    // Nobody publishes, so nothing is worth a core: looks a thousand times a second are enough.
    if (is_idle()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (options_.progress) std::fprintf(stderr, "\r\033[K");
}

}  // namespace uproar::bench
