#include "core/gateway/canary.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>

namespace uproar::gateway {
namespace {
constexpr std::string_view kRequest =
    "GET /healthz HTTP/1.1\r\nHost: canary\r\nConnection: close\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 200";
}  // namespace

Canary::Canary(Admit admit, storage::StoreClient& store, storage::Reactor& reactor, const Now& now)
    : admit_(std::move(admit)), store_(store), reactor_(reactor), now_(now) {}

Canary::~Canary() {
  if (fd_ >= 0) ::close(fd_);
}

void Canary::ask(Done done) {
  if (askers_.empty() && now_.monotonic_us < fresh_until_us_) return done(verdict_);
  askers_.push_back(std::move(done));
  if (askers_.size() == 1) fly();
}

void Canary::fly() {
  verdict_ = {};
  ++flight_;
  store_legs_left_ = 2;  // writer, reader
  receive_legs_left_ = 1;
  deadline_ = reactor_.arm_timer(kDeadlineMs, [this, flight = flight_] {
    if (flight == flight_ && !askers_.empty()) finish();
  });
  fly_store(flight_);
  fly_receive_path();
}

void Canary::fly_receive_path() {
  std::array<int, 2> pair{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
    return;         // stays false: not ready
  admit_(pair[0]);  // refused at the connection limit: then the answer is an end of stream
  fd_ = pair[1];
  if (::send(fd_, kRequest.data(), kRequest.size(), MSG_NOSIGNAL | MSG_DONTWAIT) !=
      static_cast<ssize_t>(kRequest.size())) {
    return;
  }
  watch_ = reactor_.watch(fd_, POLLIN, [this](short events) { heard(events); });
}

void Canary::heard(short) {
  std::array<char, 512> bytes{};
  const ssize_t count = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (count < 0) return;
  verdict_.receive_path =
      std::string_view(bytes.data(), static_cast<std::size_t>(count)).starts_with(kAnswer);
  reactor_.unwatch(watch_);
  ::close(fd_);
  fd_ = -1;
  receive_legs_left_ = 0;
  finish_if_landed();
}

void Canary::fly_store(std::uint64_t flight) {
  store_.probe([this, flight](bool committed) {
    if (flight != flight_) return;  // too late: the verdict was given
    store_leg_landed(committed);
  });
  store_.history().load_conversation(
      {}, [this, flight](Result<storage::ConversationState, storage::StoreError> state) {
        if (flight != flight_) return;
        const bool answered = state.ok() || state.error() == storage::StoreError::kNotFound;
        store_leg_landed(answered);
      });
}

void Canary::store_leg_landed(bool answered) {
  if (!answered) return;  // the deadline finds the leg missing
  --store_legs_left_;
  verdict_.store = store_legs_left_ == 0;
  finish_if_landed();
}

void Canary::finish_if_landed() {
  if (store_legs_left_ == 0 && receive_legs_left_ == 0 && !askers_.empty()) finish();
}

void Canary::finish() {
  ++flight_;  // what lands later belongs to nobody
  fresh_until_us_ = now_.monotonic_us + std::int64_t{kFreshMs} * 1000;
  reactor_.cancel_timer(deadline_);
  if (fd_ >= 0) {
    reactor_.unwatch(watch_);
    ::close(fd_);
    fd_ = -1;
  }
  const std::vector<Done> askers = std::exchange(askers_, {});
  for (const Done& done : askers) done(verdict_);
}

}  // namespace uproar::gateway
