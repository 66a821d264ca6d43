#include <string_view>

#include "proto/chat/event_parts.h"
#include "proto/chat/server_event_encoder.h"

namespace uproar::chat {

void encode(const SignedIn& answer, JsonWriter& out) {
  out.raw(R"({"user_id":)");
  out.uuid(answer.user);
  out.raw(R"(,"name":)");
  out.string(answer.name);
  out.raw(R"(,"access_token":)");
  out.string(answer.access_token);
  out.raw(R"(,"token_type":"Bearer","expires_in":)");
  out.number(answer.expires_in_s);
  out.raw(R"(,"refresh_token":)");
  out.string(answer.refresh_token);
  if (!answer.ticket.empty()) {
    out.raw(R"(,"ticket":)");
    out.string(answer.ticket);
  }
  if (!answer.ws_url.empty()) {
    out.raw(R"(,"ws_url":)");
    out.string(answer.ws_url);
  }
  out.raw('}');
}

void encode(const UserProfile& answer, JsonWriter& out) {
  out.raw(R"({"user_id":)");
  out.uuid(answer.user);
  if (!answer.name.empty()) {
    out.raw(R"(,"name":)");
    out.string(answer.name);
  }
  if (answer.created_at_us != 0) {
    out.raw(R"(,"created_at":)");
    out.time(answer.created_at_us);
  }
  if (answer.shows_status) {
    out.raw(answer.online ? std::string_view(R"(,"status":"online")")
                          : std::string_view(R"(,"status":"offline")"));
  }
  if (answer.last_online_us != 0) {
    out.raw(R"(,"last_online":)");
    out.time(answer.last_online_us);
  }
  out.raw('}');
}

void encode(const UserList& answer, JsonWriter& out) {
  out.raw(R"({"users":[)");
  bool first = true;
  for (const UserProfile& user : answer.users) {
    if (!first) out.raw(',');
    first = false;
    encode(user, out);
  }
  out.raw("]}");
}

void encode(const SyncAnswer& answer, JsonWriter& out) {
  out.raw(R"({"pages":[)");
  bool first = true;
  for (const HistoryPage& page : answer.pages) {
    if (!first) out.raw(',');
    first = false;
    encode(page, {}, out);
  }
  out.raw(R"(],"cursors":)");
  detail::cursor_map(answer.cursors, out);
  if (!answer.refused.empty()) {
    out.raw(R"(,"refused":)");
    detail::refusal_map(answer.refused, out);
  }
  out.raw(R"(,"has_more":)");
  out.boolean(answer.has_more);
  out.raw('}');
}

}  // namespace uproar::chat
