#include "core/chat/presence_watch.h"

#include <algorithm>
#include <utility>

#include "storage/limits.h"

namespace uproar::chat {

PresenceWatch::PresenceWatch(ShardContext& context, std::function<void(UserId)> changed)
    : context_(context), changed_(std::move(changed)) {
  UPROAR_CHECK(context_.presence != nullptr);
}

bool PresenceWatch::Watched::is_online() const {
  return std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.devices > 0; });
}

PresenceWatch::Watched* PresenceWatch::find(UserId user) {
  const auto it = watched_.find(topic_of(user));
  return it == watched_.end() || it->second.user != user ? nullptr : &it->second;
}
const PresenceWatch::Watched* PresenceWatch::find(UserId user) const {
  return const_cast<PresenceWatch*>(this)->find(user);
}

std::vector<UserId> PresenceWatch::users() const {
  std::vector<UserId> users;
  users.reserve(watched_.size());
  for (const auto& [topic, watched] : watched_) users.push_back(watched.user);
  std::sort(users.begin(), users.end());
  return users;
}

void PresenceWatch::begin(UserId user) {
  const auto [it, is_fresh] = watched_.try_emplace(topic_of(user));
  if (!is_fresh) return;
  it->second.user = user;
  context_.presence->watch(user);
}

void PresenceWatch::end(const TopicId& topic) {
  const auto it = watched_.find(topic);
  if (it == watched_.end()) return;
  const UserId user = it->second.user;
  watched_.erase(it);  // in to_read_ it is passed over
  context_.presence->unwatch(user);
}

// --- what is known -------------------------------------------------------------------------------------------------

bool PresenceWatch::knows(UserId user) const {
  const Watched* watched = find(user);
  return watched != nullptr && watched->is_known;
}

bool PresenceWatch::is_online(UserId user) const {
  const Watched* watched = find(user);
  return watched != nullptr && watched->is_online();
}

bool PresenceWatch::is_shown_online(UserId user) const {
  const Watched* watched = find(user);
  return watched != nullptr && is_certain_ && !watched->was_uncertain && watched->is_online();
}

std::int64_t PresenceWatch::last_online_us(UserId user) const {
  const Watched* watched = find(user);
  if (watched == nullptr) return 0;
  std::int64_t last_us = watched->left_us;
  for (const Row& row : watched->rows) {
    if (row.devices == 0) last_us = std::max(last_us, row.heard_us);
  }
  return last_us;
}

bool PresenceWatch::is_online(const storage::UserPresence& rows) const {
  return std::any_of(rows.nodes.begin(), rows.nodes.end(), [this](const auto& row) {
    return row.presence.devices > 0 && is_live(row.node);
  });
}

void PresenceWatch::told_uncertain(UserId user) {
  if (Watched* watched = find(user)) watched->was_uncertain = true;
}

bool PresenceWatch::mark(UserId user) {
  Watched* watched = find(user);
  return watched != nullptr && !std::exchange(watched->is_marked, true);
}
bool PresenceWatch::is_marked(UserId user) const {
  const Watched* watched = find(user);
  return watched != nullptr && watched->is_marked;
}
void PresenceWatch::unmark(UserId user) {
  if (Watched* watched = find(user)) watched->is_marked = false;
}

// --- what the others say -------------------------------------------------------------------------------------------

bool PresenceWatch::is_live(const storage::NodeId& node) const {
  return !others_ || others_->contains(node);
}

bool PresenceWatch::learn(Watched& watched, const storage::NodeId& node,
                          const storage::PresenceDelta& said, std::uint64_t learned) {
  const auto row = std::find_if(watched.rows.begin(), watched.rows.end(),
                                [&](const Row& x) { return x.node == node; });
  if (row == watched.rows.end()) {
    watched.rows.push_back(
        {.node = node, .heard_us = said.heard_us, .learned = learned, .devices = said.devices});
    return true;
  }
  if (said.heard_us < row->heard_us) return false;
  row->learned = std::max(row->learned, learned);  // also of what is known: it still held then
  if (said.heard_us == row->heard_us) return false;
  row->heard_us = said.heard_us;
  row->devices = said.devices;
  return true;
}

void PresenceWatch::on_said(const storage::NodeId& node, UserId user,
                            const storage::PresenceDelta& said) {
  Watched* watched = find(user);
  if (watched == nullptr || !is_live(node)) return;
  context_.counters.presence_heard.add();
  const bool was_online = watched->is_online();
  if (!learn(*watched, node, said, reads_)) context_.counters.presence_old.add();
  if (watched->is_online() != was_online) changed_(user);
}

void PresenceWatch::on_listening(UserId user) {
  Watched* watched = find(user);
  if (watched == nullptr) return;
  watched->is_listening = true;
  wait_for_read(*watched);
  read_next();
}

void PresenceWatch::on_gap() {
  read_all();
}

void PresenceWatch::on_nodes(std::span<const storage::NodeId> others) {
  const bool has_joined = std::any_of(others.begin(), others.end(), [&](const auto& node) {
    return !others_ || !others_->contains(node);
  });
  if (others_ && !has_joined && others_->size() == others.size()) return;  // as it was
  others_.emplace(others.begin(), others.end());
  for (const UserId user : users()) {
    Watched& watched = *find(user);
    const bool was_online = watched.is_online();
    watched.rows.erase(std::remove_if(watched.rows.begin(), watched.rows.end(),
                                      [&](const Row& row) { return !is_live(row.node); }),
                       watched.rows.end());
    if (!was_online || watched.is_online()) continue;
    watched.left_us = context_.now.wall_us;
    changed_(user);
  }
  if (has_joined) read_all();  // what it said before now was passed over
}

void PresenceWatch::on_certain(bool is_certain) {
  if (std::exchange(is_certain_, is_certain) == is_certain) return;
  if (is_certain) return read_all();
  for (const UserId user : users()) {  // whoever is thought to be elsewhere: nobody knows any more
    Watched& watched = *find(user);
    if (!watched.is_online()) continue;
    watched.was_uncertain = true;
    changed_(user);
  }
}

// --- reading -------------------------------------------------------------------------------------------------------

void PresenceWatch::wait_for_read(Watched& watched) {
  if (!std::exchange(watched.is_waiting, true)) to_read_.push_back(watched.user);
}

void PresenceWatch::read_all() {
  for (const UserId user : users()) {
    Watched& watched = *find(user);
    if (watched.is_listening) wait_for_read(watched);  // else it is read when listening begins
  }
  read_next();
}

// One read at a time: what comes meanwhile gathers for the next.
void PresenceWatch::read_next() {
  if (is_reading_) return;
  std::vector<UserId> users;
  while (!to_read_.empty() && users.size() < storage::kPresenceReadUsersMax) {
    const UserId user = to_read_.front();
    to_read_.pop_front();
    Watched* watched = find(user);
    if (watched == nullptr || !watched->is_waiting) continue;  // not watched any more
    watched->is_waiting = false;
    users.push_back(user);
  }
  if (users.empty()) return;
  is_reading_ = true;
  const std::uint64_t number = ++reads_;
  context_.counters.presence_reads.add(users.size());
  context_.presence->read(
      users, [this, number, users](const auto& found) { has_read(number, users, found); });
}

void PresenceWatch::has_read(
    std::uint64_t number, const std::vector<UserId>& users,
    const Result<std::vector<storage::UserPresence>, storage::PresenceError>& found) {
  is_reading_ = false;
  if (found.ok()) {
    for (const storage::UserPresence& read : found.value()) {
      if (read.is_known) {
        compare(number, read);
      } else {
        retry_later(read.user);
      }
    }
  } else {
    for (const UserId user : users) retry_later(user);
    // Of so many nobody: the store is away, and who is left need not be tried.
    if (users.size() == storage::kPresenceReadUsersMax) {
      unread_.insert(unread_.end(), to_read_.begin(), to_read_.end());
      to_read_.clear();
    }
  }
  if (!unread_.empty() && !std::exchange(timer_armed_, true)) {
    context_.deadlines.arm(context_.now.monotonic_us + std::int64_t{kPresenceReadRetryMs} * 1000,
                           Deadline::Kind::kPresenceRead, Uuid{});
  }
  read_next();
}

// Those alone who could not be read: others may be at another server of the store.
void PresenceWatch::retry_later(UserId user) {
  Watched* watched = find(user);
  if (watched == nullptr || std::exchange(watched->is_waiting, true)) return;
  unread_.push_back(user);
}

void PresenceWatch::retry_read() {
  timer_armed_ = false;
  to_read_.insert(to_read_.end(), unread_.begin(), unread_.end());
  unread_.clear();
  read_next();
}

void PresenceWatch::compare(std::uint64_t number, const storage::UserPresence& read) {
  Watched* watched = find(read.user);
  if (watched == nullptr) return;
  const bool was_online = watched->is_online();
  for (const storage::NodePresence& row : read.nodes) {
    if (is_live(row.node)) (void)learn(*watched, row.node, row.presence, number);
  }
  const auto is_outdated = [&](const Row& row) {
    const bool is_there = std::any_of(read.nodes.begin(), read.nodes.end(),
                                      [&](const auto& x) { return x.node == row.node; });
    return row.devices > 0 && !is_there && row.learned < number;
  };
  watched->rows.erase(std::remove_if(watched->rows.begin(), watched->rows.end(), is_outdated),
                      watched->rows.end());
  watched->is_known = watched->is_listening;
  const bool is_online = watched->is_online();
  if (was_online && !is_online) watched->left_us = context_.now.wall_us;
  const bool is_news = is_certain_ && std::exchange(watched->was_uncertain, false);
  if (was_online != is_online || is_news) changed_(read.user);
}

void PresenceWatch::look(std::vector<UserId> users, Found found) {
  // Its rows are as old as its beginning.
  context_.counters.presence_reads.add(users.size());
  context_.presence->read(users,
                          [this, number = reads_, found = std::move(found)](const auto& read) {
                            if (!read.ok()) return found(nullptr);
                            for (const storage::UserPresence& user : read.value()) {
                              Watched* watched = find(user.user);
                              // Who is known by now was read since: this may be older, and nobody would
                              // take back what it says.
                              if (watched == nullptr || watched->is_known) continue;
                              const bool was_online = watched->is_online();
                              for (const storage::NodePresence& row : user.nodes) {
                                if (is_live(row.node))
                                  (void)learn(*watched, row.node, row.presence, number);
                              }
                              if (watched->is_online() != was_online) changed_(user.user);
                            }
                            found(&read.value());
                          });
}

}  // namespace uproar::chat
