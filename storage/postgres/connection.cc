// Hot path: per batch and per read. One system call to send a unit, one to read what has come.
#include "storage/postgres/connection.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include <libpq-fe.h>

#include "storage/client_link.h"
#include "storage/postgres/limits.h"

namespace uproar::storage::postgres {

Connection::Connection(Connector& connector, Reactor& reactor, Options options, Changed changed)
    : connector_(connector),
      reactor_(reactor),
      options_(options),
      changed_(std::move(changed)),
      retry_ms_(kReconnectMsMin),
      random_(std::random_device{}()),
      link_(std::make_shared<ClientLink>(reactor)),
      self_(std::make_shared<Connection*>(this)) {
  connect();
}

Connection::~Connection() {
  link_->close();
  if (retry_armed_) reactor_.cancel_timer(retry_);
  if (clock_runs_) reactor_.cancel_timer(clock_);
  stop_watching();
}

void Connection::connect() {
  connector_.request(
      options_.purpose, [this, link = link_](Result<ConnectionPtr, SystemError> made) {
        // A link that was closed meanwhile drops the task, and the session with it.
        auto shared = std::make_shared<Result<ConnectionPtr, SystemError>>(std::move(made));
        link->post([this, shared] { connected(std::move(*shared)); });
      });
}

void Connection::connected(Result<ConnectionPtr, SystemError> made) {
  has_tried_ = true;
  if (!made.ok()) {
    const std::weak_ptr<Connection*> guard = self_;
    changed_(false, made.error().text());
    if (guard.expired()) return;
    retry_later();
    fail_units();
    return;
  }
  connection_ = std::move(made).value();
  retry_ms_ = kReconnectMsMin;
  quiet_ticks_ = 0;
  ++connects_;
  reading_ = reactor_.watch(PQsocket(connection_.get()), POLLIN, [this](short) { on_ready(); });
  is_watching_ = true;
  const std::weak_ptr<Connection*> guard = self_;
  changed_(true, "");
  if (guard.expired() || !connection_) return;
  for (Unit& unit : units_) {
    if (!send_unit(unit)) return broken(PQerrorMessage(connection_.get()));
  }
  flush();
}

void Connection::stop_watching() {
  if (is_watching_) reactor_.unwatch(reading_);
  if (is_writing_) reactor_.unwatch(writing_);
  is_watching_ = false;
  is_writing_ = false;
}

void Connection::broken(const std::string& why) {
  stop_watching();
  connection_.reset();
  // What the server said before it went says more than that it went.
  Failure failure = failure_of(why.c_str());
  if (!units_.empty() && units_.front().answer.end == Answer::End::kFailed)
    failure = units_.front().answer.failure;
  const std::weak_ptr<Connection*> guard = self_;
  changed_(false, describe_failure(connector_.options().url, "talk to", failure).text());
  if (guard.expired()) return;
  retry_later();
  fail_units();
}

void Connection::retry_later() {
  const std::uint32_t wait_ms = retry_ms_ / 2 + random_() % (retry_ms_ / 2 + 1);
  retry_ms_ = std::min(retry_ms_ * 2, kReconnectMsMax);
  retry_armed_ = true;
  retry_ = reactor_.arm_timer(wait_ms, [this] {
    retry_armed_ = false;
    connect();
  });
}

void Connection::fail_units() {
  const std::weak_ptr<Connection*> guard = self_;
  std::deque<Unit> units = std::exchange(units_, {});
  for (Unit& unit : units) {
    unit.answered({.end = unit.is_sent ? Answer::End::kLost : Answer::End::kRefused});
    if (guard.expired()) return;
  }
}

void Connection::send(std::vector<Call> calls, Answered answered) {
  if (!connection_ && has_tried_) {
    link_->post([answered = std::move(answered)] { answered({}); });
    return;
  }
  units_.push_back({.calls = std::move(calls), .answered = std::move(answered)});
  if (!connection_) return;
  if (send_unit(units_.back())) return flush();
  // Not under the caller's feet.
  link_->post([this, number = connects_] {
    if (connection_ && number == connects_) broken(PQerrorMessage(connection_.get()));
  });
}

void Connection::reopen(std::string why) {
  link_->post([this, number = connects_, why = std::move(why)] {
    if (!connection_ || number != connects_) return;
    retry_ms_ = kReconnectMsMax;  // what was wrong with this one may be wrong with the next
    broken(why);
  });
}

bool Connection::send_unit(Unit& unit) {
  PGconn* connection = connection_.get();
  unit.is_sent = true;
  for (const Call& call : unit.calls) {
    const std::string name = std::to_string(call.statement);
    const Params::Pointers params = call.params.pointers();
    if (PQsendQueryPrepared(connection, name.c_str(), call.params.size(), params.values.data(),
                            params.lengths.data(), params.formats.data(), 1) == 0) {
      return false;
    }
  }
  unit.calls = {};
  watch_clock();
  return PQpipelineSync(connection) == 1;
}

void Connection::flush() {
  const int left = PQflush(connection_.get());
  // An error shows as the end of the stream, too, behind what the server said before it.
  if (left == 1 && !is_writing_) {
    is_writing_ = true;
    writing_ = reactor_.watch(PQsocket(connection_.get()), POLLOUT, [this](short) { flush(); });
  } else if (left != 1 && is_writing_) {
    is_writing_ = false;
    reactor_.unwatch(writing_);
  }
}

void Connection::on_ready() {
  if (PQconsumeInput(connection_.get()) == 0) {
    const std::weak_ptr<Connection*> guard = self_;
    read_answers();  // what came before the end
    if (guard.expired() || !connection_) return;
    return broken(PQerrorMessage(connection_.get()));
  }
  read_answers();
}

void Connection::read_answers() {
  const std::weak_ptr<Connection*> guard = self_;
  int nulls = 0;  // one ends the rows of a statement; two in a row: there is nothing more
  while (nulls < 2 && !units_.empty() && units_.front().is_sent &&
         PQisBusy(connection_.get()) == 0) {
    PGresult* result = PQgetResult(connection_.get());
    if (result == nullptr) {
      ++nulls;
      continue;
    }
    nulls = 0;
    ++progress_;
    take(result);
    if (guard.expired() || !connection_) return;
  }
}

void Connection::take(PGresult* result) {
  Rows rows(result);
  Answer& answer = units_.front().answer;
  switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
      answer.rows.push_back(std::move(rows));
      return;
    case PGRES_PIPELINE_SYNC: {
      Unit unit = std::move(units_.front());
      units_.pop_front();
      if (unit.answer.end != Answer::End::kFailed) unit.answer.end = Answer::End::kDone;
      unit.answered(std::move(unit.answer));
      return;
    }
    case PGRES_PIPELINE_ABORTED:
      return;
    default:
      answer.end = Answer::End::kFailed;
      answer.failure = failure_of(result);
  }
}

void Connection::watch_clock() {
  if (clock_runs_) return;
  quiet_ticks_ = 0;
  arm_clock();
}

// Several ticks a time-out: under load the clock runs already when the server falls silent, and one tick a time-out
// would notice after up to two of them.
void Connection::arm_clock() {
  clock_runs_ = true;
  progress_at_tick_ = progress_;
  const std::uint32_t tick_ms = std::max(options_.answer_timeout_ms / kTicksPerTimeout, 1U);
  clock_ = reactor_.arm_timer(tick_ms, [this] { clock_ticked(); });
}

void Connection::clock_ticked() {
  clock_runs_ = false;
  if (!connection_ || units_.empty()) return;
  quiet_ticks_ = progress_ == progress_at_tick_ ? quiet_ticks_ + 1 : 0;
  if (quiet_ticks_ >= kTicksPerTimeout) {
    return broken("no answer for " + std::to_string(options_.answer_timeout_ms) + " ms");
  }
  arm_clock();
}

}  // namespace uproar::storage::postgres
