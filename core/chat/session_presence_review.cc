// Somebody has left a conversation. Who shares no other one with them hears no more of whether they
// are online, and they no more of those: whichever conversations their sessions hear, as the owner
// of the user says it to every shard with a device or a watcher of theirs.
//
// The store says who still shares one. One read is under way, of a bounded number of pairs, at a
// bounded rate; each user waits once, and what could not be read is read again: a wave of leavings
// makes others wait for this alone, and loses nothing.
#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "core/chat/session_role.h"
#include "proto/base/sort_unique.h"

namespace uproar::chat {

struct SessionRole::ReviewUnderway {
  PresenceReview review;
  std::vector<UserId> others;  // by id: who watches them here, and whom they watch
  std::size_t asked = 0;       // so many of these, with the read that is under way
};

void SessionRole::on(const PresenceReview& said) {
  std::vector<Endpoint> devices;
  for (const Endpoint& device : said.devices) {
    Session* session = live(device);
    if (session == nullptr) continue;
    if (session->state == Session::State::kStarting) {
      session->starting()->reviews_presence = true;
    } else {
      devices.push_back(device);
    }
  }
  if (devices.empty() && !topics_.find(topic_of(said.user))) return;
  const auto [due, is_new] = presence_reviews_.try_emplace(said.user);
  if (is_new) presence_reviews_due_.push_back(said.user);
  for (const Endpoint& device : devices) {
    auto& all = due->second;
    if (std::find(all.begin(), all.end(), device) == all.end()) all.push_back(device);
  }
  start_presence_reviews();
}

void SessionRole::start_presence_reviews() {
  while (!presence_review_armed_ && !presence_reviews_due_.empty() &&
         presence_reviews_underway_ < kPresenceReviewsInFlightMax) {
    auto under_way = std::make_shared<ReviewUnderway>();
    PresenceReview& review = under_way->review;
    review.user = presence_reviews_due_.front();
    presence_reviews_due_.pop_front();
    const auto due = presence_reviews_.find(review.user);
    review.devices = std::move(due->second);
    presence_reviews_.erase(due);
    under_way->others = reviewed_with(review);
    if (under_way->others.empty()) continue;
    ++presence_reviews_underway_;
    review_next(std::move(under_way));
  }
}

void SessionRole::pause_presence_reviews(std::int64_t wait_us) {
  if (std::exchange(presence_review_armed_, true)) return;
  context_.deadlines.arm(context_.now.monotonic_us + wait_us, Deadline::Kind::kPresenceReview,
                         Uuid{});
}

std::vector<UserId> SessionRole::reviewed_with(const PresenceReview& review) {
  std::vector<UserId> others;
  for (const Endpoint& watcher : context_.outbox.subscribers(topic_of(review.user)))
    if (const Session* session = live(watcher)) others.push_back(session->user);
  for (const Endpoint& device : review.devices) {
    const Session* session = live(device);
    if (session == nullptr) continue;
    for (const std::uint32_t index : session->topics)
      if (is_user_topic(topics_.id(index))) others.push_back(topics_.user(index));
  }
  sort_unique(others);
  std::erase(others, review.user);
  return others;
}

void SessionRole::review_next(std::shared_ptr<ReviewUnderway> review) {
  const std::size_t count =
      std::min<std::size_t>(review->others.size() - review->asked, kPresenceReviewPairsMax);
  const auto begin = review->others.begin() + static_cast<std::ptrdiff_t>(review->asked);
  std::vector<UserId> asked(begin, begin + static_cast<std::ptrdiff_t>(count));
  review->asked += count;
  presence_review_rate_.take(count, kPresenceReviewPairsPerS, context_.now.monotonic_us);
  const UserId user = review->review.user;
  // In doubt they are left as they are: nobody can part others by what they put them into.
  context_.directory.find_companions(user, asked, storage::InDoubt::kCompanion,
                                     [this, review = std::move(review), asked](
                                         Result<std::vector<UserId>, storage::StoreError> found) {
                                       review_answered(review, asked, found);
                                     });
}

void SessionRole::review_answered(const std::shared_ptr<ReviewUnderway>& review,
                                  const std::vector<UserId>& asked,
                                  const Result<std::vector<UserId>, storage::StoreError>& found) {
  if (!found.ok()) {
    --presence_reviews_underway_;
    pause_presence_reviews(std::int64_t{kPresenceReviewRetryMs} * 1000);
    return on(review->review);
  }
  std::vector<UserId> strangers;
  std::set_difference(asked.begin(), asked.end(), found->begin(), found->end(),
                      std::back_inserter(strangers));
  part(review->review, strangers);
  if (review->asked < review->others.size()) return review_next(review);
  --presence_reviews_underway_;
  const std::int64_t wait_us = presence_review_rate_.wait_us(
      1, kPresenceReviewPairsPerS, kPresenceReviewPairsBurst, context_.now.monotonic_us);
  if (wait_us > 0) return pause_presence_reviews(wait_us);
  start_presence_reviews();
}

void SessionRole::retry_presence_reviews() {
  presence_review_armed_ = false;
  start_presence_reviews();
}

void SessionRole::part(const PresenceReview& review, const std::vector<UserId>& strangers) {
  if (strangers.empty()) return;
  for (const Endpoint& device : review.devices)
    for (const UserId stranger : strangers) unwatch(device, stranger);
  for (const Endpoint& watcher : context_.outbox.subscribers(topic_of(review.user))) {
    const Session* session = live(watcher);
    if (session != nullptr && std::binary_search(strangers.begin(), strangers.end(), session->user))
      unwatch(watcher, review.user);
  }
}

// From now on they are shown as strangers are.
void SessionRole::unwatch(const Endpoint& endpoint, UserId user) {
  Session* session = live(endpoint);
  if (session == nullptr) return;
  if (session->state == Session::State::kStarting) {
    session->starting()->reviews_presence = true;
    return;
  }
  if (!unhear(endpoint, *session, topic_of(user), PendingFrames::kDrop)) return;
  context_.outbox.tell(endpoint, ServerEvent(PresenceUpdate{PresenceState{.user = user}}),
                       Delivery::kPresence);
}

}  // namespace uproar::chat
