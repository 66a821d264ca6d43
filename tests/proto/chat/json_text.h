#pragma once

// A payload as the decoder wants it: writable, with readable bytes behind. In a heap block of just that size, so that
// reading further trips the address sanitizer.

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "proto/base/bytes.h"
#include "proto/chat/client_event_decoder.h"
#include "proto/chat/server_event.h"

namespace uproar::chat::testing {

class JsonText {
 public:
  explicit JsonText(std::string_view text)
      : bytes_(text.size()), data_(new std::byte[text.size() + kDecodePaddingBytes]) {
    std::memset(data_.get(), 0x7D,
                text.size() + kDecodePaddingBytes);  // '}': what follows must not matter
    if (!text.empty()) std::memcpy(data_.get(), text.data(), text.size());
  }
  [[nodiscard]] MutableBytes bytes() { return {data_.get(), bytes_}; }

 private:
  std::size_t bytes_;
  std::unique_ptr<std::byte[]> data_;
};

inline constexpr Now kNow{.monotonic_us = 0,
                          .wall_us = 1'767'225'600'000'000};  // 2026-01-01T00:00:00Z

inline Result<Decoded, DecodeError> decode(std::string_view text) {
  static ClientEventDecoder
      decoder;  // one for all, as on a shard: nothing may leak from text to text
  JsonText json(text);
  return decoder.decode(json.bytes(), kNow);
}

inline constexpr std::string_view kConversation = "018f4e3a-0000-7000-8000-00000000000c";
inline constexpr std::string_view kAda = "018f4e3a-0000-7000-8000-000000000001";
inline constexpr std::string_view kBob = "018f4e3a-0000-7000-8000-000000000002";
inline constexpr std::string_view kMessage = "018f4e3a-0000-7000-8000-0000000000aa";

inline ConversationId conversation() {
  return *ConversationId::parse(kConversation);
}
inline UserId ada() {
  return *UserId::parse(kAda);
}
inline UserId bob() {
  return *UserId::parse(kBob);
}
inline MessageId message() {
  return *MessageId::parse(kMessage);
}

inline constexpr std::int64_t kAt = 1'767'323'045'678'000;  // 2026-01-02T03:04:05.678Z

inline Message plain_message() {
  Message plain;
  plain.id = message();
  plain.conversation = conversation();
  plain.seq = 7;
  plain.no = 5;
  plain.version = 7;
  plain.sender = ada();
  plain.client_id = "k-1";
  plain.content = "Hi";
  plain.sent_at_us = kAt;
  return plain;
}

// Puts ids for the letters: $C a conversation, $A and $B users, $M a message.
inline std::string with_ids(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out.push_back(text[i]);
      continue;
    }
    switch (text[++i]) {
      case 'C':
        out.append(kConversation);
        break;
      case 'A':
        out.append(kAda);
        break;
      case 'B':
        out.append(kBob);
        break;
      case 'M':
        out.append(kMessage);
        break;
      default:
        out.push_back('$');
        out.push_back(text[i]);
        break;
    }
  }
  return out;
}

}  // namespace uproar::chat::testing
