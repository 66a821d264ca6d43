#include "proto/ws/deflate_offer.h"

#include <cstddef>

namespace uproar::ws {
namespace {

constexpr std::string_view kName = "permessage-deflate";

bool is_token_char(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Reads one header value: extension *( "," extension ), extension = token *( ";" token [ "=" (
// token | quoted ) ] ).
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  void skip_spaces() {
    while (!at_end() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  // Takes `c`, with spaces around it, if it is next.
  bool take(char c) {
    skip_spaces();
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    skip_spaces();
    return true;
  }
  // Empty: no token here.
  std::string_view token() {
    const std::size_t start = at_;
    while (!at_end() && is_token_char(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }
  // A token, or a quoted string whose content is a token (RFC 6455 §9.1); empty: neither.
  std::string_view value() {
    if (at_end() || text_[at_] != '"') return token();
    ++at_;
    const std::string_view inner = token();
    if (at_end() || text_[at_] != '"') return {};
    ++at_;
    return inner;
  }
  // To the end of this extension, whatever it holds; a comma inside quotes is no end.
  void skip_extension() {
    bool quoted = false;
    for (; !at_end(); ++at_) {
      const char c = text_[at_];
      if (quoted && c == '\\' && at_ + 1 < text_.size()) {
        ++at_;
      } else if (c == '"') {
        quoted = !quoted;
      } else if (c == ',' && !quoted) {
        return;
      }
    }
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

// 8..15 without leading zeros (RFC 7692 §7.1.2.1); 0: anything else.
std::uint8_t window_bits(std::string_view value) {
  if (value == "8") return 8;
  if (value == "9") return 9;
  if (value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5') {
    return static_cast<std::uint8_t>(10 + (value[1] - '0'));
  }
  return 0;
}

// The parameters of one offer, up to its end; nullopt: declined. Stops wherever it was that it lost
// hope.
std::optional<DeflateAgreement> read_offer(Reader& reader) {
  DeflateAgreement agreement;
  bool server_takeover_seen = false;
  bool client_takeover_seen = false;
  bool client_window_seen = false;
  while (reader.take(';')) {
    const std::string_view name = reader.token();
    if (name.empty()) return std::nullopt;
    const bool has_value = reader.take('=');
    const std::string_view value = has_value ? reader.value() : std::string_view();
    if (has_value && value.empty()) return std::nullopt;

    if (name == "server_no_context_takeover" || name == "client_no_context_takeover") {
      bool& seen = name.front() == 's' ? server_takeover_seen : client_takeover_seen;
      if (seen || has_value) return std::nullopt;
      seen = true;
    } else if (name == "server_max_window_bits") {
      const std::uint8_t bits = window_bits(value);
      if (agreement.window_was_asked || bits < 9) return std::nullopt;  // 8: zlib cannot write it
      agreement.window_was_asked = true;
      agreement.server_max_window_bits = bits;
    } else if (name == "client_max_window_bits") {
      // A hint, with or without a number: we read every window, so we ask for nothing smaller.
      if (client_window_seen || (has_value && window_bits(value) == 0)) return std::nullopt;
      client_window_seen = true;
    } else {
      return std::nullopt;
    }
  }
  reader.skip_spaces();
  return agreement;
}

}  // namespace

std::optional<DeflateAgreement> negotiate_deflate(
    std::span<const std::string_view> extension_values) {
  for (const std::string_view line : extension_values) {
    Reader reader(line);
    while (!reader.at_end()) {
      if (reader.take(',')) continue;  // empty elements are allowed (RFC 9110 §5.6.1)
      if (reader.at_end()) break;
      if (reader.token() == kName) {
        const auto agreement = read_offer(reader);
        if (agreement && (reader.at_end() || reader.take(','))) return agreement;
      }
      reader.skip_extension();
    }
  }
  return std::nullopt;
}

std::string extension_answer(const DeflateAgreement& agreement) {
  // Both may be said unasked (RFC 7692 §7.1.1): a client that cannot do without a context between
  // messages does not exist in the grammar, since every client must read what a server without
  // takeover writes.
  std::string answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  if (agreement.window_was_asked) {
    answer += "; server_max_window_bits=" + std::to_string(agreement.server_max_window_bits);
  }
  return answer;
}

}  // namespace uproar::ws
