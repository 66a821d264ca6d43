#pragma once

// Bounds of what a client may say in one command. What the domain bounds (members of a conversation, rates) stands in
// core/chat/limits.h.

#include <cstddef>
#include <cstdint>

namespace uproar::chat {

// Largest WebSocket message or REST body that is decoded. The longest legal command is conversation.add with
// kMemberListMax ids of 39 bytes each ("<36>",) = 39 KB, sync with kSyncConversationsMax cursors is
// 1000 * (39 + 21) = 60 KB, message.send with 16 KiB of content, every byte escaped as \u00XX, is 98 KB.
inline constexpr std::uint32_t kMessageBytesMax = 128 * 1024;

inline constexpr std::uint32_t kContentBytesMax = 16 * 1024;  // after unescaping
inline constexpr std::uint32_t kAttachmentsBytesMax = 4096;   // raw JSON
inline constexpr std::uint32_t kAttachmentsMax = 10;
inline constexpr std::uint32_t kMentionsMax = 50;
inline constexpr std::uint32_t kClientIdBytesMax = 64;
inline constexpr std::uint32_t kEmojiBytesMax = 32;
inline constexpr std::uint32_t kEventNameBytesMax = 64;
inline constexpr std::uint32_t kEventDataBytesMax = 8192;  // raw JSON
inline constexpr std::uint32_t kConversationNameBytesMax = 128;
inline constexpr std::uint32_t kTokenBytesMax = 8192;
inline constexpr std::uint32_t kMemberListMax = 1000;  // user ids in one create or add
inline constexpr std::uint32_t kPresenceListMax = 256;
inline constexpr std::uint32_t kSyncConversationsMax = 1000;
inline constexpr std::uint32_t kHistoryLimitMax = 200;
inline constexpr std::uint32_t kConversationListLimitMax = 200;
inline constexpr std::int64_t kMuteMsMax = 10LL * 365 * 24 * 3600 * 1000;  // ten years

// Raw "id" with its quotes: 62 bytes of text.
inline constexpr std::uint32_t kRequestIdBytesMax = 64;

// Arrays and objects inside a value that is kept as raw JSON, or skipped. Hearers parse it again, some recursively.
inline constexpr std::uint32_t kJsonDepthMax = 32;

// Readable bytes that must follow a payload: simdjson loads whole registers. Their value does not matter.
inline constexpr std::size_t kDecodePaddingBytes = 64;

static_assert(kMemberListMax * 39 + 1024 <= kMessageBytesMax);
static_assert(kSyncConversationsMax * 60 + 1024 <= kMessageBytesMax);
static_assert(kContentBytesMax * 6 + kAttachmentsBytesMax + kMentionsMax * 39 + 1024 <=
              kMessageBytesMax);

}  // namespace uproar::chat
