#pragma once

// A store that answers its commits when told, and somebody who remembers what came out.

#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "storage/message_log.h"

namespace uproar::storage {

class ScriptedStore final : public BatchStore {
 public:
  void commit(std::vector<Operation> batch, CommitDone done) override {
    waiting.push_back({std::move(batch), std::move(done)});
    sizes.push_back(waiting.back().batch.size());
  }
  void when_recovered(std::function<void()> call) override { recovered = std::move(call); }
  void answer(OutcomeStatus status) {
    Waiting next = std::move(waiting.front());
    waiting.pop_front();
    std::vector<Outcome> outcomes;
    for (const Operation& operation : next.batch) {
      outcomes.push_back({.ticket = operation.ticket, .status = status, .at_us = operation.at_us});
    }
    next.done(std::move(outcomes));
  }
  void succeed() { answer(OutcomeStatus::kCommitted); }
  void fail() { answer(OutcomeStatus::kUnavailable); }

  struct Waiting {
    std::vector<Operation> batch;
    CommitDone done;
  };
  std::deque<Waiting> waiting;
  std::vector<std::size_t> sizes;
  std::function<void()> recovered;
};

class Listener final : public CommitListener {
 public:
  void on_committed(std::span<const Outcome> outcomes) override {
    for (const Outcome& outcome : outcomes) {
      (outcome.status == OutcomeStatus::kUnavailable ? failed : committed)
          .push_back(outcome.ticket);
      all.push_back(outcome.ticket);
    }
    if (then) then();
  }
  std::vector<Ticket> committed;
  std::vector<Ticket> failed;
  std::vector<Ticket> all;
  std::function<void()> then;
};

}  // namespace uproar::storage
