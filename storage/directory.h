#pragma once

// Users, sessions and who is in what: what login, session start and lists need.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/history.h"
#include "storage/limits.h"

namespace uproar::storage {

struct User {
  UserId id{};
  std::string name{};           // empty: provisioned by a token without a name
  std::string password_hash{};  // empty: cannot log in with a password
  std::int64_t created_at_us = 0;
  std::int64_t last_online_us = 0;
};

struct SessionRecord {
  SessionId id{};
  UserId user{};
  std::string refresh_digest{};  // SHA-256 of the refresh token, 32 bytes
  std::string device{};          // free text from the client, at most 128 bytes
  std::int64_t created_at_us = 0;
  std::int64_t expires_at_us = 0;
  std::int64_t revoked_at_us = 0;
};

// What became of a refresh digest that somebody brought.
struct Rotation {
  enum class Outcome : std::uint8_t {
    kSwapped,    // it was the newest of a live session: the next one is so now
    kJustSpent,  // of a live session, and swapped last, within kRefreshGraceUs: nothing has changed
    kStolen,     // it was swapped before: the session is revoked
  };
  Outcome outcome = Outcome::kSwapped;
  SessionRecord session{};  // kSwapped: whole, as it is now; else id, user and revoked_at_us alone
};

// What a session hears from its first moment on.
struct Membership {
  ConversationId conversation{};
  Seq last_seq = 0;
  Seq joined_seq = 0;
};
struct Audience {
  // At most conversations_max: those in which the user has sent or read something first, as nobody else can bring that
  // about; then the most recently active.
  std::vector<Membership> conversations;
  std::vector<UserId> peers;  // the others in direct and small ones of these, without repeats
};
struct AudienceBounds {
  std::uint32_t conversations_max = 0;
  std::uint32_t peers_max = 0;
  std::uint32_t small_group_max = 0;  // members
};

struct ListQuery {
  UserId user{};
  ConversationId after{};  // nil: from the start; ordered by id
  std::uint32_t limit = 100;
  std::uint32_t members_shown_max = 32;  // larger conversations come without members
};
struct ConversationList {
  std::vector<chat::ConversationView> conversations;
  bool has_more = false;
};

// Somebody in a conversation.
struct Writer {
  ConversationId conversation{};
  UserId user{};
  friend constexpr auto operator<=>(const Writer&, const Writer&) = default;
};

// Whether the swap that a session got this end by is recent to a call that would give it the next.
// Early or late: the clocks of nodes differ, and may be set.
constexpr bool is_just_swapped(std::int64_t expires_at_us, std::int64_t expires_at_us_next) {
  return expires_at_us >= expires_at_us_next - kRefreshGraceUs &&
         expires_at_us <= expires_at_us_next + kRefreshGraceUs;
}

enum class InDoubt : std::uint8_t { kStranger, kCompanion };

class Directory {
 public:
  virtual ~Directory() = default;

  virtual void create_user(User user, Done<UserId> done) = 0;  // kNameTaken (case-insensitive)
  virtual void find_user_by_name(std::string name, Done<User> done) = 0;  // kNotFound
  virtual void find_users(std::vector<UserId> ids,
                          Done<std::vector<User>> done) = 0;  // unknown ids are left out
  // Of `users`, those who are in a conversation with `of`; by id. Where `of` is in more than
  // kCompanionProbesMax, it is not known of everybody who is in more than kCompanionScanMax: these
  // are what `in_doubt` says. More users than kFindUsersMax: kOverloaded.
  virtual void find_companions(UserId of, std::vector<UserId> users, InDoubt in_doubt,
                               Done<std::vector<UserId>> done) = 0;
  // Makes the user when it is unknown (a trusted backend's token); an existing one is left as it is. A name that is
  // taken is dropped, not refused.
  virtual void ensure_user(UserId id, std::string name, std::int64_t at_us, Done<User> done) = 0;
  virtual void set_last_online(UserId id, std::int64_t at_us) = 0;  // lossy, coalesced

  virtual void create_session(SessionRecord session, Done<SessionId> done) = 0;
  // Swaps the digest of a live session; kNotFound for an unknown or revoked one, kExpired. A digest
  // that was swapped before is a stolen token, or its owner's second try: taken for that just after
  // the swap, and for stolen from then on, which ends the session. Each call gives the same life
  // (expires_at_us - now_us), so that swaps lie as far apart as what they expire at.
  virtual void rotate_session(std::string old_digest, std::string new_digest, std::int64_t now_us,
                              std::int64_t expires_at_us, Done<Rotation> done) = 0;
  // True: ended by this call; false: it had ended before. kNotFound: no such session.
  virtual void revoke_session(SessionId id, std::int64_t at_us, Done<bool> done) = 0;
  // Revoked at or after `since_us`, oldest first; of too many the newest. So that a restart forgets none.
  virtual void revoked_since(std::int64_t since_us, Done<std::vector<SessionId>> done) = 0;

  // One for each user, in their order; of an unknown one, empty. One query for all of them. More than kAudienceUsersMax:
  // kOverloaded. The bounds are those of each.
  virtual void load_audiences(std::vector<UserId> users, AudienceBounds bounds,
                              Done<std::vector<Audience>> done) = 0;
  virtual void list_conversations(ListQuery query, Done<ConversationList> done) = 0;
  virtual void view_conversation(
      ConversationId id, UserId viewer, std::uint32_t members_max,
      Done<chat::ConversationView> done) = 0;  // kNotFound: no such, or not a member
  // Conversations of the user with unread messages.
  virtual void unread_conversations(UserId user, std::uint32_t limit,
                                    Done<std::vector<chat::ConversationView>> done) = 0;
  // Of `ids`, in their order, those that the user is a member of. One read. More than kLookedUpMax: kOverloaded.
  virtual void find_memberships(UserId user, std::vector<ConversationId> ids,
                                Done<std::vector<ConversationId>> done) = 0;
  // Of `asked`, in their order, those who have written a message there. One read, bounded alike.
  virtual void find_writers(std::vector<Writer> asked, Done<std::vector<Writer>> done) = 0;
};

}  // namespace uproar::storage
