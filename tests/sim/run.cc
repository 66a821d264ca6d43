#include "tests/sim/run.h"

#include <algorithm>
#include <utility>

#include "proto/base/check.h"

namespace uproar::sim {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::uint32_t kPeople = 4;
constexpr std::int64_t kFarS = 4'000'000'000;  // no clock gets there
// Of one connection: the bound of its queue, and as much again for what was begun or must be said.
constexpr std::uint32_t kEgressMostBytes = 300'000;
// After the last fault everybody is patient for so long: a vanished connection is noticed after two minutes, what it was
// shown as online ten seconds later.
constexpr std::int64_t kPeaceUs = 150 * kSecondUs;
// In this time everybody who has something to say again says so several times; nobody fails at it any more.
constexpr std::int64_t kAnswerUs = 10 * kSecondUs;
// Ten seconds of grace for who does not say goodbye, and what it takes until everybody has heard it.
constexpr std::int64_t kDepartureUs = 25 * kSecondUs;

struct Shape {
  std::uint32_t nodes;
  std::uint32_t shards;
};
constexpr Shape kShapes[] = {{1, 1}, {2, 1}, {1, 3}, {3, 2}, {1, 2}, {2, 2}, {3, 1}};

}  // namespace

Run::Topology Run::topology_of(std::uint64_t seed, Plant plant) {
  Shape shape = kShapes[seed % std::size(kShapes)];
  if (needs_nodes(plant)) shape.nodes = std::max<std::uint32_t>(shape.nodes, 2);
  return {.nodes = shape.nodes, .shards = shape.shards};
}

Run::Run(std::uint64_t seed, Plant plant)
    : kernel_(seed),
      seed_(seed),
      plant_(plant),
      topology_(topology_of(seed, plant)),
      store_(kernel_),
      network_(kernel_),
      oracle_(store_.model, topology_.nodes, false),
      signer_(std::move(*auth::TokenSigner::make(kAuthKey))) {}

Run::~Run() = default;

RunResult Run::go() {
  make_world();
  live(kernel_.now_us() + kernel_.between(10, 40) * kSecondUs);
  if (!has_failed()) make_peace();
  if (!has_failed()) judge();
  RunResult result{.violations = oracle_.violations(),
                   .trace = kernel_.trace(),
                   .checked = oracle_.events_checked(),
                   .steps = kernel_.steps(),
                   .virtual_us = kernel_.now_us() - Kernel::kStartUs,
                   .met = met_};
  result.violations.insert(result.violations.end(), wrong_.begin(), wrong_.end());
  return result;
}

// --- the world -------------------------------------------------------------------------------------------------------

void Run::make_world() {
  has_short_tokens_ = seed_ % 9 == 4 && plant_ == Plant::kNone;
  if (seed_ % 2 != 0) oracle_.hides_presence();                  // tune()
  cast_.is_restless = seed_ % 5 == 0 && plant_ == Plant::kNone;  // which are found sooner in peace
  store_.when_committed = [this](const storage::Operation& operation,
                                 const storage::Outcome& outcome) {
    oracle_.committed(operation, outcome);
  };
  for (std::uint32_t i = 0; i < kPeople; ++i) {
    storage::User user;
    user.id = UserId(
        Uuid{0x0190'0000'0000'7000ULL + i, 0x8000'0000'0000'0000ULL | (i * 0x9E3779B97F4AULL)});
    user.name = "user" + std::to_string(i);
    UPROAR_CHECK(store_.model.create_user(user).ok());
    cast_.users.push_back(user.id);
    for (int device = 0; device < (i == 0 ? 2 : 1); ++device) {
      clients_.push_back(std::make_unique<Client>(kernel_, oracle_, listener_));
      Client& client = *clients_.back();
      client.user = user.id;
      client.next_client_id = 1 + clients_.size() * 1'000'000;
      client.when_wrong = [this](const std::string& what) { wrong(what); };
      client.when_expiring = [this, &client] {
        if (!is_peace_ && kernel_.chance(30)) return meets("tokens that end");
        meets("refreshes");
        client.say(chat::SessionRefresh{token(client, client.node())}, "refresh");
      };
    }
  }
  for (std::uint64_t i = 0; i < 3; ++i) {  // two groups and a channel, there from the start
    const ConversationId id(Uuid{0xC0FFEE + i * 77, (1ULL << 63) | (seed_ * 31 + i)});
    cast_.conversations.push_back(id);
    storage::CreateConversation body{
        .kind = i == 2 ? chat::ConversationKind::kChannel : chat::ConversationKind::kGroup,
        .name = "room",
        .members = {}};
    for (std::size_t u = 0; u < cast_.users.size() - (i == 1 ? 1 : 0); ++u) {
      const bool is_owner = u == i % 2 || (cast_.is_restless && i < 2);
      body.members.push_back(
          {.user = cast_.users[u], .role = is_owner ? chat::Role::kOwner : chat::Role::kMember});
    }
    (void)store_.model.apply(
        {.ticket = 0, .conversation = id, .actor = cast_.users[0], .at_us = 1, .body = body});
  }
  cast_.conversations.push_back(chat::direct_conversation_id(cast_.users[0], cast_.users[1]));
  cast_.conversations.push_back(chat::direct_conversation_id(cast_.users[2], cast_.users[3]));

  if (kernel_.chance(50))
    cast_.long_text_bytes = static_cast<std::size_t>(kernel_.between(500, 12'000));
  store_.faults.latency_us = kernel_.between(50, 3'000);
  if (kernel_.chance(60))
    kernel_.set_socket_room(static_cast<std::size_t>(kernel_.between(600, 16'000)));
  plant();
  nodes_.resize(topology_.nodes);
  lives_.resize(topology_.nodes);
  for (std::uint32_t i = 0; i < topology_.nodes; ++i) start_node(i);
}

void Run::tune(net::NetOptions& net, chat::ChatLimits& chat) const {
  chat.checks_invariants = true;
  // Small, so that every bound is met. Every fourth world cuts its pages by bytes alone, the others by rows: a page that
  // was cut is where exactness is lost.
  chat.page_rows_max = seed_ % 4 == 0 ? 100 : static_cast<std::uint32_t>(seed_ % 4);
  if (seed_ % 4 == 0) chat.page_bytes_max = 1'000;
  chat.recent_rows_max = 4;
  chat.joined_live_max = seed_ % 7 == 0 ? 1 : 3;
  chat.early_checks_max = 1;
  chat.presence_is_public = seed_ % 2 == 0;
  // With several nodes what is heard is not forgotten: there is room for all of it.
  chat.conversations_max = topology_.nodes > 1 ? 9 : 2;
  chat.commands_per_s = 1'000;
  chat.commands_burst = 100'000;
  net.egress_bytes_max = kEgressMostBytes / 2;  // more than one answer can be
  net.egress_receipt_bytes_max = 140'000;
  if (seed_ % 3 == 0) return;
  net.egress_ephemeral_bytes_max = 2'000;
  net.egress_presence_bytes_max = 3'000;
  net.egress_receipt_bytes_max = 4'000;
  net.egress_low_water_bytes = 1'000;
}

void Run::start_node(std::uint32_t number) {
  nodes_[number] = std::make_unique<Node>(
      kernel_, store_,
      Node::Options{
          .network = topology_.nodes > 1 ? &network_ : nullptr,
          .number = number,
          .shards = topology_.shards,
          .life = ++lives_[number],
          .tune = [this](net::NetOptions& net, chat::ChatLimits& chat) { tune(net, chat); }});
}

// --- people ----------------------------------------------------------------------------------------------------------

void Run::meets(const char* what) {
  ++met_[what];
  kernel_.tell(what);
}

// By the clock of the node, which may be wrong, and may jump before the token is there.
std::string Run::token(const Client& client, std::uint32_t node) {
  const std::int64_t expires_at_s =
      has_short_tokens_ ? kernel_.now_of(node).wall_us / kSecondUs + kernel_.between(4, 40) : kFarS;
  return signer_.sign(
      {.user = client.user, .sid = {}, .name = {}, .issued_at_s = 0, .expires_at_s = expires_at_s});
}

void Run::connect(Client& client) {
  const auto node = static_cast<std::uint32_t>(kernel_.random(topology_.nodes));
  const bool resumes = kernel_.chance(50) && !client.known.empty();
  client.connect(node, next_connection_++, token(client, node), resumes, cast_.conversations,
                 kernel_.between(50, 20'000));
  if (nodes_[node] != nullptr && nodes_[node]->is_leaving()) client.node_drains();
  meets(resumes ? "resumes" : "connects");
  if (resumes) client.say(chat::testing::sync_of(client, false), "sync");
}

void Run::act(Client& client) {
  if (client.user == stays_away_) return;
  if (!client.is_connected()) {
    if (is_peace_ || kernel_.chance(60)) connect(client);
    return;
  }
  if (client.must_reconnect) return client.leave(Client::Leave::kGoodbye);
  if (!is_peace_ && kernel_.chance(3)) {
    const auto how = static_cast<Client::Leave>(kernel_.random(3));
    meets(how == Client::Leave::kGoodbye ? "goodbyes"
          : how == Client::Leave::kReset ? "resets"
                                         : "vanishings");
    return client.leave(how);
  }
  if (!client.is_ready) return;
  if (is_peace_) {
    if (client.unacked.empty()) return;
    const auto& [id, unacked] = *client.unacked.begin();
    return client.say(unacked.second, id);
  }
  if (kernel_.chance(2)) {
    meets("stalls");
    client.stall(kernel_.now_us() + kernel_.between(10'000, 8'000'000));
  }
  const bool breaks = kernel_.chance(1);
  chat::testing::say_something(
      client, cast_, [this](std::uint64_t below) { return kernel_.random(below); },
      [&](const chat::ClientEvent& event, const chat::RequestId& id) { client.say(event, id); });
  if (breaks && client.is_connected()) {
    meets("broken while speaking");
    client.leave(Client::Leave::kReset);
  }
}

// Everybody acts at moments of their own, and sends a heartbeat now and then.
void Run::live(std::int64_t until_us) {
  struct Habit {
    Run& run;
    Client& client;
    void again() const {
      run.kernel_.after(run.kernel_.between(5'000, run.is_peace_ ? 1'500'000 : 500'000),
                        [habit = *this] {
                          habit.run.act(habit.client);
                          habit.again();
                        });
    }
    void beat() const {
      run.kernel_.after(run.kernel_.between(15'000'000, 30'000'000), [habit = *this] {
        habit.client.heartbeat();
        habit.beat();
      });
    }
  };
  for (const auto& client : clients_) {
    const Habit habit{*this, *client};
    habit.again();
    habit.beat();
  }
  next_fault();
  while (kernel_.now_us() < until_us && !has_failed() && kernel_.step()) {
    if (kernel_.steps() % 512 == 0) check_bounds();
  }
}

// D7: whatever is not read is bounded for each connection.
void Run::check_bounds() {
  for (const auto& node : nodes_) {
    for (std::uint32_t i = 0; node && i < node->shards(); ++i) {
      const net::NetCounters& net = *node->shard(i).net_counters();
      const std::int64_t bound = (net.connections.value() + 1) * kEgressMostBytes;
      if (net.egress_bytes.value() > bound) wrong("D7 more is queued than may be");
    }
  }
}

// --- the end ---------------------------------------------------------------------------------------------------------

void Run::make_peace() {
  is_peace_ = true;
  store_.faults = {.latency_us = store_.faults.latency_us};
  for (std::uint32_t i = 0; i < topology_.nodes; ++i) {
    kernel_.pause(i, 0);
    if (network_.is_cut(i) && kernel_.chance(50)) kill_node(i);
    network_.heal(i);
    if (network_.is_cut_from_bus(i) && kernel_.chance(50)) leave_node(i);
    if (nodes_[i] == nullptr || !nodes_[i]->is_leaving()) network_.heal_bus(i);
    kernel_.set_buffers(i, 4096);
    if (nodes_[i] == nullptr) start_node(i);
  }
  network_.repeat_percent = network_.presence_fails_percent = 0;
  for (const auto& client : clients_) {
    client->stall(0);
    for (std::uint32_t i = 0; i < owed_; ++i) {
      chat::MessageSend message;
      message.conversation = cast_.conversations.front();
      message.client_id = std::to_string(client->next_client_id++);
      message.content = "owed " + message.client_id;
      client->unacked[message.client_id] = {message.conversation, message};
    }
  }
  keep_peace(kPeaceUs);
  // One message is said again at a time. Whose server died without a word notices it late and has less of the peace for
  // many of them: as long as some are answered the others are waited for, and nobody says anything new.
  for (std::size_t left = unanswered(); left > 0 && !has_failed(); left = unanswered()) {
    keep_peace(kAnswerUs);
    if (unanswered() >= left) return;
  }
}

void Run::keep_peace(std::int64_t for_us) {
  const std::int64_t until_us = kernel_.now_us() + for_us;
  while (kernel_.now_us() < until_us && !has_failed() && kernel_.step()) {
  }
}

std::size_t Run::unanswered() const {
  std::size_t messages = 0;
  for (const auto& client : clients_) messages += client->unacked.size();
  return messages;
}

std::vector<Heard> Run::ask(UserId user, const chat::ClientEvent& event) {
  std::vector<Heard> answer;
  const auto of_user = [&](const auto& client) {
    return client->user == user && client->is_connected();
  };
  const auto found = std::find_if(clients_.begin(), clients_.end(), of_user);
  if (found == clients_.end()) return answer;
  Client& client = **found;
  const bool has_pages = std::holds_alternative<chat::UnreadFetch>(event);
  bool is_answered = false;
  client.when_heard = [&](const Heard& heard) {
    if (heard.id != "ask") return;
    answer.push_back(heard);
    is_answered = !has_pages || !std::holds_alternative<chat::HistoryPage>(heard.event);
  };
  client.say(event, "ask");
  const std::int64_t until_us = kernel_.now_us() + 20 * kSecondUs;
  while (!is_answered && kernel_.now_us() < until_us && kernel_.step()) {
  }
  client.when_heard = nullptr;
  if (!is_answered) wrong("a question is never answered");
  return answer;
}

void Run::judge() {
  for (const auto& client : clients_) {
    kernel_.tell(client->state());
    const std::string who = client->user.text().substr(14, 4);
    if (!client->is_connected() || !client->is_ready) wrong("D4 a client cannot connect: " + who);
    if (client->is_syncing) wrong("D6 a sync does not end: " + who);
    if (!client->unacked.empty())
      wrong("D1 a message is never answered: " + client->unacked.begin()->first);
  }
  oracle_.final_check(all_clients(), dropped().presence == 0);
  if (dropped().receipts == 0) oracle_.check_marks(all_clients());
  if (has_failed()) return;
  oracle_.check_unread(cast_.users, [this](UserId user, const chat::ClientEvent& event) {
    return ask(user, event);
  });
  if (!has_failed()) judge_a_departure();
  for (const auto& node : nodes_) look_at(*node);
}

// Everybody is there: whoever has missed that somebody left would not be seen. So somebody leaves.
void Run::judge_a_departure() {
  stays_away_ = cast_.users[kernel_.random(cast_.users.size())];
  for (const auto& client : clients_) {
    if (client->user != stays_away_) continue;
    client->leave(kernel_.chance(50) ? Client::Leave::kGoodbye : Client::Leave::kReset);
  }
  const std::int64_t until_us = kernel_.now_us() + kDepartureUs;
  while (kernel_.now_us() < until_us && !has_failed() && kernel_.step()) {
  }
  if (dropped().presence == 0) oracle_.check_presence(all_clients());
}

std::vector<chat::testing::Oracle::Client*> Run::all_clients() const {
  std::vector<chat::testing::Oracle::Client*> clients;
  for (const auto& client : clients_) clients.push_back(client.get());
  return clients;
}

Run::Dropped Run::dropped() {
  Dropped dropped = dropped_;
  for (const auto& node : nodes_)
    if (node) dropped.add(*node);
  return dropped;
}

void Run::Dropped::add(Node& node) {
  for (std::uint32_t i = 0; i < node.shards(); ++i) {
    const net::NetCounters& net = *node.shard(i).net_counters();
    presence += net.dropped_presence.value();
    receipts += net.dropped_receipt.value();
  }
}

void Run::look_at(Node& node) {
  dropped_.add(node);
  for (std::uint32_t i = 0; i < node.shards(); ++i) {
    const net::NetCounters& net = *node.shard(i).net_counters();
    met_["presence dropped"] += net.dropped_presence.value();
    met_["receipts dropped"] += net.dropped_receipt.value();
    met_["closed as slow"] += net.closed_slow.value();
    met_["sends cut short"] += net.sends_blocked.value();
    met_["receives without a buffer"] += net.recv_starved.value();
    met_["heard nothing for too long"] += net.idle_timeouts.value();
    const chat::ChatCounters& chat = *node.shard(i).chat_counters();
    met_["repairs"] += chat.repairs.value();
    met_["sync pages"] += chat.sync_pages.value();
    met_["conversations forgotten"] += chat.conversations_evicted.value();
    met_["events of other nodes"] += chat.node_events.value();
    met_["events before their turn"] += chat.node_events_held.value();
    met_["looks at the store"] += chat.looks.value();
    met_["no room for a joining"] += chat.not_live.value();
    met_["presence of other nodes"] += chat.presence_heard.value();
    met_["looks at the presence store"] += chat.presence_reads.value();
    const server::NodeLink* const link = node.shard(i).node_link();
    if (const auto* unlisted = link != nullptr ? link->unlisted_counters() : nullptr)
      met_["second looks"] += unlisted->second_looks.value();
  }
}

}  // namespace uproar::sim
