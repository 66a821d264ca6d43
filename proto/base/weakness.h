#pragma once

// The registry of defences that a test build can take out, one at a time, so that the test of each shows that it
// notices (tests/attack, docs/security.md). At the place of the defence stands one line:
//
//   if (!weakened(Weakness::kEndlessFragments) && frames > kMessageFramesMax) …
//
// In an ordinary build weakened() is the constant false, so that the line costs nothing and no environment
// variable can switch a defence off. A build with -DUPROAR_WEAKEN=NAME (of CMake) lacks that defence;
// the program uproar_weakened, which is for tests alone, asks the environment variable WEAKEN_UPROAR.
//
// Only source files may ask, and files that one source file alone includes (*-inl.h): two meanings of one inline
// function in one program would break the one-definition rule. A new defence is a line here, its question in the source, the
// source file in tests/attack/CMakeLists.txt, and an attack that names it; tests/attack/registry_test.py asks for all four.

#include <cstdint>

namespace uproar {

// X(constant, "name")
// clang-format off
#define UPROAR_WEAKNESSES(X)                            \
  X(kEndlessFragments, "endless_fragments")             \
  X(kSessionlessMessages, "sessionless_messages")       \
  X(kReadsAfterClose, "reads_after_close")              \
  X(kWorkShare, "work_share")                           \
  X(kConnectionsPerAddress, "connections_per_address")  \
  X(kSessionlessSlots, "sessionless_slots")             \
  X(kLargestHolder, "largest_holder")                   \
  X(kControlFrames, "control_frames")                   \
  X(kHandshakesPerAddress, "handshakes_per_address")    \
  X(kGuessingLocksOwner, "guessing_locks_owner")        \
  X(kRegistrationFlood, "registration_flood")           \
  X(kForgedForwarded, "forged_forwarded")               \
  X(kScrapeStorm, "scrape_storm")                       \
  X(kOutlivesToken, "outlives_token")                   \
  X(kJoiningFlood, "joining_flood")                     \
  X(kPresenceOfStrangers, "presence_of_strangers")      \
  X(kReactBeforeJoining, "react_before_joining")        \
  X(kCostBySize, "cost_by_size")                        \
  X(kUserShare, "user_share")                           \
  X(kQuotas, "quotas")                                  \
  X(kUnknownIds, "unknown_ids")                         \
  X(kSlowReaders, "slow_readers")                       \
  X(kSlowRequests, "slow_requests")                     \
  X(kSlowOpenings, "slow_openings")                     \
  X(kResetStorm, "reset_storm")                         \
  X(kRefreshFlood, "refresh_flood")                     \
  X(kTicketFlood, "ticket_flood")                       \
  X(kDeepJson, "deep_json")                             \
  X(kCollidingIds, "colliding_ids")
// clang-format on

enum class Weakness : std::uint8_t {
#define UPROAR_WEAKNESS(constant, name) constant,
  UPROAR_WEAKNESSES(UPROAR_WEAKNESS)
#undef UPROAR_WEAKNESS
};

#ifdef UPROAR_WEAKEN
// True for the one weakness of this process. A name that is unknown ends the process: a test would pass for nothing.
[[nodiscard]] bool weakened(Weakness weakness);
#else
[[nodiscard]] constexpr bool weakened(Weakness) {
  return false;
}
#endif

}  // namespace uproar
