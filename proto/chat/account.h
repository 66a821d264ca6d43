#pragma once

// Bodies of the REST routes that have no command: accounts and people. Decoded by ClientEventDecoder, written by
// server_event_encoder.h. The rules for names and passwords are proto/auth/names.h.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "proto/chat/error_code.h"
#include "proto/chat/ids.h"
#include "proto/chat/server_event.h"

namespace uproar::chat {

// POST /api/v1/register. Whether name and password are good enough is for proto/auth/names.h to say.
struct RegisterRequest {
  std::string name;
  std::string password;
};
// POST /api/v1/login
struct LoginRequest {
  std::string name;
  std::string password;
};
// POST /api/v1/refresh
struct RefreshRequest {
  std::string refresh_token;
};

// Answers register, login and refresh.
struct SignedIn {
  UserId user;
  std::string name;
  std::string access_token;
  std::uint32_t expires_in_s = 0;
  std::string refresh_token;
  std::string ticket;  // single use, 30 s: /ws?ticket=…
  std::string ws_url;
};

// Answers GET me and GET users/{id}.
struct UserProfile {
  UserId user;
  std::string name = {};
  std::int64_t created_at_us = 0;   // 0: not shown
  std::int64_t last_online_us = 0;  // 0: not shown
  bool online = false;              // shown as "status" when `shows_status`
  bool shows_status = false;
};
// Answers GET users?name=…
struct UserList {
  std::vector<UserProfile> users;
};

// Answers POST sync and GET unread: what comes as several messages over a WebSocket, in one bounded body.
struct SyncAnswer {
  std::vector<HistoryPage> pages;
  std::vector<std::pair<ConversationId, Seq>> cursors;
  std::vector<std::pair<ConversationId, ErrorCode>> refused;
  bool has_more = false;  // ask again with `cursors`
};

}  // namespace uproar::chat
