#include "bench/fanout/delivery_check.h"

#include <cstring>

#include "bench/client/process.h"

namespace uproar::bench {

void write_number(char* out, std::uint64_t number) {
  for (std::size_t i = kNumberDigits; i-- > 0; number /= 10)
    out[i] = static_cast<char>('0' + number % 10);
}

std::string numbered_text(std::uint64_t number, std::size_t bytes) {
  std::string text(kMarker);
  text.resize(kMarker.size() + kNumberDigits);
  write_number(text.data() + kMarker.size(), number);
  text.resize(bytes, '.');
  return text;
}

DeliveryCheck::DeliveryCheck(std::uint32_t clients) : next_(clients), readers_(kWindow) {}

void DeliveryCheck::on_text(std::uint32_t client, std::string_view payload,
                            std::string_view frame) {
  // Frames of one kind have their marker at the same place, nearly always.
  const bool is_there =
      marker_at_ < payload.size() && payload.substr(marker_at_, kMarker.size()) == kMarker;
  if (!is_there) {
    const std::size_t at = payload.find(kMarker);
    if (at == std::string_view::npos) {
      if (payload.find(R"("type":"error")") != std::string_view::npos) {
        die("client " + std::to_string(client) + " was told " + std::string(payload));
      }
      ++others_;
      return;
    }
    marker_at_ = at;
  }
  if (payload.size() < marker_at_ + kMarker.size() + kNumberDigits)
    die("a cut frame: " + std::string(payload));
  std::uint64_t number = 0;
  for (const char digit : payload.substr(marker_at_ + kMarker.size(), kNumberDigits)) {
    number = number * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  if (wants_sample_) {
    sample_ = frame;
    wants_sample_ = false;
  }
  count(client, number);
}

void DeliveryCheck::count(std::uint32_t client, std::uint64_t number) {
  ++deliveries_;
  if (number != next_[client]) ++faults_;
  next_[client] = number + 1;
  if (number < complete_ || number >= complete_ + kWindow)
    return;  // a doubled or invented one: counted above
  ++readers_[number % kWindow];
  while (readers_[complete_ % kWindow] == next_.size()) readers_[complete_++ % kWindow] = 0;
}

}  // namespace uproar::bench
