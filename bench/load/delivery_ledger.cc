#include "bench/load/delivery_ledger.h"

#include <charconv>

namespace uproar::bench {
namespace {

void append_digits(std::string& out, std::uint64_t number, std::size_t digits) {
  out.append(digits, '0');
  for (std::size_t at = out.size(); number != 0; number /= 10)
    out[--at] = static_cast<char>('0' + number % 10);
}

template <class Number>
bool read_digits(std::string_view text, std::size_t digits, Number& number) {
  if (text.size() < digits) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  return error == std::errc() && end == text.data() + digits;
}

}  // namespace

void append_named_text(std::string& out, PublishName name, std::size_t bytes) {
  out += kLoadMarker;
  append_digits(out, name.number, kNumberDigits10);
  append_digits(out, name.publisher, kPublisherDigits);
  append_digits(out, name.room, kRoomDigits);
  out.append(bytes - kNumberedTextBytesMin, kFiller);
}

bool find_name(std::string_view payload, std::size_t& offset, PublishName& name) {
  if (offset >= payload.size() || !payload.substr(offset).starts_with(kLoadMarker)) {
    const std::size_t at = payload.find(kLoadMarker);
    if (at == std::string_view::npos) return false;
    offset = at;
  }
  const std::string_view digits = payload.substr(offset + kLoadMarker.size());
  return read_digits(digits, kNumberDigits10, name.number) &&
         read_digits(digits.substr(kNumberDigits10), kPublisherDigits, name.publisher) &&
         read_digits(digits.substr(kNumberDigits10 + kPublisherDigits), kRoomDigits, name.room);
}

bool is_whole_text(std::string_view payload, std::size_t offset, std::size_t bytes) {
  if (payload.size() - offset < bytes) return false;
  const std::string_view filler =
      payload.substr(offset + kNumberedTextBytesMin, bytes - kNumberedTextBytesMin);
  // All alike if each equals the one before: a comparison of memory, not a loop over bytes.
  return filler.empty() ||
         (filler[0] == kFiller && filler.substr(1) == filler.substr(0, filler.size() - 1));
}

DeliveryLedger::DeliveryLedger(const std::vector<Room>& rooms) {
  std::uint32_t client = 0;
  for (const Room& room : rooms) {
    rooms_.push_back({.first_client = client,
                      .first_stream = static_cast<std::uint32_t>(streams_.size()),
                      .publishers = room.publishers,
                      .first_expected = expected_.size()});
    client += room.members;
    expected_.resize(expected_.size() + std::size_t{room.members} * room.publishers);
    streams_.resize(streams_.size() + room.publishers,
                    {.window = std::vector<Publish>(1), .readers = room.readers});
  }
}

std::uint64_t DeliveryLedger::published(std::uint32_t room, std::uint32_t publisher,
                                        std::int64_t due_ns) {
  Stream& stream = streams_[rooms_[room].first_stream + publisher];
  if (stream.next - stream.oldest == stream.window.size()) grow(stream);
  at(stream, stream.next) = {.due_ns = due_ns, .missing = stream.readers};
  ++under_way_;
  return stream.next++;
}

void DeliveryLedger::grow(Stream& stream) {
  std::vector<Publish> larger(stream.window.size() * 2);
  for (std::uint64_t number = stream.oldest; number < stream.next; ++number)
    larger[number & (larger.size() - 1)] = at(stream, number);
  stream.window = std::move(larger);
}

DeliveryLedger::Outcome DeliveryLedger::delivered(std::uint32_t index, std::uint32_t client,
                                                  PublishName name) {
  const Seats& room = rooms_[index];
  if (name.room != index || name.publisher >= room.publishers ||
      name.number >= streams_[room.first_stream + name.publisher].next) {
    ++unknown_;
    return {};
  }
  Stream& stream = streams_[room.first_stream + name.publisher];
  std::uint64_t& expected =
      expected_[room.first_expected + std::size_t{client - room.first_client} * room.publishers +
                name.publisher];
  if (name.number < expected) {
    ++repeated_;
    return {.verdict = Verdict::kRepeated};
  }
  const bool gap = name.number > expected;
  for (; expected < name.number; ++expected) {  // given up, or the stream would wait for ever
    ++lost_;
    (void)take(stream, expected);
  }
  ++expected;
  const std::int64_t due_ns = at(stream, name.number).due_ns;
  return {.verdict = gap ? Verdict::kGap : Verdict::kDelivered,
          .due_ns = due_ns,
          .complete = take(stream, name.number)};
}

// One reader fewer that misses it. True: it was the last.
bool DeliveryLedger::take(Stream& stream, std::uint64_t number) {
  Publish& publish = at(stream, number);
  if (--publish.missing != 0) return false;
  --under_way_;
  while (stream.oldest < stream.next && at(stream, stream.oldest).missing == 0) ++stream.oldest;
  return true;
}

std::uint64_t DeliveryLedger::missing() const {
  std::uint64_t sum = 0;
  for (const Stream& stream : streams_) {
    for (std::uint64_t number = stream.oldest; number < stream.next; ++number)
      sum += stream.window[number & (stream.window.size() - 1)].missing;
  }
  return sum;
}

}  // namespace uproar::bench
