#pragma once

// Register, login, refresh, logout: the steps between a request and the tokens that answer it. Passwords are hashed
// by a PasswordWorker; everything else happens on the shard. Each step is a function named after what has just
// happened; what must survive between them travels in a Pending.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/chat/token_proof.h"
#include "core/gateway/device_cookie.h"
#include "core/gateway/login_limits.h"
#include "core/gateway/password_worker.h"
#include "core/net/peer_address.h"
#include "proto/auth/token.h"
#include "proto/base/now.h"
#include "proto/chat/account.h"
#include "storage/directory.h"
#include "storage/reactor.h"

namespace uproar::gateway {

class Accounts {
 public:
  // nullopt: none can be given now.
  using IssueTicket = std::function<std::optional<std::string>(const chat::TokenProof&, Now)>;
  // Exactly once per call, on the shard, never inside the call itself.
  using Answered = std::function<void(Result<chat::SignedIn, chat::Error>)>;

  struct Caller {
    net::PeerAddress address;
    std::string device;      // User-Agent, cut
    std::string ws_url;      // where this caller connects
    KnownDevice known = {};  // by its cookie
  };

  // Everything outlives this object. `clock`: the shard's turn time.
  Accounts(storage::Directory& directory, PasswordWorker& passwords, storage::Reactor& reactor,
           const auth::TokenSigner& signer, IssueTicket issue_ticket, std::function<Now()> clock,
           LoginLimits& limits, const DeviceCookies& devices);

  void sign_up(chat::RegisterRequest request, Caller caller, Answered answered);
  void login(chat::LoginRequest request, Caller caller, Answered answered);
  void refresh(chat::RefreshRequest request, Caller caller, Answered answered);
  // Told when a refresh token came back that was used before: its session is over, everywhere.
  void on_session_ended(std::function<void(SessionId, UserId)> ended) {
    session_ended_ = std::move(ended);
  }
  // Told of each login that was made for a refresh token that had been used just before.
  void on_second_holder(std::function<void()> admitted) {
    second_holder_admitted_ = std::move(admitted);
  }
  // Refuses the session's tokens from the moment the store has it; the caller tells the shards. A session that the store
  // does not know is refused: a backend may write any sid into a token of its own, and nothing would remember its end.
  void logout(SessionId session, std::function<void(Result<bool, chat::Error>)> answered);

 private:
  struct Pending;
  using PendingPtr = std::shared_ptr<Pending>;  // off the message path; std::function wants copies

  void password_hashed(const PendingPtr& pending, std::optional<std::string> hash);
  void user_found(const PendingPtr& pending, Result<storage::User, storage::StoreError> user);
  void password_checked(const PendingPtr& pending, PasswordVerdict verdict);
  // A login of which nobody looked at the password.
  void fail_undecided(const PendingPtr& pending, chat::Error error);
  void open_session(const PendingPtr& pending);
  void session_rotated(const PendingPtr& pending, const std::string& next_token,
                       Result<storage::Rotation, storage::StoreError> rotated);
  // The holder of a token that was swapped just now: the one who has the next token goes on beside
  // them, each with a login of their own.
  void admit_second_holder(const PendingPtr& pending);
  // Then `found`, with the user in `pending`.
  void find_holder(const PendingPtr& pending, UserId holder, std::function<void()> found);
  void sign_in(const PendingPtr& pending, SessionId session, const std::string& refresh_token);
  void fail(const PendingPtr& pending, chat::Error error);
  void fail_soon(Answered answered, chat::Error error);

  storage::Directory& directory_;
  PasswordWorker& passwords_;
  storage::Reactor& reactor_;
  const auth::TokenSigner& signer_;
  const IssueTicket issue_ticket_;
  const std::function<Now()> clock_;
  LoginLimits& limits_;
  const DeviceCookies& devices_;
  std::function<void(SessionId, UserId)> session_ended_ = [](SessionId, UserId) {};
  std::function<void()> second_holder_admitted_ = [] {};
};

// A token without a session of ours cannot be revoked.
[[nodiscard]] chat::Error nothing_to_log_out_of();
// What a store's refusal is to a client.
[[nodiscard]] chat::Error error_of(storage::StoreError error);

}  // namespace uproar::gateway
