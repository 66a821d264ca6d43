#pragma once

// The protocol from the client's side: commands as JSON, and what the server says as the structs of proto/chat. What all
// hearers get is read by the decoder that nodes use among themselves, and strictly; the rest as a lenient client would.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proto/chat/client_event.h"
#include "proto/chat/server_event_decoder.h"
#include "tests/sim/oracle.h"

namespace uproar::sim {

using chat::testing::Heard;

// As docs/protocol.md writes it. `id`: a word; empty: none.
[[nodiscard]] std::string words_of(const chat::ClientEvent& event, std::string_view id);

class Listener {
 public:
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // nullopt: that is no event of the protocol. An event that only says something the simulator does not look at comes as
  // chat::Ok.
  [[nodiscard]] std::optional<Heard> hear(std::string_view json);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace uproar::sim
