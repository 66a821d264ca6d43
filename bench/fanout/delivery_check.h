#pragma once

// Each reader's proof that it got every frame once and in order. Hot path: per frame. Allocations: 0.
//
// What is published holds kMarker and a number of ten digits, 0, 1, 2 ... across all kinds of frames.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/client/client_pool.h"

namespace uproar::bench {

inline constexpr std::string_view kMarker = "uproar-bench-";
inline constexpr std::size_t kNumberDigits = 10;

// `bytes` long, with the marker and the number in front. REQUIRES: bytes >= 23.
[[nodiscard]] std::string numbered_text(std::uint64_t number, std::size_t bytes);
void write_number(char* out, std::uint64_t number);

class DeliveryCheck final : public FrameSink {
 public:
  explicit DeliveryCheck(std::uint32_t clients);

  void on_text(std::uint32_t client, std::string_view payload, std::string_view frame) override;

  // Numbers below it have reached everybody.
  [[nodiscard]] std::uint64_t complete() const { return complete_; }
  [[nodiscard]] std::uint64_t deliveries() const { return deliveries_; }
  // Deliveries that were not the one that reader had to get next.
  [[nodiscard]] std::uint64_t faults() const { return faults_; }
  [[nodiscard]] std::uint64_t others() const { return others_; }
  // The frame seen last, whole.
  [[nodiscard]] const std::string& sample() const { return sample_; }
  void take_sample() { wants_sample_ = true; }

 private:
  void count(std::uint32_t client, std::uint64_t number);

  static constexpr std::uint64_t kWindow = 4096;  // numbers under way at most

  std::vector<std::uint64_t> next_;     // by client
  std::vector<std::uint32_t> readers_;  // by number % kWindow: who has it
  std::uint64_t complete_ = 0;
  std::uint64_t deliveries_ = 0;
  std::uint64_t faults_ = 0;
  std::uint64_t others_ = 0;
  std::size_t marker_at_ = 0;
  bool wants_sample_ = false;
  std::string sample_;
};

}  // namespace uproar::bench
