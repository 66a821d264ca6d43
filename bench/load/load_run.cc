#include "bench/load/load_run.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <thread>

#include "bench/load/program.h"

namespace uproar::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kStallNs = 30 * kSecond;
constexpr std::int64_t kLateNs = kSecond / 20;
constexpr double kSettleSeconds = 1;  // a server may hold live traffic for a moment after a join
constexpr std::size_t kWaitingMax = 1U << 16;  // stored publishes without an acknowledgement
constexpr std::uint32_t kPublishesPerTurnMax = 256;
constexpr std::uint32_t kHeartbeatsPerTurnMax = 256;
constexpr std::size_t kRoomDigits = 7;

// All of one length, so that frames are: "room-0000042".
std::string room_name(std::uint32_t room) {
  const std::string number = std::to_string(room);
  return "room-" + std::string(kRoomDigits - std::min(number.size(), kRoomDigits), '0') + number;
}

}  // namespace

std::uint64_t RunResult::deliveries() const {
  std::uint64_t sum = 0;
  for (const TrafficResult& one : traffic) sum += one.deliveries;
  return sum;
}

LoadRun::LoadRun(const Scenario& scenario, const Target& target, Options options)
    : scenario_(scenario),
      target_(target),
      options_(std::move(options)),
      rings_({.groups = clients_of(scenario), .port = options_.port, .binary = target.binary},
             *this),
      ledger_(seats_of(scenario)),
      heartbeats_(scenario.clients(), scenario.heartbeat_seconds, monotonic_ns()),
      seats_(scenario.clients()),
      room_of_(scenario.clients()),
      cut_ns_(scenario.clients()),
      waiting_(kWaitingMax) {
  if (target.groups) tokens_.emplace(options_.auth_key);
  seat_clients();
}

std::vector<DeliveryLedger::Room> LoadRun::seats_of(const Scenario& scenario) {
  std::vector<DeliveryLedger::Room> out;
  for (const Traffic& one : scenario.traffic) {
    out.insert(out.end(), one.rooms,
               {.members = one.members,
                .readers = one.members - one.silent,
                .publishers = one.publishers});
  }
  return out;
}

std::vector<std::uint32_t> LoadRun::clients_of(const Scenario& scenario) {
  std::vector<std::uint32_t> out;
  for (const Traffic& one : scenario.traffic) out.push_back(one.rooms * one.members);
  return out;
}

void LoadRun::seat_clients() {
  std::uint32_t client = 0;
  for (std::uint32_t traffic = 0; traffic < scenario_.traffic.size(); ++traffic) {
    const Traffic& one = scenario_.traffic[traffic];
    lanes_.push_back({.first_room = static_cast<std::uint32_t>(rooms_.size())});
    result_.traffic.push_back({.name = one.name});
    for (std::uint32_t i = 0; i < one.rooms; ++i) {
      const auto room = static_cast<std::uint32_t>(rooms_.size());
      rooms_.push_back({.traffic = traffic,
                        .first_client = client,
                        .members = one.members,
                        .name = room_name(room),
                        .seated = 0});
      for (std::uint32_t member = 0; member < one.members; ++member) room_of_[client++] = room;
    }
  }
}

RunResult LoadRun::run() {
  if (options_.server_pid > 0 && result_.server_memory_before.rss_bytes == 0)
    result_.server_memory_before = memory_of(options_.server_pid);
  come_all();
  turn_for(kSettleSeconds, "settling");
  begin_publishing();
  turn_for(scenario_.warmup_seconds, "warming up");

  const CpuTime cpu_before = options_.server_pid > 0 ? cpu_time(options_.server_pid) : CpuTime{};
  const std::int64_t begin = monotonic_ns();
  const std::uint64_t bytes_before = rings_.received_bytes();
  busy_ns_ = 0;
  measuring_ = true;
  if (scenario_.storm.fraction > 0) storm();
  turn_for(scenario_.seconds, "measuring");
  measuring_ = false;
  const auto wall = static_cast<double>(monotonic_ns() - begin);
  if (options_.server_pid > 0) {
    result_.server_cpu = cpu_time(options_.server_pid) - cpu_before;
    result_.server_memory = memory_of(options_.server_pid);
  }
  result_.begin_ns = begin;
  result_.seconds = wall / kSecond;
  result_.load_busy = static_cast<double>(busy_ns_) / wall;
  result_.received_bytes = rings_.received_bytes() - bytes_before;

  publishing_ = false;
  const std::int64_t give_up = monotonic_ns() + 10 * kSecond;
  while (ledger_.under_way() > 0 && monotonic_ns() < give_up) turn();
  turn_for(0.3, "waiting for what would be a repeat");
  result_.missing = ledger_.missing();
  result_.lost = ledger_.lost();
  result_.repeated = ledger_.repeated();
  send_away();  // 250,000 armed receives ended one by one take seconds, all at once by the kernel a minute
  return std::move(result_);
}

void LoadRun::on_payload(std::uint32_t client, std::string_view payload, std::int64_t now_ns) {
  if (!target_.ping.empty() && payload == target_.ping)
    return rings_.send_payload(client, target_.pong);
  if (seats_[client] != Seat::kIn) return on_seat_payload(client, payload, now_ns);
  if (!target_.stored_ack.empty() && payload.starts_with(target_.stored_ack))
    return on_ack(payload.substr(target_.stored_ack.size()), now_ns);
  Lane& lane = lanes_[rooms_[room_of_[client]].traffic];
  PublishName name;
  if (!find_name(payload, lane.marker_offset, name)) {
    if (making_world_) on_group_payload(client, payload);
    return;
  }
  on_delivery(client, name, now_ns);
  if (!target_.gathers) return;
  std::size_t next = 0;
  for (payload.remove_prefix(lane.marker_offset + kNumberedTextBytesMin);
       find_name(payload, next, name); payload.remove_prefix(next + kNumberedTextBytesMin))
    on_delivery(client, name, now_ns);
}

void LoadRun::on_delivery(std::uint32_t client, PublishName name, std::int64_t now_ns) {
  const std::uint32_t room = room_of_[client];
  const std::uint32_t traffic = rooms_[room].traffic;
  const DeliveryLedger::Outcome outcome = ledger_.delivered(room, client, name);
  if (measuring_ && outcome.verdict == DeliveryLedger::Verdict::kDelivered) {
    TrafficResult& result = result_.traffic[traffic];
    ++result.deliveries;
    result.delivery.record(
        static_cast<std::uint64_t>(std::max<std::int64_t>(now_ns - outcome.due_ns, 0)));
    if (outcome.complete && now_ns - outcome.due_ns > kLateNs) ++result.late;
  }
  if (outcome.complete && publishing_ && scenario_.traffic[traffic].in_flight > 0)
    publish_next(traffic, now_ns);
}

void LoadRun::on_ack(std::string_view rest, std::int64_t now_ns) {
  std::uint64_t n = 0;
  (void)std::from_chars(rest.data(), rest.data() + rest.size(), n);
  Waiting& waiting = waiting_[n % kWaitingMax];
  if (waiting.sent_ns == 0) return;
  if (measuring_)
    result_.traffic[waiting.traffic].ack.record(
        static_cast<std::uint64_t>(now_ns - waiting.sent_ns));
  waiting.sent_ns = 0;
}

void LoadRun::publish(std::uint32_t room, std::uint32_t publisher, std::int64_t due_ns) {
  const std::uint32_t traffic = rooms_[room].traffic;
  const Traffic& one = scenario_.traffic[traffic];
  const std::uint64_t number = ledger_.published(room, publisher, due_ns);
  const std::uint64_t n = next_n_++;
  const std::uint32_t client = rooms_[room].first_client + publisher;
  data_.clear();
  append_named_text(data_, {.publisher = publisher, .number = number}, one.payload_bytes);
  number_ = std::to_string(n);
  PlaceholderValues values = values_of(client);
  values[Placeholder::kData] = data_;
  values[Placeholder::kN] = number_;
  text_.clear();
  (one.stored ? target_.publish_stored : target_.publish).fill(values, text_);
  rings_.send_payload(client, text_);
  if (one.stored) waiting_[n % kWaitingMax] = {.sent_ns = due_ns, .traffic = traffic};
  if (measuring_) ++result_.traffic[traffic].publishes;
}

void LoadRun::publish_next(std::uint32_t traffic, std::int64_t due_ns) {
  const Traffic& one = scenario_.traffic[traffic];
  Lane& lane = lanes_[traffic];
  publish(lane.first_room + lane.next_room, lane.next_publisher, due_ns);
  if (++lane.next_room < one.rooms) return;
  lane.next_room = 0;
  lane.next_publisher = (lane.next_publisher + 1) % one.publishers;
}

void LoadRun::begin_publishing() {
  publishing_ = true;
  const std::int64_t now_ns = monotonic_ns();
  for (std::uint32_t traffic = 0; traffic < lanes_.size(); ++traffic) {
    lanes_[traffic].open_loop = {.per_second = scenario_.traffic[traffic].publishes_per_second,
                                 .begun_ns = now_ns};
    for (std::uint32_t i = 0; i < scenario_.traffic[traffic].in_flight; ++i)
      publish_next(traffic, now_ns);
  }
}

void LoadRun::publish_due(std::int64_t now_ns) {
  for (std::uint32_t traffic = 0; traffic < lanes_.size(); ++traffic) {
    Lane& lane = lanes_[traffic];
    if (lane.open_loop.per_second <= 0) continue;
    const std::uint64_t due = lane.open_loop.due_by(now_ns);
    for (std::uint32_t i = 0; lane.sent < due && i < kPublishesPerTurnMax; ++i)
      publish_next(traffic, lane.open_loop.due_ns(lane.sent++));
    if (measuring_) {
      std::uint64_t& behind = result_.traffic[traffic].behind_max;
      behind = std::max(behind, ledger_.under_way() + (due - lane.sent));
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
    if (measuring_) ++result_.heartbeats;
  }
}

// All that are to come back do so at once, as after a network's failure.
void LoadRun::storm() {
  const auto count =
      static_cast<std::uint32_t>(scenario_.storm.fraction * static_cast<double>(seats_.size()));
  const std::int64_t begin = monotonic_ns();
  for (std::uint32_t client = 0; client < count; ++client) {
    cut_ns_[client] = begin;
    rings_.cut(client);
  }
  const std::uint32_t staying = in_ - count;
  turn_until("cutting", [&] { return in_ == staying; });
  bring_in("coming back", scenario_.storm.opening,
           [&](std::uint32_t client) { return client < count; });
  result_.reconnect_seconds = static_cast<double>(monotonic_ns() - begin) / kSecond;
}

// --- turns ----------------------------------------------------------------------------------------------------

void LoadRun::turn() {
  const std::int64_t begin = monotonic_ns();
  if (publishing_) publish_due(begin);
  say_heartbeats(begin);
  if (rings_.turn()) busy_ns_ += monotonic_ns() - begin;
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
                   seats_.size(), rooms_made_, rooms_.size());
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
                   static_cast<unsigned long long>(result_.deliveries()));
    }
    // Nobody publishes, so nothing is worth a core: looks a thousand times a second are enough.
    if (is_idle()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (options_.progress) std::fprintf(stderr, "\r\033[K");
}

}  // namespace uproar::bench
