#pragma once

// Who must still hear what: each reader's proof that it got every publish of its room once and in order.
// Hot path: delivered() per frame. Allocations: 0 once the window of a stream has its size.
//
// A stream is what one publisher says in one room. Its publishes are numbered 0, 1, 2 … and every reader must see just that;
// between streams no order is promised. The payload carries kLoadMarker, the number, the publisher and the room: what reaches the
// wrong room is found out.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace uproar::bench {

inline constexpr std::string_view kLoadMarker = "uproar-load-";
inline constexpr char kFiller = '.';  // behind the name
inline constexpr std::size_t kNumberDigits10 = 10;
inline constexpr std::size_t kPublisherDigits = 4;
inline constexpr std::size_t kRoomDigits = 6;
inline constexpr std::uint32_t kPublishersMax = 9'999;
inline constexpr std::uint32_t kRoomsMax = 999'999;
inline constexpr std::uint32_t kNoRoom = kRoomsMax + 1;  // a delivery that names it is unknown
inline constexpr std::size_t kNumberedTextBytesMin =
    kLoadMarker.size() + kNumberDigits10 + kPublisherDigits + kRoomDigits;
static_assert(kNumberedTextBytesMin == 32);

struct PublishName {
  std::uint32_t room = 0;
  std::uint32_t publisher = 0;  // member of the room
  std::uint64_t number = 0;     // in that stream
};

// Appends a text of `bytes` with the marker and the name in front. REQUIRES: bytes >= kNumberedTextBytesMin.
void append_named_text(std::string& out, PublishName name, std::size_t bytes);

// Finds the name in a frame's payload. `offset` is where the marker was the last time: looked at first.
// False: there is none.
[[nodiscard]] bool find_name(std::string_view payload, std::size_t& offset, PublishName& name);

// Whether the text of `bytes` that was found at `offset` is all there, also where others follow it.
[[nodiscard]] bool is_whole_text(std::string_view payload, std::size_t offset, std::size_t bytes);

class DeliveryLedger {
 public:
  struct Room {
    std::uint32_t members = 0;  // clients of the room are numbered on from those of the one before
    std::uint32_t readers = 0;  // of them, who must hear each publish
    std::uint32_t publishers = 1;  // of them, the first ones
  };
  enum class Verdict : std::uint8_t {
    kDelivered,  // the one this reader had to get next
    kRepeated,   // it had it
    kGap,        // one or more before it did not come; they are counted as lost
    kUnknown,    // was never published in this room
  };
  struct Outcome {
    Verdict verdict = Verdict::kUnknown;
    std::int64_t due_ns = 0;  // as published() was told
    bool complete = false;    // this was the last reader of it
  };

  explicit DeliveryLedger(const std::vector<Room>& rooms);

  // The number of the new publish. `due_ns`: when it is sent (closed loop) or had to be sent (open loop).
  std::uint64_t published(std::uint32_t room, std::uint32_t publisher, std::int64_t due_ns);
  // `room`: the client's own, whatever the name says.
  Outcome delivered(std::uint32_t room, std::uint32_t client, PublishName name);

  // Publishes that not everybody has.
  [[nodiscard]] std::uint64_t under_way() const { return under_way_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t repeated() const { return repeated_; }
  // Deliveries of what was never published in the reader's room.
  [[nodiscard]] std::uint64_t unknown() const { return unknown_; }
  // Deliveries that are still owed.
  [[nodiscard]] std::uint64_t missing() const;

 private:
  struct Publish {
    std::int64_t due_ns = 0;
    std::uint32_t missing = 0;  // readers who have not got it
  };
  struct Stream {
    std::vector<Publish> window;  // by number % its size, a power of two
    std::uint64_t next = 0;
    std::uint64_t oldest = 0;  // numbers below it are complete
    std::uint32_t readers = 0;
  };
  struct Seats {
    std::uint32_t first_client = 0;
    std::uint32_t first_stream = 0;
    std::uint32_t publishers = 1;
    std::size_t first_expected = 0;
  };
  [[nodiscard]] static Publish& at(Stream& stream, std::uint64_t number) {
    return stream.window[number & (stream.window.size() - 1)];
  }
  static void grow(Stream& stream);
  bool take(Stream& stream, std::uint64_t number);

  std::vector<Seats> rooms_;
  std::vector<Stream> streams_;
  std::vector<std::uint64_t> expected_;  // by client and publisher
  std::uint64_t under_way_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t repeated_ = 0;
  std::uint64_t unknown_ = 0;
};

}  // namespace uproar::bench
