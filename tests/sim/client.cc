#include "tests/sim/client.h"

#include <algorithm>

#include "tests/core/net/client_frames.h"
#include "tests/sim/habits.h"

namespace uproar::sim {
namespace {

constexpr int kText = 1;
constexpr int kClose = 8;
constexpr int kPing = 9;
constexpr int kPong = 10;
// A server that answers no ping for so long is gone.
constexpr std::int64_t kSilenceMaxUs = 50'000'000;
constexpr std::string_view kReadyMark = R"("type":"session.ready")";

}  // namespace

Client::~Client() {
  if (link_) link_->peer = nullptr;
}

void Client::connect(std::uint32_t node, std::uint32_t number, const std::string& token,
                     bool resumes, const std::vector<ConversationId>& conversations,
                     std::int64_t latency_us) {
  node_ = node;
  is_upgraded_ = is_leaving_ = ready_was_sent_ = node_drains_ = false;
  head_.clear();
  rest_.clear();
  sent_end_.clear();
  stalled_until_us_ = 0;
  close_code_ = 0;
  heard_at_us_ = kernel_.now_us();
  oracle_.connects(*this, resumes, conversations);
  connection = number;
  link_ = kernel_.connect(node, *this, latency_us);
  std::string request = "GET /ws?token=" + token + (resumes ? "&resume=1" : "") +
                        " HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: uproar.v1\r\n\r\n";
  kernel_.say(link_, std::move(request));
  // A patient client gives up at last; a server that says nothing at all would leave it waiting for ever.
  kernel_.after(15'000'000, [this, number] {
    if (connection == number && !is_ready) leave(Leave::kReset);
  });
}

void Client::gone() {
  if (link_) link_->peer = nullptr;
  link_ = nullptr;
  connection = 0;
  is_ready = false;
  is_upgraded_ = false;
}

void Client::leave(Leave how) {
  if (!is_connected()) return;
  switch (how) {
    case Leave::kGoodbye:
      if (!is_upgraded_) return leave(Leave::kReset);
      if (is_leaving_) return;
      is_leaving_ = true;
      kernel_.say(link_, net::client_frame(kClose, std::string("\x03\xE8", 2)));
      kernel_.after(8'000'000, [this, number = connection] {
        if (connection == number) leave(Leave::kReset);  // the answer does not come
      });
      return;
    case Leave::kReset:
      kernel_.abort(link_);
      return gone();
    case Leave::kVanish:
      kernel_.vanish(*link_);
      return gone();
  }
}

void Client::say(const chat::ClientEvent& event, std::string_view id) {
  if (!is_connected() || is_leaving_) return;
  kernel_.say(link_, net::client_frame(kText, words_of(event, id)));
}

void Client::say_and_break(const chat::ClientEvent& event, std::string_view id) {
  say(event, id);
  leave(Leave::kReset);
}

void Client::heartbeat() {
  if (!is_connected()) return;
  if (kernel_.now_us() - heard_at_us_ > kSilenceMaxUs) return leave(Leave::kReset);
  if (is_upgraded_ && !is_leaving_) kernel_.say(link_, net::client_frame(kPing, ""));
}

void Client::stall(std::int64_t until_us) {
  stalled_until_us_ = until_us;
}

void Client::on_sent(std::string_view bytes) {
  if (ready_was_sent_) return;
  sent_end_ += bytes;
  if (sent_end_.find(kReadyMark) != std::string::npos) {
    ready_was_sent_ = true;
    oracle_.said_ready(*this);
    sent_end_.clear();
  } else if (sent_end_.size() > 4096) {
    sent_end_.erase(0, sent_end_.size() - kReadyMark.size());
  }
}

void Client::on_broken() {
  if (!link_) return;
  gone();
}

void Client::on_bytes() {
  read_soon(stalled_until_us_ - kernel_.now_us());
}

void Client::read_soon(std::int64_t delay_us) {
  if (reads_soon_) return;
  reads_soon_ = true;
  kernel_.after(delay_us, [this] {
    reads_soon_ = false;
    read();
  });
}

void Client::read() {
  if (!link_) return;
  if (stalled_until_us_ > kernel_.now_us()) return read_soon(stalled_until_us_ - kernel_.now_us());
  // Mostly all that is there, at times a piece that ends anywhere.
  const std::size_t bytes = kernel_.chance(85) ? SIZE_MAX : 1 + kernel_.random(200);
  heard_at_us_ = kernel_.now_us();
  take(kernel_.read(*link_, bytes));
  if (!link_) return;
  if (!link_->received.empty()) return read_soon(kernel_.between(10, 2'000));
  if (link_->is_ended) {
    if (!is_upgraded_ && head_.empty() && !node_drains_)
      wrong("a connection ends without an answer");
    kernel_.finish(link_);
    gone();
  }
}

void Client::take(std::string bytes) {
  if (is_upgraded_) {
    rest_ += bytes;
    return take_frames();
  }
  head_ += bytes;
  const std::size_t end = head_.find("\r\n\r\n");
  if (end == std::string::npos) return;
  if (!head_.starts_with("HTTP/1.1 101 ")) return;  // refused; the end follows
  is_upgraded_ = true;
  rest_ = head_.substr(end + 4);
  take_frames();
}

void Client::take_frames() {
  std::string rest;
  const std::uint32_t number = connection;
  std::vector<net::ServerFrame> frames = net::server_frames(rest_, &rest);
  if (falsify_frames) {
    std::vector<std::string> texts;
    for (net::ServerFrame& frame : frames) {
      if (frame.opcode == kText) texts.push_back(std::move(frame.payload));
    }
    std::erase_if(frames, [](const net::ServerFrame& frame) { return frame.opcode == kText; });
    falsify_frames(texts);
    for (auto text = texts.rbegin(); text != texts.rend(); ++text)
      frames.insert(frames.begin(), {.opcode = kText, .payload = std::move(*text)});
  }
  for (const net::ServerFrame& frame : frames) {
    if (connection != number) return;  // it left while it listened
    if (frame.opcode == kPing) {
      kernel_.say(link_, net::client_frame(kPong, frame.payload));
    } else if (frame.opcode == kClose) {
      if (frame.payload.size() >= 2) {
        close_code_ = static_cast<std::uint16_t>(static_cast<unsigned char>(frame.payload[0]) << 8 |
                                                 static_cast<unsigned char>(frame.payload[1]));
      }
      if (!is_leaving_) kernel_.say(link_, net::client_frame(kClose, frame.payload.substr(0, 2)));
      is_leaving_ = true;
    } else if (frame.opcode == kText) {
      take_text(frame.payload);
    } else if (frame.opcode != kPong) {
      wrong("a frame of opcode " + std::to_string(frame.opcode));
    }
  }
  rest_ = std::move(rest);
}

void Client::take_text(const std::string& text) {
  const auto heard = listener_.hear(text);
  if (!heard) {
    std::string shown = text.substr(0, 300);
    std::replace_if(
        shown.begin(), shown.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7F; }, '?');
    return wrong("no event of the protocol: " + shown);
  }
  kernel_.note(heard->event.index());
  kernel_.note(chat::testing::seq_of(heard->event));
  oracle_.receive(*this, *heard);
  if (when_heard) when_heard(*heard);
  if (when_expiring && std::holds_alternative<chat::SessionExpiring>(heard->event)) when_expiring();
}

std::string Client::state() const {
  std::string out = user.text().substr(14, 4) + "/" + std::to_string(connection);
  if (!link_) return out + " has no connection";
  out += " to ring " + std::to_string(link_->ring) + " slot " + std::to_string(link_->slot);
  if (!link_->is_accepted) out += " not accepted";
  if (!is_upgraded_) out += " not upgraded";
  if (is_leaving_) out += " leaving";
  if (!is_ready) out += " not ready";
  return out + ", received " + std::to_string(link_->received.size()) + ", half a frame " +
         std::to_string(rest_.size()) + ", unanswered " + std::to_string(unacked.size());
}

void Client::wrong(const std::string& what) {
  if (when_wrong) when_wrong(what);
}

}  // namespace uproar::sim
