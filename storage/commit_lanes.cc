// Hot path: per message: one multiplication, no allocation of its own.
#include "storage/commit_lanes.h"

#include <algorithm>
#include <utility>

#include "proto/base/check.h"

namespace uproar::storage {
namespace {

// Of other bits than the owning shard is chosen by (core/chat/ownership.h): the conversations of one shard use all
// lanes.
std::size_t lane_of(ConversationId id, std::size_t lanes) {
  const std::uint64_t mixed = (id.uuid().high + id.uuid().low) * std::uint64_t{0xD6E8FEB86659FD93};
  return ((mixed >> 32) * lanes) >> 32;
}

}  // namespace

CommitLanes::CommitLanes(const std::vector<BatchStore*>& stores, Reactor& reactor,
                         const BatchWriter::Options& options)
    : counters_(std::make_shared<BatchWriterCounters>()) {
  UPROAR_CHECK(!stores.empty());
  for (BatchStore* store : stores)
    lanes_.push_back(std::make_unique<BatchWriter>(*store, reactor, options, counters_));
}

void CommitLanes::set_listener(CommitListener& listener) {
  for (const auto& lane : lanes_) lane->set_listener(listener);
}

StageResult CommitLanes::stage(Operation operation) {
  const std::size_t index = lane_of(operation.conversation, lanes_.size());
  const StageResult result = lanes_[index]->stage(std::move(operation));
  if (result != StageResult::kStaged) refused_by_ = index;
  return result;
}

bool CommitLanes::has_room(ConversationId conversation, std::size_t rows, std::size_t bytes) const {
  return lanes_[lane_of(conversation, lanes_.size())]->has_room(conversation, rows, bytes);
}

std::uint32_t CommitLanes::retry_after_ms() const {
  return lanes_[refused_by_]->retry_after_ms();
}

bool CommitLanes::is_idle() const {
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const auto& lane) { return lane->is_idle(); });
}

bool CommitLanes::works() const {
  return std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) {
    return lane->circuit() == BatchWriter::Circuit::kClosed;
  });
}

}  // namespace uproar::storage
