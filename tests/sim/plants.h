#pragma once

// Worlds that are wrong on purpose, to prove that the oracle sees what a wrong server would do.

#include <cstdint>
#include <span>
#include <string_view>

namespace uproar::sim {

// What each does stands in faults.cc, in the table of all_plants().
enum class Plant : std::uint8_t {
  kNone,
  // the store
  kAckBeforeCommit,
  kEarlyAnswer,
  kForgetKeys,
  kForgetRead,
  kLosePage,
  // sockets and what is written to them
  kLoseFrame,
  kRepeatFrame,
  kSwapFrames,
  kAnotherActor,
  kAnotherEdit,
  kAnotherAck,
  kUntoldDuplicate,
  kLoseAnswer,
  kJoinAgain,
  kHideReturn,
  kHideNotLive,
  kAnotherRow,
  kSilentShortSend,
  kLoseWritable,
  // several nodes
  kBusLosesSilently,
  kForgetToSayLive,
  kForgetLostPublish,
  kMangleSeq,
  kHidePresence,
  kForgetToPutAgain,
  kHideNodesAtWork,
  kClaimSettled
};
[[nodiscard]] constexpr bool needs_nodes(Plant plant) {
  return plant >= Plant::kBusLosesSilently;
}

struct PlantInfo {
  Plant plant;
  std::string_view name;
  std::string_view what;
};
[[nodiscard]] std::span<const PlantInfo> all_plants();

}  // namespace uproar::sim
