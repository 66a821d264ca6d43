// Native commands: any bytes, over both doors. Nothing may crash or read outside; what is accepted must be sound enough
// to be said to others, so it is put into events, encoded, and parsed by another front end of simdjson.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include <simdjson.h>

#include "proto/base/check.h"
#include "proto/chat/client_event_decoder.h"
#include "proto/chat/server_event_encoder.h"

namespace {

using namespace uproar;
using namespace uproar::chat;

// A block of just the promised size, so that a read further trips the sanitizer.
struct Padded {
  explicit Padded(const std::uint8_t* data, std::size_t bytes)
      : size(bytes), block(new std::byte[bytes + kDecodePaddingBytes]) {
    std::memset(block.get(), '"', bytes + kDecodePaddingBytes);  // what follows must not matter
    if (bytes > 0) std::memcpy(block.get(), data, bytes);
  }
  MutableBytes bytes() { return {block.get(), size}; }
  std::size_t size;
  std::unique_ptr<std::byte[]> block;
};

void say(const ServerEvent& event, const RequestId& id) {
  static simdjson::dom::parser parser;
  static JsonWriter out;
  out.clear();
  encode(event, id, out);
  UPROAR_CHECK(parser.parse(out.text().data(), out.text().size()).error() == simdjson::SUCCESS,
               out.text());
}

void say_what_was_heard(Decoded decoded) {
  if (auto* send = std::get_if<MessageSend>(&decoded.event)) {
    UPROAR_CHECK(send->content.size() <= kContentBytesMax &&
                 send->attachments.size() <= kAttachmentsBytesMax);
    UPROAR_CHECK(!send->content.empty() || !send->attachments.empty());
    Message message;
    message.content = std::move(send->content);
    message.client_id = std::move(send->client_id);
    message.attachments = std::move(send->attachments);
    message.mentions = std::move(send->mentions);
    message.type = send->type;
    message.reply_to = send->reply_to;
    return say(MessageNew{std::move(message)}, decoded.id);
  }
  if (auto* event = std::get_if<EventPublish>(&decoded.event)) {
    UPROAR_CHECK(event->data.size() <= kEventDataBytesMax);
    return say(Event{.conversation = event->conversation,
                     .sender = {},
                     .name = event->name,
                     .data = event->data},
               decoded.id);
  }
  if (auto* edit = std::get_if<MessageEdit>(&decoded.event)) {
    MessageUpdated updated;
    updated.content = edit->content;
    return say(updated, decoded.id);
  }
  if (auto* reaction = std::get_if<ReactionChange>(&decoded.event)) {
    ReactionUpdated updated;
    updated.emoji = reaction->emoji;
    return say(updated, decoded.id);
  }
  if (auto* create = std::get_if<ConversationCreate>(&decoded.event)) {
    ConversationCreated created;
    created.conversation.name = create->name;
    return say(created, decoded.id);
  }
  if (auto* sync = std::get_if<Sync>(&decoded.event)) {
    UPROAR_CHECK(sync->cursors.size() <= kSyncConversationsMax);
    return say(SyncDone{.cursors = sync->cursors, .refused = {}}, decoded.id);
  }
  say(Ok{}, decoded.id);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ClientEventDecoder decoder;
  constexpr Now kNow{.monotonic_us = 0, .wall_us = 1'767'225'600'000'000};
  Padded payload(data, size);
  auto decoded = decoder.decode(payload.bytes(), kNow);
  if (decoded.ok()) {
    say_what_was_heard(std::move(decoded).value());
  } else {
    say(decoded.error().error, decoded.error().id);
  }
  // The same bytes as a body: type and path fields taken from the input itself.
  const auto type =
      static_cast<CommandType>(size > 0 ? data[0] % static_cast<unsigned>(CommandType::kCount) : 0);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto body = decoder.decode_fields(
      type, {.message = text.substr(0, size % 40), .limit = text.substr(0, size % 4)},
      payload.bytes(), kNow);
  if (body.ok()) {
    say_what_was_heard(std::move(body).value());
  } else {
    say(body.error().error, {});
  }
  const auto login = decoder.decode_login(payload.bytes());
  if (!login.ok()) say(login.error(), {});
  const auto refresh = decoder.decode_refresh(payload.bytes());
  if (!refresh.ok()) say(refresh.error(), {});
  return 0;
}
