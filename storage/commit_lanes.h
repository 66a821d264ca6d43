#pragma once

// Group commit over the lanes of a store: a BatchWriter for each, conversations dealt out among them. While one lane
// waits (for a disk, for the shard to judge a batch), another commits; so a batch of one conversation never waits for
// those of all the others.
//
//   stage() -> lane of the conversation -> BatchWriter -> on_committed(outcomes)
//
// Outcomes come in stage order for each conversation, and in no order between conversations of different lanes. Each
// lane has a circuit of its own: a session that was lost stops its conversations and no others.

#include <cstdint>
#include <memory>
#include <vector>

#include "storage/batch_writer.h"
#include "storage/message_log.h"
#include "storage/reactor.h"

namespace uproar::storage {

class CommitLanes final : public MessageLog {
 public:
  // As BatchWriter's: `stores` and `reactor` outlive it, all calls on the reactor's thread. At least one store.
  CommitLanes(const std::vector<BatchStore*>& stores, Reactor& reactor,
              const BatchWriter::Options& options);

  // Before the first stage(); outlives the lanes.
  void set_listener(CommitListener& listener);

  StageResult stage(Operation operation) override;
  [[nodiscard]] bool has_room(ConversationId conversation, std::size_t rows,
                              std::size_t bytes) const override;
  // Of the lane that refused last.
  [[nodiscard]] std::uint32_t retry_after_ms() const override;

  // Nothing staged, nothing in flight: what a drain waits for.
  [[nodiscard]] bool is_idle() const;
  // No lane's circuit is open.
  [[nodiscard]] bool works() const;
  // All lanes together; circuit_open counts them.
  [[nodiscard]] const BatchWriterCounters& counters() const { return *counters_; }

 private:
  const std::shared_ptr<BatchWriterCounters> counters_;
  std::vector<std::unique_ptr<BatchWriter>> lanes_;
  std::size_t refused_by_ = 0;
};

}  // namespace uproar::storage
