#pragma once

// Feeds a stream to a RequestParser in pieces and notes all that can be observed, as values. Every piece lies in a
// heap block of exactly its size, so that a read past its end is caught by the address sanitizer; the block is freed
// before the next piece comes, so that a view kept too long is caught as well.

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/http/request_parser.h"

namespace uproar::http::testing {

struct Seen {
  std::string method, target, path, query, authority, body;
  int version_minor = 0;
  bool keep_alive = false;
  bool expects_continue = false;
  std::vector<std::pair<std::string, std::string>> headers;

  friend bool operator==(const Seen&, const Seen&) = default;
};

struct Outcome {
  std::vector<Seen> requests;
  RequestError error = RequestError::kNone;
  bool idle = false;  // nothing of a request was pending at the end

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

inline Seen copy_of(const Request& request) {
  Seen seen;
  seen.method = request.method;
  seen.target = request.target;
  seen.path = request.path;
  seen.query = request.query;
  seen.authority = request.authority;
  seen.body = as_text(request.body);
  seen.version_minor = request.version_minor;
  seen.keep_alive = request.keep_alive;
  seen.expects_continue = request.expects_continue;
  for (const Header header : request.headers) seen.headers.emplace_back(header.name, header.value);
  return seen;
}

inline Outcome feed(const std::vector<std::string_view>& pieces, const RequestLimits& limits) {
  RequestParser parser(limits);
  Outcome outcome;
  for (const std::string_view piece : pieces) {
    const auto block = std::make_unique<std::byte[]>(piece.size());
    if (!piece.empty()) std::memcpy(block.get(), piece.data(), piece.size());
    ByteView input(block.get(), piece.size());
    for (;;) {
      Request request;
      const auto step = parser.step(input, request);
      input = input.subspan(step.consumed);
      if (step.status == RequestParser::Status::kNeedMore) break;
      if (step.status == RequestParser::Status::kError) {
        outcome.error = parser.error();
        return outcome;
      }
      outcome.requests.push_back(copy_of(request));
      parser.release();
    }
  }
  outcome.idle = parser.idle();
  return outcome;
}

inline std::vector<std::string_view> one_by_one(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < text.size(); ++i) pieces.push_back(text.substr(i, 1));
  return pieces;
}

}  // namespace uproar::http::testing
