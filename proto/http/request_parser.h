#pragma once

// Incremental parser of HTTP/1.1 and 1.0 requests (RFC 9112): head, body by Content-Length or chunks, keep-alive,
// pipelining. Pure: no I/O, no clock.
//
//   RequestParser parser(limits);             // limits outlive the parser
//   Request request;
//   for (;;) {
//     const auto step = parser.step(input, request);
//     input = input.subspan(step.consumed);
//     if (step.status == RequestParser::Status::kNeedMore) break;     // all of `input` was taken
//     if (step.status == RequestParser::Status::kError) { answer request_error_info(parser.error()); close; break; }
//     handle(request);                        // its views die with the next step(), release() or change of `input`
//     parser.release();                       // an idle connection holds no buffer
//   }
//
// A request that lies whole in one input is not copied: all views point into it (chunked bodies are the exception,
// their pieces have to be joined). A request that is cut by the end of an input is gathered in one buffer that
// grows with what really arrived, up to head_bytes_max + body_bytes_max, and is gone after release().
//
// What is accepted, what is refused and why do not depend on how the bytes were cut: lines are judged when their
// LF is there, in order, and the limits by what can be known at every cut.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "proto/base/bytes.h"
#include "proto/http/headers.h"
#include "proto/http/limits.h"
#include "proto/http/request_error.h"

namespace uproar::http {

// Borrowed views; see above for when they die.
struct Request {
  std::string_view method;  // a token; which ones exist is the router's affair
  std::string_view target;  // as sent; never into a log: its query may hold a token
  std::string_view path;    // begins with '/', or is "*" for OPTIONS; escapes not decoded
  std::string_view query;   // without its '?'; escapes not decoded
  std::string_view
      authority;  // Host, or the authority of an absolute-form target; may be empty on 1.0
  std::uint8_t version_minor = 1;  // 0 or 1
  bool keep_alive =
      false;  // after the answer the connection may carry another request (RFC 9112 §9.3)
  bool expects_continue =
      false;  // asked for "100 Continue"; RequestParser::take_continue() says when to send it
  Headers headers;
  ByteView body;  // contiguous, chunk framing removed
};

class RequestParser {
 public:
  enum class Status : std::uint8_t { kNeedMore, kRequest, kError };
  struct Step {
    Status status;
    std::size_t consumed;  // bytes taken from the front of the input; all of them on kNeedMore
  };

  // `limits` is borrowed and shared by many parsers.
  // REQUIRES: request_line_bytes_max <= head_bytes_max <= kHeadBytesCeiling, body_bytes_max <= kBodyBytesCeiling.
  explicit RequestParser(const RequestLimits& limits);
  explicit RequestParser(RequestLimits&&) = delete;  // would dangle

  // Takes bytes from the front of `input` up to the end of one request.
  //   kNeedMore  the request goes on in later bytes.
  //   kRequest   `request` is complete, body included. Bytes after `consumed` belong to the next request, or to
  //              the protocol that was upgraded to.
  //   kError     error() names the rule that was broken; the parser stays in this state.
  [[nodiscard]] Step step(ByteView input, Request& request);

  // Ends the life of the last request and frees the buffer. step() does it too when it meets a finished request.
  void release();

  // The request that was read last, or of which something was read so far, begins with "HEAD ".
  // Known as soon as those bytes are there, and also when the request is refused: no answer to it
  // has a body (RFC 9110 §9.3.2).
  [[nodiscard]] bool is_head() const { return has(kIsHead); }

  // True once for each request whose sender waits for "100 Continue" before it sends its body. Ask after kNeedMore.
  [[nodiscard]] bool take_continue();

  [[nodiscard]] RequestError error() const {
    return error_;
  }  // kNone unless the last step said kError
  // No byte of a request is pending: the connection may be closed or left idle without loss.
  [[nodiscard]] bool idle() const {
    return state_ == State::kDone || (state_ == State::kHead && size_ == 0);
  }
  // Bytes on the heap, for the owner's memory account.
  [[nodiscard]] std::size_t buffer_bytes() const { return capacity_; }

 private:
  enum class State : std::uint8_t {
    kHead,
    kBody,
    kChunkLine,
    kChunkData,
    kChunkEnd,
    kTrailer,
    kDone,
    kFailed
  };
  enum class Progress : std::uint8_t { kAgain, kNeedMore, kComplete, kFailed };
  enum Flag : std::uint16_t {
    kSkippedEmptyLine = 1U << 0U,
    kHasRequestLine = 1U << 1U,
    kIsHttp11 = 1U << 2U,
    kHasHost = 1U << 3U,
    kHasLength = 1U << 4U,
    kHasTransferEncoding = 1U << 5U,
    kSaysClose = 1U << 6U,
    kSaysKeepAlive = 1U << 7U,
    kExpectsContinue = 1U << 8U,
    kContinueTaken = 1U << 9U,
    kIsHead = 1U << 10U,
  };
  struct Input;  // one step's view of its input; see the .cc

  [[nodiscard]] Progress read_head(Input& in);
  [[nodiscard]] Progress read_body(Input& in);
  [[nodiscard]] Progress read_chunk_or_trailer_line(Input& in);
  [[nodiscard]] Progress read_chunk_data(Input& in);
  [[nodiscard]] Progress read_chunk_end(Input& in);

  void note_method(std::string_view piece, std::size_t carried);
  [[nodiscard]] RequestError check_head_line_so_far(char first, std::size_t line_bytes) const;
  [[nodiscard]] RequestError take_request_line(std::string_view line);
  [[nodiscard]] RequestError take_header(std::string_view line);
  [[nodiscard]] RequestError take_content_length(std::string_view value);
  [[nodiscard]] RequestError take_head_end();
  [[nodiscard]] RequestError take_chunk_line(std::string_view line);
  [[nodiscard]] RequestError take_trailer(std::string_view line);

  [[nodiscard]] Progress fail(RequestError error);
  void fill(const Input& in, Request& request) const;
  void keep_head(const Input& in);
  void append(std::string_view bytes);
  void free_buffer();
  [[nodiscard]] bool has(Flag flag) const { return (flags_ & flag) != 0; }
  void set(Flag flag) { flags_ = static_cast<std::uint16_t>(flags_ | flag); }
  [[nodiscard]] std::string_view buffered(std::size_t from, std::size_t bytes) const {
    return {buffer_.get() + from, bytes};
  }

  // Buffer: [head][body so far][chunk or trailer line so far], or nothing at all.
  const RequestLimits* limits_;
  std::unique_ptr<char[]> buffer_;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint32_t line_start_ = 0;  // of the line being read: offset in the head, later in the buffer
  std::uint32_t head_bytes_ = 0;  // known when the head is complete
  std::uint32_t body_left_ =
      0;  // of the body or of the current chunk; in kChunkEnd bytes of its CRLF seen
  std::uint32_t overhead_bytes_ = 0;  // chunk extensions and trailers, bounded by head_bytes_max
  std::uint16_t headers_ = 0;
  std::uint16_t flags_ = 0;
  State state_ = State::kHead;
  RequestError error_ = RequestError::kNone;
};
static_assert(sizeof(RequestParser) <= 64, "every idle connection carries one");

}  // namespace uproar::http
