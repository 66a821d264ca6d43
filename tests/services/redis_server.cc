#include "tests/services/redis_server.h"

#include <cstdio>
#include <set>
#include <string>
#include <utility>

#include <hiredis/hiredis.h>

#include "proto/base/check.h"

namespace uproar::services {
namespace {

std::string text_of(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      return std::to_string(reply.integer);
    case REDIS_REPLY_NIL:
      return "(nil)";
    case REDIS_REPLY_ARRAY: {
      std::string out;
      for (std::size_t i = 0; i < reply.elements; ++i)
        out += (i == 0 ? "" : " ") + text_of(*reply.element[i]);
      return out;
    }
    default:
      return std::string(reply.str, static_cast<std::size_t>(reply.len));
  }
}

}  // namespace

RedisServer::RedisServer(std::vector<std::string> settings, std::string password)
    : settings_(std::move(settings)), password_(std::move(password)) {}

void RedisServer::start() {
  // Another process may take a port between the look and the start.
  for (int attempt = 0; attempt < 5; ++attempt) {
    const bool is_first = port_ == 0;
    if (is_first) port_ = free_port();
    std::vector<std::string> command{"redis-server", "--port",    std::to_string(port_),
                                     "--bind",       "127.0.0.1", "--dir",
                                     folder_.path(), "--save",    "",
                                     "--appendonly", "no",        "--enable-debug-command",
                                     "yes"};
    command.insert(command.end(), settings_.begin(), settings_.end());
    process_ = std::make_unique<ServiceProcess>(command, folder_.path() + "/log");
    process_->start();
    const bool is_ready =
        wait_until([&] { return !process_->is_running() || ask({"PING"}) == "PONG"; });
    if (is_ready && process_->is_running()) return;
    if (is_first) port_ = 0;
  }
  std::fputs(process_->log_text().c_str(), stderr);
  UPROAR_CHECK(false);  // redis-server does not start; its log is above
}

std::string RedisServer::ask(std::initializer_list<std::string_view> command) {
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  const std::unique_ptr<redisContext, decltype(&redisFree)> connection(
      redisConnectWithTimeout("127.0.0.1", port_, patience), &redisFree);
  if (connection == nullptr || connection->err != 0) return "(no answer)";
  (void)redisSetTimeout(connection.get(), patience);
  if (!password_.empty())
    freeReplyObject(redisCommand(connection.get(), "AUTH %s", password_.c_str()));
  std::vector<const char*> words;
  std::vector<std::size_t> sizes;
  for (const std::string_view word : command) {
    words.push_back(word.data());
    sizes.push_back(word.size());
  }
  auto* reply = static_cast<redisReply*>(redisCommandArgv(
      connection.get(), static_cast<int>(words.size()), words.data(), sizes.data()));
  if (reply == nullptr) return "(no answer)";
  const std::string text = text_of(*reply);
  freeReplyObject(reply);
  return text;
}

std::string RedisServer::url() const {
  const std::string credentials = password_.empty() ? "" : ":" + password_ + "@";
  return "redis://" + credentials + "127.0.0.1:" + std::to_string(port_);
}

RedisCluster::RedisCluster() {
  for (std::size_t i = 0; i < kNodes; ++i)
    nodes_.push_back(std::make_unique<RedisServer>(std::vector<std::string>{
        "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout",
        "2000", "--cluster-port", std::to_string(free_port())}));
}

void RedisCluster::start() {
  for (auto& server : nodes_) server->start();
  // What redis-cli --cluster create does, without the seconds it waits.
  const char* ranges[kNodes][2] = {{"0", "5460"}, {"5461", "10922"}, {"10923", "16383"}};
  for (std::size_t i = 0; i < kNodes; ++i) {
    UPROAR_CHECK(node(i).ask({"CLUSTER", "ADDSLOTSRANGE", ranges[i][0], ranges[i][1]}) == "OK");
    UPROAR_CHECK(node(i).ask({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)}) == "OK");
  }
  for (std::size_t i = 1; i < kNodes; ++i) {
    const std::string bus_port = node(i).ask({"CONFIG", "GET", "cluster-port"});
    (void)node(0).ask({"CLUSTER", "MEET", "127.0.0.1", std::to_string(node(i).port()),
                       bus_port.substr(bus_port.find(' ') + 1)});
  }
  UPROAR_CHECK(wait_until([this] { return is_ok(); }));
}

bool RedisCluster::is_ok() {
  for (auto& server : nodes_) {
    const std::string info = server->ask({"CLUSTER", "INFO"});
    if (info.find("cluster_state:ok") == std::string::npos ||
        info.find("cluster_known_nodes:3") == std::string::npos)
      return false;
  }
  return true;
}

std::string RedisCluster::url() const {
  std::string out = "redis://";
  for (const auto& server : nodes_) {
    if (out.back() != '/') out += ',';
    out += "127.0.0.1:" + std::to_string(server->port());
  }
  return out;
}

std::size_t RedisCluster::owner_of(std::uint16_t slot) {
  // A server without the slot says who has it.
  for (std::size_t i = 0; i < kNodes; ++i) {
    const std::string id = node(i).ask({"CLUSTER", "MYID"});
    const std::string slots = node(i).ask({"CLUSTER", "NODES"});
    const auto mine = slots.find("myself");
    const std::string line = slots.substr(mine, slots.find('\n', mine) - mine);
    // "myself,master - 0 0 1 connected 0-5460 7000"
    auto at = line.find("connected ");
    if (at == std::string::npos) continue;
    at += 10;
    while (at < line.size()) {
      const auto end = std::min(line.find(' ', at), line.size());
      const std::string range = line.substr(at, end - at);
      const auto dash = range.find('-');
      const int first = std::stoi(range);
      const int last = dash == std::string::npos ? first : std::stoi(range.substr(dash + 1));
      if (slot >= first && slot <= last) return i;
      at = end + 1;
    }
  }
  UPROAR_CHECK(false, slot);  // nobody has it
  return 0;
}

bool RedisCluster::has_one_epoch() {
  std::set<std::string> epochs;
  for (auto& server : nodes_) {
    const std::string info = server->ask({"CLUSTER", "INFO"});
    const auto at = info.find("cluster_current_epoch:");
    epochs.insert(at == std::string::npos ? "" : info.substr(at, info.find('\r', at) - at));
  }
  return epochs.size() == 1;
}

void RedisCluster::move_slot(std::uint16_t slot, std::size_t to) {
  // Whoever takes a slot counts on from the epoch he knows: one that is old would lose against the move before.
  UPROAR_CHECK(wait_until([this] { return has_one_epoch(); }));
  const std::size_t from = owner_of(slot);
  const std::string number = std::to_string(slot);
  const std::string to_id = node(to).ask({"CLUSTER", "MYID"});
  const std::string from_id = node(from).ask({"CLUSTER", "MYID"});
  UPROAR_CHECK(node(to).ask({"CLUSTER", "SETSLOT", number, "IMPORTING", from_id}) == "OK");
  UPROAR_CHECK(node(from).ask({"CLUSTER", "SETSLOT", number, "MIGRATING", to_id}) == "OK");
  UPROAR_CHECK(node(to).ask({"CLUSTER", "SETSLOT", number, "NODE", to_id}) == "OK");
  for (std::size_t i = 0; i < kNodes; ++i)
    if (i != to) UPROAR_CHECK(node(i).ask({"CLUSTER", "SETSLOT", number, "NODE", to_id}) == "OK");
}

}  // namespace uproar::services
