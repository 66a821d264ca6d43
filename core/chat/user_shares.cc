#include "core/chat/user_shares.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "core/chat/least_used.h"
#include "proto/base/weakness.h"
#include "proto/chat/ids.h"
#include "storage/limits.h"

namespace uproar::chat {
namespace {

static_assert(kMemberListMax <= storage::kLookedUpMax, "contacts are looked up in one read");

Error too_much(ErrorCode code, std::string_view what, std::int64_t wait_us = 0) {
  return {.code = code, .detail = what, .retry_after_ms = retry_ms_of(wait_us)};
}

}  // namespace

std::int64_t UserShares::Share::used_us(std::int64_t now_us) const {
  return std::max({units.used_us(now_us), conversations.used_us(now_us), contacts.used_us(now_us),
                   pages.used_us(now_us)});
}

bool UserShares::Share::has_paid_for(const ShareDemand& demand) const {
  return !demand.begins.is_nil() && std::any_of(begun.begin(), begun.end(), [&](const Begun& x) {
    return x.conversation == demand.begins && x.contacts_hash == absl::HashOf(demand.contacts);
  });
}

void UserShares::Share::note_paid(const ShareDemand& demand) {
  if (demand.begins.is_nil()) return;
  std::erase_if(begun, [&](const Begun& x) { return x.conversation == demand.begins; });
  if (begun.size() >= kBegunKept) begun.erase(begun.begin());
  begun.push_back({.conversation = demand.begins, .contacts_hash = absl::HashOf(demand.contacts)});
}

UserShares::Share& UserShares::share_of(UserId user) {
  const auto found = shares_.find(user);
  if (found != shares_.end()) return found->second;
  if (shares_.size() >= std::max(swept_above_, kSharesSweptAbove)) make_room();
  return shares_[user];
}

// Who has all of their quotas again is forgotten.
void UserShares::make_room() {
  const std::int64_t now_us = context_.now.monotonic_us;
  const bool was_full = forget_least_used(
      shares_, kSharesMax, swept_above_, [&](const Share& share) { return share.used_us(now_us); });
  if (was_full) context_.counters.shares_forgotten.add();
}

void UserShares::on(ShareAsk ask) {
  const ChatLimits& limits = context_.limits;
  const std::int64_t now_us = context_.now.monotonic_us;
  context_.counters.shares_asked.add();
  std::int64_t wait_us = 0;
  if (ask.demand.units > 0 && !weakened(Weakness::kUserShare)) {
    Share& share = share_of(ask.user);
    const std::uint32_t per_s = limits.commands_per_s * kUserConnectionsWorth;
    const std::uint32_t burst = limits.commands_burst;
    wait_us = share.units.wait_us(std::min(ask.demand.units, burst), per_s, burst, now_us);
    if (wait_us > (ask.may_wait ? kShareWaitUsMax : 0)) {
      refuse(ask, too_much(ErrorCode::kRateLimited,
                           "all connections of one user together say too much; wait and try again",
                           wait_us));
      return;
    }
    share.units.take(ask.demand.units, per_s, now_us);
    if (wait_us > 0) context_.counters.shares_waited.add();
  }
  auto& contacts = ask.demand.contacts;
  if (limits.first_contacts_per_day == 0) contacts.clear();
  if (share_of(ask.user).has_paid_for(ask.demand)) {
    contacts.clear();
    ask.demand.conversations = 0;
  }
  if (contacts.empty()) return decide(ask, 0, wait_us);
  look_for_strangers(std::move(ask), wait_us);
}

// Who is written to is a first contact where no direct conversation is stored; who is added, where
// they have not written to the one who adds them.
void UserShares::look_for_strangers(ShareAsk ask, std::int64_t wait_us) {
  if (reads_ >= kShareReadsInFlightMax) {
    context_.counters.overloaded.add();
    refuse_taken(ask, unread(storage::StoreError::kOverloaded));
    return;
  }
  ++reads_;
  const UserId user = ask.user;
  if (ask.demand.is_direct) {
    context_.directory.find_memberships(
        user, {ask.demand.begins},
        [this, ask = std::move(ask),
         wait_us](const Result<std::vector<ConversationId>, storage::StoreError>& found) {
          --reads_;
          if (!found.ok()) return refuse_taken(ask, unread(found.error()));
          decide(ask, found->empty() ? 1 : 0, wait_us);
        });
    return;
  }
  std::vector<storage::Writer> asked;
  asked.reserve(ask.demand.contacts.size());
  for (const UserId contact : ask.demand.contacts)
    asked.push_back({.conversation = direct_conversation_id(user, contact), .user = contact});
  const auto count = static_cast<std::uint32_t>(asked.size());
  context_.directory.find_writers(
      std::move(asked),
      [this, ask = std::move(ask), count,
       wait_us](const Result<std::vector<storage::Writer>, storage::StoreError>& known) {
        --reads_;
        if (!known.ok()) return refuse_taken(ask, unread(known.error()));
        decide(ask, count - static_cast<std::uint32_t>(known->size()), wait_us);
      });
}

void UserShares::decide(const ShareAsk& ask, std::uint32_t strangers, std::int64_t wait_us) {
  const ChatLimits& limits = context_.limits;
  const std::int64_t now_us = context_.now.monotonic_us;
  const ShareDemand& demand = ask.demand;
  std::uint32_t pages = demand.pages;
  const bool counts_conversations =
      demand.conversations > 0 && limits.conversations_per_day > 0 && !weakened(Weakness::kQuotas);
  const bool counts_contacts = strangers > 0 && !weakened(Weakness::kQuotas);
  if (counts_conversations || counts_contacts || demand.pages > 0) {
    Share& share = share_of(ask.user);
    const auto over = [&](std::uint32_t amount, std::uint32_t per_day, const DayBucket& bucket,
                          std::string_view what) -> bool {
      const bool is_ever = amount <= per_day;
      const std::int64_t late_us = bucket.wait_us(amount, per_day, now_us);
      if (is_ever && late_us == 0) return false;
      context_.counters.quotas_refused.add();
      refuse_taken(ask, too_much(is_ever ? ErrorCode::kRateLimited : ErrorCode::kTooLarge, what,
                                 is_ever ? late_us : 0));
      return true;
    };
    if (counts_conversations &&
        over(demand.conversations, limits.conversations_per_day, share.conversations,
             "you have made as many conversations as a day allows (--conversations-per-day)"))
      return;
    if (counts_contacts &&
        over(strangers, limits.first_contacts_per_day, share.contacts,
             "you have added or written to as many people who never wrote to you as a day allows "
             "(--first-contacts-per-day)"))
      return;
    if (demand.pages > 0 && !weakened(Weakness::kQuotas)) {
      const std::uint32_t per_day = limits.stored_pages_per_day;
      const std::uint32_t lot = std::max(demand.pages, std::min(demand.lot_pages, per_day));
      pages = share.pages.wait_us(lot, per_day, now_us) == 0 ? lot : demand.pages;
      if (over(pages, per_day, share.pages,
               "you have stored as much as a day allows (--message-mb-per-day)"))
        return;
      share.pages.take(pages, per_day, now_us);
    }
    if (counts_conversations)
      share.conversations.take(demand.conversations, limits.conversations_per_day, now_us);
    if (counts_contacts) share.contacts.take(strangers, limits.first_contacts_per_day, now_us);
    if (counts_conversations || counts_contacts) share.note_paid(demand);
  }
  context_.send(ask.shard,
                ShareAnswer{.token = ask.token, .pages = pages, .wait_us = wait_us, .refused = {}});
}

Error UserShares::unread(storage::StoreError error) const {
  const ErrorCode code = error_of(error);
  return {.code = code, .detail = {}, .retry_after_ms = context_.retry_after_ms(code)};
}

// After its units were taken: it does not run.
void UserShares::refuse_taken(const ShareAsk& ask, const Error& error) {
  if (ask.demand.units > 0 && !weakened(Weakness::kUserShare)) {
    share_of(ask.user).units.give_back(ask.demand.units,
                                       context_.limits.commands_per_s * kUserConnectionsWorth);
  }
  refuse(ask, error);
}

void UserShares::refuse(const ShareAsk& ask, const Error& error) {
  context_.send(ask.shard,
                ShareAnswer{.token = ask.token, .pages = 0, .wait_us = 0, .refused = error});
}

bool UserShares::owes(UserId user) const {
  const auto found = shares_.find(user);
  return found != shares_.end() && found->second.units.used_us(context_.now.monotonic_us) > 0;
}

void UserShares::on(const ShareBalance& balance) {
  const ChatLimits& limits = context_.limits;
  const std::int64_t now_us = context_.now.monotonic_us;
  Share& share = share_of(balance.user);
  const std::uint32_t per_s = limits.commands_per_s * kUserConnectionsWorth;
  if (balance.units > 0) {
    share.units.take(static_cast<std::uint64_t>(balance.units), per_s, now_us);
  } else {
    share.units.give_back(static_cast<std::uint64_t>(-balance.units), per_s);
  }
  const std::uint32_t pages_per_day = limits.stored_pages_per_day;
  if (pages_per_day == 0) return;
  if (balance.pages > 0) {
    share.pages.take(static_cast<std::uint32_t>(balance.pages), pages_per_day, now_us);
  } else {
    share.pages.give_back(static_cast<std::uint32_t>(-balance.pages), pages_per_day);
  }
}

}  // namespace uproar::chat
