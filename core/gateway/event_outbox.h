#pragma once

// Hot path: per publish, not per recipient. Budget: one encoding, one allocation (two with compression).
//
// Effects of the domain become bytes: encoded once, framed once, handed to the topics of this shard and, by
// reference, to the shards that have listeners.

#include <cstdint>
#include <string>
#include <vector>

#include "core/chat/ports.h"
#include "core/gateway/request_table.h"
#include "core/gateway/shard_parcel.h"
#include "core/net/shard_net.h"
#include "proto/chat/server_event_encoder.h"
#include "proto/ws/deflate.h"

namespace uproar::gateway {

class EventOutbox final : public chat::Outbox {
 public:
  struct Options {
    bool deflate = false;
    std::uint32_t deflate_bytes_min = 512;  // smaller messages are not worth a compression
  };

  // Everything outlives this object. `nodes`: null when this node is alone.
  EventOutbox(net::ShardNet& net, RequestTable& requests, ShardLink& link, Options options,
              NodePublisher* nodes = nullptr);

  void reply(const chat::Endpoint& to, const chat::RequestId& id,
             const chat::ServerEvent& event) override;
  void tell(const chat::Endpoint& to, const chat::ServerEvent& event,
            chat::Delivery delivery) override;
  void publish(const chat::TopicId& topic, const chat::Reach& reach, const chat::ServerEvent& event,
               chat::Delivery delivery, const chat::Endpoint* except) override;
  void publish_to(std::span<const chat::Endpoint> sessions, const chat::TopicId& topic,
                  const chat::ServerEvent& event) override;
  void relay(const chat::TopicId& topic, std::uint64_t shards, ByteView payload,
             chat::Delivery delivery) override;
  bool subscribe(const chat::Endpoint& session, const chat::TopicId& topic) override;
  bool unsubscribe(const chat::Endpoint& session, const chat::TopicId& topic,
                   chat::PendingFrames pending) override;
  [[nodiscard]] std::vector<chat::Endpoint> subscribers(const chat::TopicId& topic) const override;
  void hold(const chat::Endpoint& session) override;
  void release(const chat::Endpoint& session) override;
  void forget_held(const chat::Endpoint& session, const chat::TopicId& topic) override;
  void pause(const chat::Endpoint& session) override;
  void resume(const chat::Endpoint& session) override;
  [[nodiscard]] std::uint64_t egress_bytes(const chat::Endpoint& session) const override;
  void close(const chat::Endpoint& session, const chat::Error& error) override;

  // What another shard's outbox sent here.
  void deliver(const PublishFrames& frames);
  void deliver(const SendFrames& frames);
  void deliver(AnswerRequest answer);
  void deliver(const CloseConnection& closing);

  // For connections that have no session yet.
  void send_error(net::ConnectionId to, const chat::RequestId& id, const chat::Error& error);
  // The error, then the close code that it has when it is final.
  void close_with(net::ConnectionId to, const chat::RequestId& id, const chat::Error& error);

 private:
  // Bytes for this shard take effect at once (core/chat/ports.h).
  [[nodiscard]] bool is_here(std::uint32_t shard) const;
  [[nodiscard]] net::EncodedMessage encode(const chat::ServerEvent& event,
                                           const chat::RequestId& id);
  [[nodiscard]] net::EncodedMessage framed(std::string_view json);
  void forget_large_text();
  // To the hearers of this node.
  void send(const chat::TopicId& topic, std::uint64_t shards, bool heard_here,
            net::EncodedMessage message, chat::Delivery delivery, const chat::Endpoint* except);
  // One event more of an answer that is collected; true: it is whole, or has failed.
  [[nodiscard]] static bool add(const chat::ServerEvent& event, chat::SyncAnswer& answer);
  void answer(const chat::Endpoint& to, const chat::RequestId& id, const chat::ServerEvent& event);

  net::ShardNet& net_;
  RequestTable& requests_;
  ShardLink& link_;
  NodePublisher* const nodes_;
  const Options options_;
  ws::Deflater deflater_;
  chat::JsonWriter json_;
};

}  // namespace uproar::gateway
