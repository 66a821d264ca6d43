#include "proto/ws/handshake.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace uproar::ws {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

Headers sample() {  // RFC 6455 §1.2
  return {{"Host", "server.example.com"},   {"Upgrade", "websocket"},
          {"Connection", "Upgrade"},        {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
          {"Origin", "http://example.com"}, {"Sec-WebSocket-Protocol", "chat, superchat"},
          {"Sec-WebSocket-Version", "13"}};
}

HandshakeRequest request_of(const Headers& headers, std::string_view method = "GET", int major = 1,
                            int minor = 1) {
  HandshakeRequest request(method, major, minor);
  for (const auto& [name, value] : headers) request.add_header(name, value);
  return request;
}

Headers without(Headers headers, const std::string& name) {
  std::erase_if(headers, [&](const auto& header) { return header.first == name; });
  return headers;
}
Headers with(Headers headers, const std::string& name, const std::string& value) {
  headers.emplace_back(name, value);
  return headers;
}
Headers replaced(const Headers& headers, const std::string& name, const std::string& value) {
  return with(without(headers, name), name, value);
}

TEST(Handshake, AnswersTheExampleOfTheStandard) {  // RFC 6455 §1.3
  const Headers headers = sample();
  const HandshakeRequest request = request_of(headers);
  ASSERT_EQ(request.check(), HandshakeError::kNone);
  EXPECT_EQ(request.response("chat", std::nullopt),
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            "Sec-WebSocket-Protocol: chat\r\n"
            "\r\n");
}

TEST(Handshake, RefusesWhatTheStandardRefuses) {  // RFC 6455 §4.2.1, §4.2.2
  const struct {
    const char* what;
    Headers headers;
    HandshakeError error;
    int status;
  } rows[] = {
      {"Host missing", without(sample(), "Host"), HandshakeError::kHostMissing, 400},
      {"Host repeated", with(sample(), "host", "server.example.com"), HandshakeError::kHostRepeated,
       400},
      {"Upgrade missing", without(sample(), "Upgrade"), HandshakeError::kUpgradeMissing, 426},
      {"Upgrade to another", replaced(sample(), "Upgrade", "h2c"), HandshakeError::kUpgradeMissing,
       426},
      {"Upgrade only contains the word", replaced(sample(), "Upgrade", "websockets"),
       HandshakeError::kUpgradeMissing, 426},
      {"Connection missing", without(sample(), "Connection"), HandshakeError::kConnectionMissing,
       400},
      {"Connection without the token", replaced(sample(), "Connection", "keep-alive"),
       HandshakeError::kConnectionMissing, 400},
      {"version missing", without(sample(), "Sec-WebSocket-Version"), HandshakeError::kVersionNot13,
       426},
      {"version 8", replaced(sample(), "Sec-WebSocket-Version", "8"), HandshakeError::kVersionNot13,
       426},
      {"version 013", replaced(sample(), "Sec-WebSocket-Version", "013"),
       HandshakeError::kVersionNot13, 426},
      {"version list", replaced(sample(), "Sec-WebSocket-Version", "13, 8"),
       HandshakeError::kVersionNot13, 426},
      {"version repeated", with(sample(), "Sec-WebSocket-Version", "13"),
       HandshakeError::kVersionRepeated, 400},
      {"key missing", without(sample(), "Sec-WebSocket-Key"), HandshakeError::kKeyMissing, 400},
      {"key empty", replaced(sample(), "Sec-WebSocket-Key", ""), HandshakeError::kKeyInvalid, 400},
      {"key repeated", with(sample(), "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
       HandshakeError::kKeyRepeated, 400},
      {"key of 15 bytes", replaced(sample(), "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"),
       HandshakeError::kKeyInvalid, 400},
      {"key of 17 bytes", replaced(sample(), "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZWU="),
       HandshakeError::kKeyInvalid, 400},
      {"key of 18 bytes", replaced(sample(), "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZWVl"),
       HandshakeError::kKeyInvalid, 400},
      {"key unpadded", replaced(sample(), "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"),
       HandshakeError::kKeyInvalid, 400},
      {"key not base64", replaced(sample(), "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j-Q=="),
       HandshakeError::kKeyInvalid, 400},
      {"key with a space", replaced(sample(), "Sec-WebSocket-Key", "dGhlIHNhbXBsZSB b25jZQ=="),
       HandshakeError::kKeyInvalid, 400},
      {"body", with(sample(), "content-length", "10"), HandshakeError::kHasBody, 400},
      {"body in chunks", with(sample(), "TRANSFER-ENCODING", "chunked"), HandshakeError::kHasBody,
       400},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(request_of(row.headers).check(), row.error) << row.what;
    EXPECT_EQ(refusal(row.error).status, row.status) << row.what;
  }
  EXPECT_EQ(refusal(HandshakeError::kVersionNot13).header, "Sec-WebSocket-Version: 13");
}

TEST(Handshake, TakesABodyOfNoBytes) {
  for (const char* none : {"0", "00"})
    EXPECT_EQ(request_of(with(sample(), "Content-Length", none)).check(), HandshakeError::kNone);
}

TEST(Handshake, RefusesOtherMethodsAndOlderHttp) {
  const Headers headers = sample();
  for (const char* method : {"POST", "HEAD", "get", "", "GETS"}) {
    EXPECT_EQ(request_of(headers, method).check(), HandshakeError::kMethodNotGet) << method;
  }
  EXPECT_EQ(request_of(headers, "GET", 1, 0).check(), HandshakeError::kHttpVersionTooLow);
  EXPECT_EQ(request_of(headers, "GET", 0, 9).check(), HandshakeError::kHttpVersionTooLow);
}

TEST(Handshake, ReadsNamesAndTokensInAnyCaseAndListsOverSeveralLines) {
  Headers headers = without(without(sample(), "Connection"), "Upgrade");
  headers = with(headers, "CONNECTION", "keep-alive");
  headers = with(headers, "connection", "foo ,\tUPGRADE, ");
  headers = with(headers, "uPGRADE", "h2c, WebSocket");
  EXPECT_EQ(request_of(headers).check(), HandshakeError::kNone);
  EXPECT_TRUE(request_of(headers).wants_websocket());
}

TEST(Handshake, GivesEveryErrorAnAnswer) {
  for (int i = 1; i <= static_cast<int>(HandshakeError::kLast); ++i) {
    const HandshakeRefusal answer = refusal(static_cast<HandshakeError>(i));
    EXPECT_GE(answer.status, 400) << i;
    EXPECT_LT(answer.status, 500) << i;
    EXPECT_FALSE(answer.reason.empty()) << i;
  }
}

TEST(Handshake, SaysWhichExtensionWasAgreed) {
  const Headers headers =
      with(sample(), "Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");
  const HandshakeRequest request = request_of(headers);
  const auto deflate = request.negotiate_deflate();
  ASSERT_TRUE(deflate.has_value());
  EXPECT_NE(
      request.response("", deflate)
          .find("\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                "client_no_context_takeover\r\n\r\n"),
      std::string::npos);
}

}  // namespace
}  // namespace uproar::ws
