#pragma once

// 128 bits of a message's body as it was sent, kept beside the row so that a retry with another body is known
// (kKeyReused) also after edits and deletion.
//
// A fingerprint, no digest: it protects nobody from anybody. A sender who works to make two bodies collide under its
// own client_id gets the answer "duplicate" where it would have got "key_reused", and harms itself alone.

#include <array>
#include <cstddef>

#include "storage/operation.h"

namespace uproar::storage {

using BodyFingerprint = std::array<std::byte, 16>;

// Over type, content, attachments, reply_to and mentions; not over the id, which every attempt makes anew.
[[nodiscard]] BodyFingerprint body_fingerprint(const AppendMessage& message);

}  // namespace uproar::storage
