#include "core/gateway/event_outbox.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/gateway/limits.h"
#include "proto/ws/frame_writer.h"

namespace uproar::gateway {
namespace {

net::ConnectionId connection_of(const chat::Endpoint& endpoint) {
  return {.slot = endpoint.slot, .generation = endpoint.generation};
}

net::DeliveryClass class_of(chat::Delivery delivery) {
  return static_cast<net::DeliveryClass>(delivery);
}
static_assert(static_cast<int>(chat::Delivery::kEphemeral) ==
              static_cast<int>(net::DeliveryClass::kEphemeral));
static_assert(static_cast<int>(chat::Delivery::kPresence) ==
              static_cast<int>(net::DeliveryClass::kPresence));
static_assert(static_cast<int>(chat::Delivery::kReceipt) ==
              static_cast<int>(net::DeliveryClass::kReceipt));
static_assert(static_cast<int>(chat::Delivery::kMessage) ==
              static_cast<int>(net::DeliveryClass::kMessage));

int status_of(const chat::ServerEvent& event) {
  if (const auto* error = std::get_if<chat::Error>(&event))
    return chat::error_info(error->code).http_status;
  if (std::holds_alternative<chat::MessageSent>(event))
    return std::get<chat::MessageSent>(event).duplicate ? 200 : 201;
  if (std::holds_alternative<chat::ConversationCreated>(event)) {
    return std::get<chat::ConversationCreated>(event).duplicate ? 200 : 201;
  }
  return 200;
}

}  // namespace

EventOutbox::EventOutbox(net::ShardNet& net, RequestTable& requests, ShardLink& link,
                         Options options, NodePublisher* nodes)
    : net_(net), requests_(requests), link_(link), nodes_(nodes), options_(options) {}

net::EncodedMessage EventOutbox::framed(std::string_view json) {
  net::EncodedMessage message{.plain = ws::text_frame(json), .deflated = {}};
  if (options_.deflate && json.size() >= options_.deflate_bytes_min) {
    message.deflated = deflater_.compress(ws::Opcode::kText, as_bytes(json));
  }
  return message;
}

void EventOutbox::forget_large_text() {
  if (json_.capacity() > kScratchBytesMax) json_.release();
}

net::EncodedMessage EventOutbox::encode(const chat::ServerEvent& event, const chat::RequestId& id) {
  json_.clear();
  chat::encode(event, id, json_);
  net::EncodedMessage message = framed(json_.text());
  forget_large_text();
  return message;
}

// Never through the link, whatever waits there: the domain subscribes and unsubscribes at once, and who is subscribed
// between a publish and its arrival would hear what was said before.
bool EventOutbox::is_here(std::uint32_t shard) const {
  return shard == link_.self();
}

void EventOutbox::reply(const chat::Endpoint& to, const chat::RequestId& id,
                        const chat::ServerEvent& event) {
  if (to.kind == chat::Endpoint::Kind::kRequest) return answer(to, id, event);
  SendFrames frames{.to = connection_of(to),
                    .message = encode(event, id),
                    .delivery = net::DeliveryClass::kMessage};
  if (is_here(to.shard)) return deliver(frames);
  link_.post(to.shard, std::move(frames));
}

bool EventOutbox::add(const chat::ServerEvent& event, chat::SyncAnswer& answer) {
  if (const auto* page = std::get_if<chat::HistoryPage>(&event)) {
    const auto same = std::find_if(
        answer.pages.begin(), answer.pages.end(),
        [&](const chat::HistoryPage& x) { return x.conversation == page->conversation; });
    if (same == answer.pages.end()) {
      answer.pages.push_back(*page);
      return false;
    }
    same->messages.insert(same->messages.end(), page->messages.begin(), page->messages.end());
    same->upto_seq = page->upto_seq;
    same->has_more = page->has_more;
    return false;
  }
  if (const auto* done = std::get_if<chat::SyncDone>(&event)) {
    answer.cursors = done->cursors;
    answer.refused = done->refused;
    answer.has_more = done->has_more || std::any_of(answer.pages.begin(), answer.pages.end(),
                                                    [](const auto& x) { return x.has_more; });
  }
  return true;
}

void EventOutbox::answer(const chat::Endpoint& to, const chat::RequestId& id,
                         const chat::ServerEvent& event) {
  chat::SyncAnswer* const collected = requests_.collected(to);
  if (collected != nullptr && !add(event, *collected)) return;
  json_.clear();
  if (collected != nullptr && !std::holds_alternative<chat::Error>(event)) {
    chat::encode(*collected, json_);
  } else {
    chat::encode(event, id, json_);
  }
  AnswerRequest answer{.slot = to.slot,
                       .generation = to.generation,
                       .status = status_of(event),
                       .retry_after_ms = 0,
                       .body = std::string(json_.text())};
  if (const auto* error = std::get_if<chat::Error>(&event))
    answer.retry_after_ms = error->retry_after_ms;
  if (is_here(to.shard)) return deliver(std::move(answer));
  link_.post(to.shard, std::move(answer));
}

void EventOutbox::tell(const chat::Endpoint& to, const chat::ServerEvent& event,
                       chat::Delivery delivery) {
  if (to.kind == chat::Endpoint::Kind::kRequest)
    return;  // a REST request hears answers, not events
  SendFrames frames{
      .to = connection_of(to), .message = encode(event, {}), .delivery = class_of(delivery)};
  if (is_here(to.shard)) return deliver(frames);
  link_.post(to.shard, std::move(frames));
}

void EventOutbox::publish(const chat::TopicId& topic, const chat::Reach& reach,
                          const chat::ServerEvent& event, chat::Delivery delivery,
                          const chat::Endpoint* except) {
  const bool heard_here = reach.here && net_.subscriber_count(topic.uuid()) != 0;
  const bool heard_elsewhere = reach.nodes && nodes_ != nullptr;
  if (!heard_here && !heard_elsewhere && reach.shards == 0) return;
  json_.clear();
  chat::encode(event, {}, json_);
  if (heard_elsewhere) nodes_->publish(topic, reach.seq, json_.bytes());
  if (heard_here || reach.shards != 0)
    send(topic, reach.shards, heard_here, framed(json_.text()), delivery, except);
  forget_large_text();
}

void EventOutbox::publish_to(std::span<const chat::Endpoint> sessions, const chat::TopicId& topic,
                             const chat::ServerEvent& event) {
  if (sessions.empty()) return;
  const net::EncodedMessage message = encode(event, {});
  for (const chat::Endpoint& session : sessions)
    (void)net_.publish_to(connection_of(session), topic.uuid(), message);
}

void EventOutbox::relay(const chat::TopicId& topic, std::uint64_t shards, ByteView payload,
                        chat::Delivery delivery) {
  const bool heard_here = net_.subscriber_count(topic.uuid()) != 0;
  if (!heard_here && shards == 0) return;
  send(topic, shards, heard_here, framed(as_text(payload)), delivery, nullptr);
}

void EventOutbox::send(const chat::TopicId& topic, std::uint64_t shards, bool heard_here,
                       net::EncodedMessage message, chat::Delivery delivery,
                       const chat::Endpoint* except) {
  PublishFrames frames{.topic = topic.uuid(),
                       .message = std::move(message),
                       .delivery = class_of(delivery),
                       .except = {}};
  const bool excepts = except != nullptr && except->kind == chat::Endpoint::Kind::kSession;
  const std::uint32_t except_shard = excepts ? except->shard : link_.shard_count();
  for (std::uint64_t rest = shards & ~(std::uint64_t{1} << link_.self()); rest != 0;
       rest &= rest - 1) {
    const auto shard = static_cast<std::uint32_t>(std::countr_zero(rest));
    frames.except = shard == except_shard ? connection_of(*except) : net::ConnectionId{};
    link_.post(shard, frames);
  }
  if (!heard_here) return;
  frames.except = except_shard == link_.self() ? connection_of(*except) : net::ConnectionId{};
  deliver(frames);
}

bool EventOutbox::subscribe(const chat::Endpoint& session, const chat::TopicId& topic) {
  const net::SubscribeOutcome outcome = net_.subscribe(connection_of(session), topic.uuid());
  if (outcome == net::SubscribeOutcome::kTooMany) {  // never a topic that goes unheard in silence
    close(session, {.code = chat::ErrorCode::kOverloaded,
                    .detail = "too many conversations for one connection",
                    .retry_after_ms = 0});
  }
  return outcome == net::SubscribeOutcome::kFirst;
}

bool EventOutbox::unsubscribe(const chat::Endpoint& session, const chat::TopicId& topic,
                              chat::PendingFrames pending) {
  const auto how = pending == chat::PendingFrames::kDrop ? net::PendingFrames::kDrop
                                                         : net::PendingFrames::kDeliver;
  return net_.unsubscribe(connection_of(session), topic.uuid(), how) ==
         net::UnsubscribeOutcome::kLast;
}

std::vector<chat::Endpoint> EventOutbox::subscribers(const chat::TopicId& topic) const {
  std::vector<chat::Endpoint> out;
  for (const net::ConnectionId& id : net_.subscribers(topic.uuid())) {
    out.push_back({.shard = static_cast<std::uint16_t>(link_.self()),
                   .kind = chat::Endpoint::Kind::kSession,
                   .slot = id.slot,
                   .generation = id.generation});
  }
  return out;
}

void EventOutbox::hold(const chat::Endpoint& session) {
  net_.hold(connection_of(session));
}
void EventOutbox::release(const chat::Endpoint& session) {
  net_.release(connection_of(session));
}
void EventOutbox::forget_held(const chat::Endpoint& session, const chat::TopicId& topic) {
  net_.forget_held(connection_of(session), topic.uuid());
}

void EventOutbox::pause(const chat::Endpoint& session) {
  net_.pause(connection_of(session));
}

void EventOutbox::resume(const chat::Endpoint& session) {
  net_.resume(connection_of(session));
}

std::uint64_t EventOutbox::egress_bytes(const chat::Endpoint& session) const {
  return net_.egress_bytes(connection_of(session));
}

void EventOutbox::close(const chat::Endpoint& session, const chat::Error& error) {
  CloseConnection closing{.connection = connection_of(session), .error = error};
  if (is_here(session.shard)) return deliver(closing);
  link_.post(session.shard, closing);
}

void EventOutbox::deliver(const PublishFrames& frames) {
  (void)net_.publish(frames.topic, frames.message, frames.delivery, frames.except);
}

void EventOutbox::deliver(const SendFrames& frames) {
  (void)net_.send(frames.to, frames.message, frames.delivery);
}

void EventOutbox::deliver(AnswerRequest answer) {
  const auto waiting = requests_.take(answer.slot, answer.generation);
  if (!waiting) return;  // the client hung up
  respond_json(net_, waiting->connection,
               {.status = answer.status,
                .body = answer.body,
                .retry_after_ms = answer.retry_after_ms,
                .set_cookie = answer.set_cookie});
}

void EventOutbox::deliver(const CloseConnection& closing) {
  close_with(closing.connection, {}, closing.error);
}

void EventOutbox::send_error(net::ConnectionId to, const chat::RequestId& id,
                             const chat::Error& error) {
  (void)net_.send(to, encode(error, id), net::DeliveryClass::kMessage);
}

void EventOutbox::close_with(net::ConnectionId to, const chat::RequestId& id,
                             const chat::Error& error) {
  send_error(to, id, error);
  const chat::ErrorInfo& info = chat::error_info(error.code);
  const std::uint16_t code = info.close_code != 0 ? info.close_code : info.last_close_code;
  net_.close(to, code != 0 ? static_cast<ws::CloseCode>(code) : ws::CloseCode::kOverloaded,
             info.name);
}

}  // namespace uproar::gateway
