#include "core/net/http_stage.h"

#include <algorithm>
#include <iterator>

#include "proto/base/weakness.h"
#include "proto/http/forwarded.h"

namespace uproar::net {

namespace {

struct ConnectionCode {
  int status;
  std::string_view name;
};
// What a connection answers by itself: the request is none, or nobody may be asked about it. This layer knows nothing of
// the chat's table of errors; documents_test.py sees to it that a name has one status in both, and reads the documents
// against both.
constexpr ConnectionCode kConnectionCodes[] = {
    {400, "bad_request"},        {401, "unauthorized"},
    {403, "forbidden_origin"},   {404, "not_found"},
    {405, "method_not_allowed"}, {408, "request_timeout"},
    {413, "payload_too_large"},  {414, "uri_too_long"},
    {417, "expectation_failed"}, {426, "upgrade_required"},
    {429, "rate_limited"},       {431, "headers_too_large"},
    {500, "internal"},           {501, "not_implemented"},
    {503, "unavailable"},        {505, "version_not_supported"},
};

HttpStep refused(std::size_t consumed, int status, std::string_view code, std::string_view message,
                 std::string_view header_line = {}) {
  HttpStep step{.kind = HttpStep::Kind::kRefused,
                .send_continue = false,
                .consumed = consumed,
                .refusal = {},
                .names_client = false,
                .is_new_client = false};
  step.refusal = {.status = status, .code = code, .message = message, .header = {}};
  if (const auto colon = header_line.find(':'); colon != std::string_view::npos) {
    std::string_view value = header_line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    step.refusal.header = {.name = header_line.substr(0, colon), .value = value};
  }
  return step;
}

// A client that sends these means a WebSocket even where it forgot to say so in Upgrade.
bool smells_of_websocket(const http::Headers& headers) {
  return headers.find("Sec-WebSocket-Key").has_value() ||
         headers.find("Sec-WebSocket-Version").has_value();
}

}  // namespace

std::string_view error_code_of(int status) {
  const auto* row = std::find_if(std::begin(kConnectionCodes), std::end(kConnectionCodes),
                                 [status](const ConnectionCode& x) { return x.status == status; });
  return row == std::end(kConnectionCodes) ? "error" : row->name;
}

std::string error_body(std::string_view code, std::string_view message) {
  // Both are our own ASCII texts without quotes or backslashes; anything else is left out rather than escaped.
  std::string out = "{\"type\":\"error\",\"code\":\"";
  out.append(code);
  out += "\",\"message\":\"";
  for (const char c : message) {
    if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') out += c;
  }
  out += "\"}";
  return out;
}

HttpStage::HttpStage(const http::RequestLimits& limits, const http::OriginPolicy& origins,
                     const HttpPeer& peer)
    : parser_(limits),
      origins_(origins),
      trusted_proxies_(peer.trusted_proxies),
      source_(peer.address),
      client_(peer.address),
      counted_(peer.address) {
  if (peer.sends_proxy_header) {
    proxy_header_ = std::make_unique<http::ProxyHeaderParser>();
  } else {
    is_shared_ = is_in(trusted_proxies_, source_);
  }
}

HttpStep HttpStage::proxy_header_step(ByteView input) {
  HttpStep out;
  const auto step = proxy_header_->step(input);
  out.consumed = step.consumed;
  if (step.status == http::ProxyHeaderParser::Status::kNeedMore) return out;
  if (step.status == http::ProxyHeaderParser::Status::kError) {
    out.kind = HttpStep::Kind::kNoProxyHeader;
    return out;
  }
  // Where it names nobody, the connection is the proxy's own; headers in it would be those of nobody knows whom.
  if (const auto& source = proxy_header_->source()) {
    source_ = client_ = PeerAddress{*source};
    is_shared_ = is_in(trusted_proxies_, source_);  // one proxy before the other
  }
  proxy_header_.reset();
  out.kind = HttpStep::Kind::kProxied;
  return named(out);
}

std::string_view HttpStage::find_client() {
  client_ = source_;
  if (!is_shared_ && !weakened(Weakness::kForgedForwarded)) return {};
  const auto named = http::forwarded_client(request_.headers, source_, trusted_proxies_);
  if (!named.ok()) return http::forwarded_error_text(named.error());
  client_ = PeerAddress{named.value()};
  return {};
}

// The step with what a proxy has said.
HttpStep HttpStage::named(HttpStep step) {
  step.names_client = !is_in(trusted_proxies_, client_);
  step.is_new_client = step.names_client && client_ != counted_;
  if (step.names_client) counted_ = client_;
  return step;
}

HttpStep HttpStage::step(ByteView input) {
  if (proxy_header_ != nullptr) return proxy_header_step(input);
  const auto parsed = parser_.step(input, request_);
  head_request_ = parser_.is_head();
  switch (parsed.status) {
    case http::RequestParser::Status::kNeedMore:
      return {.kind = HttpStep::Kind::kNeedMore,
              .send_continue = parser_.take_continue(),
              .consumed = parsed.consumed,
              .refusal = {},
              .names_client = false,
              .is_new_client = false};
    case http::RequestParser::Status::kError: {
      const auto& info = http::request_error_info(parser_.error());
      return refused(parsed.consumed, info.status, error_code_of(info.status), info.text);
    }
    case http::RequestParser::Status::kRequest:
      break;
  }
  keep_alive_ = request_.keep_alive;
  version_minor_ = request_.version_minor;
  listed_origin_ = origins_.listed_origin(request_).value_or("");
  if (const std::string_view problem = find_client(); !problem.empty())
    return refused(parsed.consumed, 400, error_code_of(400), problem);

  const ws::HandshakeRequest shake = handshake();
  HttpStep step;
  step.consumed = parsed.consumed;
  if (!shake.wants_websocket() && !smells_of_websocket(request_.headers)) {
    awaiting_ = true;
    step.kind = HttpStep::Kind::kRequest;
    return is_shared_ ? named(step) : step;
  }
  if (const auto error = shake.check(); error != ws::HandshakeError::kNone) {
    const ws::HandshakeRefusal refusal = ws::refusal(error);
    return refused(parsed.consumed, refusal.status, error_code_of(refusal.status), refusal.reason,
                   refusal.header);
  }
  if (!origins_.allows(request_)) {
    return refused(parsed.consumed, 403, error_code_of(403),
                   "this page's origin may not connect here");
  }
  awaiting_ = true;
  step.kind = HttpStep::Kind::kUpgrade;
  return is_shared_ ? named(step) : step;
}

ws::HandshakeRequest HttpStage::handshake() const {
  ws::HandshakeRequest shake(request_.method, 1, request_.version_minor);
  for (const http::Header header : request_.headers) shake.add_header(header.name, header.value);
  return shake;
}

http::ResponseContext HttpStage::answer_context(std::string_view date) const {
  return {.date = date,
          .head_request = head_request_,
          .keep_alive = keep_alive_,
          .version_minor = version_minor_};
}

void HttpStage::answered() {
  awaiting_ = false;
  request_ = {};
  client_ = source_;
  listed_origin_.clear();
  parser_.release();
}

void HttpStage::add_origin_headers(std::vector<http::Header>& headers) const {
  if (!origins_.lists_any()) return;
  headers.push_back({"Vary", "Origin"});
  if (!from_listed_origin()) return;
  headers.push_back({"Access-Control-Allow-Origin", listed_origin_});
  headers.push_back({"Access-Control-Expose-Headers", "Retry-After, WWW-Authenticate"});
}

}  // namespace uproar::net
