#include "storage/body_fingerprint.h"

#include <cstdint>
#include <cstring>
#include <string_view>

namespace uproar::storage {
namespace {

// Two independent lanes of multiply-and-rotate over 8-byte words, finished by a full avalanche. Stored on disk: the
// constants and the order of the fields never change (a test pins a value).
class Lanes {
 public:
  void add(std::uint64_t word) {
    a_ = rotate((a_ ^ word) * 0x9E3779B97F4A7C15ULL, 29);
    b_ = rotate((b_ + word) * 0xC2B2AE3D27D4EB4FULL, 37) ^ a_;
  }
  // The size goes first, so that ("ab","c") and ("a","bc") differ.
  void add(std::string_view text) {
    add(text.size());
    while (!text.empty()) {
      std::array<unsigned char, 8> bytes{};
      const std::size_t size = text.size() < 8 ? text.size() : 8;
      std::memcpy(bytes.data(), text.data(), size);
      std::uint64_t word = 0;
      for (const unsigned char byte : bytes) word = (word << 8) | byte;
      add(word);
      text.remove_prefix(size);
    }
  }
  [[nodiscard]] BodyFingerprint finish() const {
    BodyFingerprint out;
    Uuid{.high = avalanche(a_ + b_), .low = avalanche(b_ ^ rotate(a_, 17))}.write_bytes(out.data());
    return out;
  }

 private:
  static std::uint64_t rotate(std::uint64_t value, int bits) {
    return (value << bits) | (value >> (64 - bits));
  }
  static std::uint64_t avalanche(std::uint64_t value) {
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
    return value ^ (value >> 31);
  }

  std::uint64_t a_ = 0x6A09E667F3BCC908ULL;
  std::uint64_t b_ = 0xBB67AE8584CAA73BULL;
};

}  // namespace

BodyFingerprint body_fingerprint(const AppendMessage& message) {
  Lanes lanes;
  lanes.add(static_cast<std::uint64_t>(message.type));
  lanes.add(message.reply_to);
  lanes.add(message.content);
  lanes.add(message.attachments);
  lanes.add(message.mentions.size());
  for (const UserId& user : message.mentions) {
    lanes.add(user.uuid().high);
    lanes.add(user.uuid().low);
  }
  return lanes.finish();
}

}  // namespace uproar::storage
