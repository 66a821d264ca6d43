#include "core/net/topic_table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace uproar::net {

TopicTable::TopicTable() = default;

TopicTable::~TopicTable() {
  for (Topic& topic : topics_) delete[] topic.members;
}

// --- Members ------------------------------------------------------------------------------------------------------

std::uint32_t TopicTable::index_of(const TopicId& topic) const {
  const auto found = by_id_.find(topic);
  return found == by_id_.end() ? kNone : found->second;
}

std::uint32_t TopicTable::find_link(const TopicLinks& links, std::uint32_t topic_index) const {
  std::uint32_t at = links.head;
  while (at != kNone && links_[at].topic != topic_index) at = links_[at].next;
  return at;
}

SubscribeOutcome TopicTable::subscribe(TopicLinks& links, std::uint32_t slot, Variant variant,
                                       const TopicId& id) {
  std::uint32_t index = index_of(id);
  const bool is_first = index == kNone;
  if (!is_first && find_link(links, index) != kNone) return SubscribeOutcome::kAlready;
  if (links.count >= kTopicsPerConnectionMax) return SubscribeOutcome::kTooMany;
  if (is_first) index = new_topic(id);

  const std::uint32_t link = new_link();
  Topic& topic = topics_[index];
  // The window of the cursor may wrap round the end of the members, where the new one is put: one more visit then
  // keeps everybody in it who was.
  if (topic.is_active) {
    topic.remaining = std::min(topic.remaining + 1, topic.member_count + 1);
    ++topic.lap_left;
  }
  links_[link] = {.topic = index, .member = topic.member_count, .next = links.head};
  links.head = link;
  ++links.count;
  if (variant == Variant::kDeflated) ++topic.deflate_members;
  add_member(topic, {.slot = slot, .link = link, .served = topic.end});
  return is_first ? SubscribeOutcome::kFirst : SubscribeOutcome::kAdded;
}

UnsubscribeOutcome TopicTable::unsubscribe(TopicLinks& links, Variant variant, const TopicId& id,
                                           Window* pending) {
  *pending = Window{};
  const std::uint32_t index = index_of(id);
  if (index == kNone) return UnsubscribeOutcome::kNotThere;
  std::uint32_t* at = &links.head;
  while (*at != kNone && links_[*at].topic != index) at = &links_[*at].next;
  if (*at == kNone) return UnsubscribeOutcome::kNotThere;

  const std::uint32_t link = *at;
  Topic& topic = topics_[index];
  const std::uint32_t member = links_[link].member;
  *pending = {.topic = index, .first = topic.members[member].served, .end = topic.end};
  if (variant == Variant::kDeflated) --topic.deflate_members;
  remove_member(topic, member);
  *at = links_[link].next;
  --links.count;
  links_[link].next = free_link_;
  free_link_ = link;

  if (topic.member_count > 0) return UnsubscribeOutcome::kRemoved;
  by_id_.erase(id);
  if (topic.is_active) unlink(index);
  topic.is_active = false;
  topic.remaining = 0;
  topic.is_dead = true;
  note_retired(index);  // a batch in flight may still point into its run
  return UnsubscribeOutcome::kLast;
}

TopicTable::Window TopicTable::take_of_link(std::uint32_t link) {
  const std::uint32_t index = links_[link].topic;
  Topic& topic = topics_[index];
  Member& member = topic.members[links_[link].member];
  const Window window{.topic = index, .first = member.served, .end = topic.end};
  member.served = topic.end;
  return window;
}

TopicTable::Window TopicTable::take_pending(const TopicLinks& links, const TopicId& id) {
  const std::uint32_t index = index_of(id);
  if (index == kNone) return {};
  const std::uint32_t link = find_link(links, index);
  return link == kNone ? Window{} : take_of_link(link);
}

void TopicTable::mark_served(const TopicLinks& links, const TopicId& id) {
  (void)take_pending(links, id);
}

bool TopicTable::is_subscribed(const TopicLinks& links, const TopicId& id) const {
  const std::uint32_t index = index_of(id);
  return index != kNone && find_link(links, index) != kNone;
}

std::uint32_t TopicTable::subscriber_count(const TopicId& id) const {
  const std::uint32_t index = index_of(id);
  return index == kNone ? 0 : topics_[index].member_count;
}

std::uint32_t TopicTable::tag_of(const TopicId& id) const {
  const std::uint32_t index = index_of(id);
  return index == kNone ? 0 : topics_[index].tag;
}

// --- Publishing ---------------------------------------------------------------------------------------------------

namespace {

void append(std::vector<std::byte>& run, const SharedBytes& bytes) {
  run.insert(run.end(), bytes.data(), bytes.data() + bytes.size());
}

}  // namespace

bool TopicTable::run_is_full(const TopicId& id) const {
  const std::uint32_t index = index_of(id);
  if (index == kNone || !topics_[index].run) return false;
  return topics_[index].run->full();
}

TopicTable::PublishResult TopicTable::publish(const TopicId& id, const EncodedMessage& message,
                                              DeliveryClass cls) {
  const std::uint32_t index = index_of(id);
  if (index == kNone) return {};
  Topic& topic = topics_[index];
  if (!topic.run) {
    topic.run = take_run();
    topic.run_base = topic.end;
  }
  Run& run = *topic.run;
  const bool deflate = topic.deflate_members > 0;
  run.frames.push_back(
      {.plain = message.plain,
       .deflated = deflate ? message.deflated : SharedBytes{},
       .plain_begin = run.plain_origin + static_cast<std::uint32_t>(run.plain.size()),
       .deflated_begin = run.deflated_origin + static_cast<std::uint32_t>(run.deflated.size()),
       .cls = cls});
  append(run.plain, message.plain);
  if (deflate) append(run.deflated, run.frames.back().bytes(Variant::kDeflated));
  ++topic.end;

  topic.remaining = topic.member_count;
  if (!topic.is_active) activate(index);
  return {.topic = index, .run_full = run.full()};
}

void TopicTable::confirm() {
  for (const std::uint32_t index : retired_) {
    Topic& topic = topics_[index];
    topic.is_retired = false;
    if (topic.is_active) {  // published again meanwhile, or never at rest
      trim(topic);
      continue;
    }
    if (topic.run) give_back(std::move(topic.run));
    if (topic.is_dead) free_topic(index);
  }
  retired_.clear();
}

// A visit serves up to the end of its moment, so when everybody was visited since, nobody is owed what was there then.
void TopicTable::begin_lap(Topic& topic) {
  topic.lap_left = topic.member_count;
  topic.lap_mark = topic.end;
}

void TopicTable::end_lap(std::uint32_t index) {
  Topic& topic = topics_[index];
  topic.trim_to = topic.lap_mark;
  begin_lap(topic);
  note_retired(index);
}

void TopicTable::trim(Topic& topic) {
  Run& run = *topic.run;
  // Numbers wrap: an old mark, behind the base, shows as a number far beyond the frames.
  const std::uint32_t count = topic.trim_to - topic.run_base;
  if (count == 0 || count > run.frames.size()) return;
  if (std::size_t{count} * 2 < run.frames.size())
    return;  // moves no more than it frees; the run stays within twice its need
  const bool all = count == run.frames.size();
  const std::size_t plain =
      all ? run.plain.size() : run.frames[count].plain_begin - run.plain_origin;
  const std::size_t deflated =
      all ? run.deflated.size() : run.frames[count].deflated_begin - run.deflated_origin;
  run.frames.erase(run.frames.begin(), run.frames.begin() + count);
  run.plain.erase(run.plain.begin(), run.plain.begin() + static_cast<std::ptrdiff_t>(plain));
  run.deflated.erase(run.deflated.begin(),
                     run.deflated.begin() + static_cast<std::ptrdiff_t>(deflated));
  run.plain_origin += static_cast<std::uint32_t>(plain);
  run.deflated_origin += static_cast<std::uint32_t>(deflated);
  run.frames_spilled -= std::min<std::size_t>(run.frames_spilled, count);
  run.bytes_spilled -= std::min(run.bytes_spilled, plain);
  topic.run_base = topic.trim_to;
}

std::size_t TopicTable::run_frames(const TopicId& id) const {
  const std::uint32_t index = index_of(id);
  return index == kNone || !topics_[index].run ? 0 : topics_[index].run->frames.size();
}

// --- Lists and storage --------------------------------------------------------------------------------------------

std::uint32_t TopicTable::new_topic(const TopicId& id) {
  std::uint32_t index = free_topic_;
  if (index == kNone) {
    index = static_cast<std::uint32_t>(topics_.size());
    topics_.emplace_back();
  } else {
    free_topic_ = topics_[index].next;
    topics_[index].next = kNone;
    topics_[index].is_dead = false;
  }
  Topic& topic = topics_[index];
  topic.id = id;
  topic.tag = next_tag_;
  next_tag_ = next_tag_ == UINT32_MAX ? 1 : next_tag_ + 1;
  by_id_.emplace(id, index);
  return index;
}

void TopicTable::free_topic(std::uint32_t index) {
  Topic& topic = topics_[index];
  member_bytes_ -= topic.member_capacity * sizeof(Member);
  delete[] topic.members;
  topic = Topic{};
  topic.is_dead = true;
  topic.next = free_topic_;
  free_topic_ = index;
}

std::uint32_t TopicTable::new_link() {
  if (free_link_ == kNone) {
    links_.emplace_back();
    return static_cast<std::uint32_t>(links_.size() - 1);
  }
  const std::uint32_t link = free_link_;
  free_link_ = links_[link].next;
  return link;
}

void TopicTable::add_member(Topic& topic, Member member) {
  if (topic.member_count == topic.member_capacity) {
    const std::uint32_t capacity = topic.member_capacity == 0 ? 1 : topic.member_capacity * 2;
    auto* members = new Member[capacity];
    std::copy_n(topic.members, topic.member_count, members);
    delete[] topic.members;
    topic.members = members;
    member_bytes_ += (capacity - topic.member_capacity) * sizeof(Member);
    topic.member_capacity = capacity;
  }
  topic.members[topic.member_count++] = member;
}

void TopicTable::remove_member(Topic& topic, std::uint32_t at) {
  const Member last = topic.members[--topic.member_count];
  if (at != topic.member_count) {
    topic.members[at] = last;
    links_[last.link].member = at;
  }
  // The one that moved may have left the cursor's window: everybody is looked at once more, at one compare each.
  if (topic.is_active) {
    topic.remaining = topic.member_count;
    topic.lap_left = topic.member_count;
  }
}

void TopicTable::activate(std::uint32_t index) {
  Topic& topic = topics_[index];
  topic.is_active = true;
  topic.is_new = true;
  topic.quantum_left = kNewTopicSends;
  begin_lap(topic);
  push_back(index);
}

// It has had its sends: behind the other old ones it goes on.
void TopicTable::grow_old(std::uint32_t index) {
  unlink(index);
  Topic& topic = topics_[index];
  topic.is_new = false;
  topic.quantum_left = kTopicQuantumSends;
  push_back(index);
}

void TopicTable::retire(std::uint32_t index) {
  Topic& topic = topics_[index];
  topic.trim_to = topic.end;
  unlink(index);
  topic.is_active = false;
  note_retired(index);
}

void TopicTable::push_back(std::uint32_t index) {
  Topic& topic = topics_[index];
  List& list = list_of(topic);
  topic.next = kNone;
  topic.previous = list.tail;
  (list.tail == kNone ? list.head : topics_[list.tail].next) = index;
  list.tail = index;
}

void TopicTable::unlink(std::uint32_t index) {
  Topic& topic = topics_[index];
  List& list = list_of(topic);
  (topic.previous == kNone ? list.head : topics_[topic.previous].next) = topic.next;
  (topic.next == kNone ? list.tail : topics_[topic.next].previous) = topic.previous;
  topic.next = kNone;
  topic.previous = kNone;
}

void TopicTable::note_retired(std::uint32_t index) {
  if (topics_[index].is_retired) return;
  topics_[index].is_retired = true;
  retired_.push_back(index);
}

std::unique_ptr<TopicTable::Run> TopicTable::take_run() {
  if (spare_runs_.empty()) return std::make_unique<Run>();
  auto run = std::move(spare_runs_.back());
  spare_runs_.pop_back();
  return run;
}

void TopicTable::give_back(std::unique_ptr<Run> run) {
  run->frames.clear();
  run->plain.clear();
  run->deflated.clear();
  run->plain_origin = 0;
  run->deflated_origin = 0;
  run->frames_spilled = 0;
  run->bytes_spilled = 0;
  if (spare_runs_.size() >= kRunsKept) return;
  if (run->plain.capacity() > kRunKeptBytesMax || run->deflated.capacity() > kRunKeptBytesMax)
    return;
  spare_runs_.push_back(std::move(run));
}

std::size_t TopicTable::memory_bytes() const {
  return topics_.capacity() * sizeof(Topic) + links_.size() * sizeof(Link) + member_bytes_ +
         by_id_.capacity() * (sizeof(TopicId) + sizeof(std::uint32_t) + 5);
}

}  // namespace uproar::net
