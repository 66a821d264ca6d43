// Hot path: per request. Allocations: 0 when the request lies whole in the input and is not chunked.
#include "proto/http/request_parser.h"

#include <algorithm>
#include <cstring>

#include "proto/base/check.h"
#include "proto/http/chars.h"
#include "proto/http/framing.h"
#include "proto/http/request_line.h"

namespace uproar::http {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadMethod = "HEAD ";

// The bytes at the front of `rest` up to and with the next LF, or all of them.
std::string_view line_piece(std::string_view rest, bool& complete) {
  const std::size_t newline = rest.find('\n');
  complete = newline != std::string_view::npos;
  return complete ? rest.substr(0, newline + 1) : rest;
}

// Removes the CRLF of a complete line; false if it ends in LF alone.
bool remove_line_end(std::string_view& line) {
  if (!line.ends_with(kLineEnd)) return false;
  line.remove_suffix(kLineEnd.size());
  return true;
}

}  // namespace

struct RequestParser::Input {
  std::string_view text;
  std::size_t at = 0;       // consumed so far
  std::size_t head_at = 0;  // where the head begins, while nothing is buffered
  std::string_view body;    // a body that lies whole in `text`

  [[nodiscard]] std::string_view rest() const { return text.substr(at); }
};

RequestParser::RequestParser(const RequestLimits& limits) : limits_(&limits) {
  UPROAR_CHECK(limits.request_line_bytes_max <= limits.head_bytes_max,
               limits.request_line_bytes_max);
  UPROAR_CHECK(limits.head_bytes_max <= kHeadBytesCeiling, limits.head_bytes_max);
  UPROAR_CHECK(limits.body_bytes_max <= kBodyBytesCeiling, limits.body_bytes_max);
}

RequestParser::Step RequestParser::step(ByteView input, Request& request) {
  if (state_ == State::kFailed) return {Status::kError, 0};
  if (state_ == State::kDone) release();
  Input in;
  in.text = as_text(input);
  Progress progress = Progress::kAgain;
  while (progress == Progress::kAgain) {  // each turn takes bytes or moves the state forward
    switch (state_) {
      case State::kHead:
        progress = read_head(in);
        break;
      case State::kBody:
        progress = read_body(in);
        break;
      case State::kChunkLine:
      case State::kTrailer:
        progress = read_chunk_or_trailer_line(in);
        break;
      case State::kChunkData:
        progress = read_chunk_data(in);
        break;
      case State::kChunkEnd:
        progress = read_chunk_end(in);
        break;
      case State::kDone:
        progress = Progress::kComplete;
        break;
      case State::kFailed:
        progress = Progress::kFailed;
        break;
    }
  }
  if (progress == Progress::kFailed) return {Status::kError, in.at};
  if (progress == Progress::kNeedMore) {
    UPROAR_DCHECK(in.at == in.text.size(), in.at, in.text.size());
    return {Status::kNeedMore, in.at};
  }
  fill(in, request);
  return {Status::kRequest, in.at};
}

void RequestParser::release() {
  if (state_ == State::kFailed) return;
  free_buffer();
  line_start_ = head_bytes_ = body_left_ = overhead_bytes_ = 0;
  headers_ = flags_ = 0;
  state_ = State::kHead;
}

bool RequestParser::take_continue() {
  const bool head_only = state_ == State::kBody || state_ == State::kChunkLine;
  if (!head_only || size_ != head_bytes_ || !has(kExpectsContinue) || has(kContinueTaken))
    return false;
  set(kContinueTaken);
  return true;
}

// --- Head -----------------------------------------------------------------------------------------------------

// Reads lines until the empty one. While nothing is buffered the head stays where it lies in the input.
RequestParser::Progress RequestParser::read_head(Input& in) {
  while (state_ == State::kHead) {
    bool complete = false;
    const std::string_view piece = line_piece(in.rest(), complete);
    const std::size_t carried = size_ == 0 ? 0 : size_ - line_start_;
    if (!has(kHasRequestLine)) note_method(piece, carried);
    if (carried + piece.size() > 0) {
      const char first = carried > 0 ? buffer_[line_start_] : piece.front();
      const RequestError early = check_head_line_so_far(first, carried + piece.size());
      if (early != RequestError::kNone) return fail(early);
    }
    if (!complete) {
      append(size_ == 0 ? in.text.substr(in.head_at) : piece);
      in.at = in.text.size();
      return Progress::kNeedMore;
    }
    in.at += piece.size();
    std::string_view line = piece;
    if (size_ > 0) {
      append(piece);
      line = buffered(line_start_, carried + piece.size());
    }
    const auto line_bytes = static_cast<std::uint32_t>(line.size());
    if (!remove_line_end(line)) return fail(RequestError::kBareLf);

    if (!has(kHasRequestLine) && line.empty() && !has(kSkippedEmptyLine)) {
      // RFC 9112 §2.2: one empty line before a request is forgiven; old clients send it after a POST body.
      set(kSkippedEmptyLine);
      free_buffer();
      in.head_at = in.at;
      continue;
    }
    line_start_ += line_bytes;
    const RequestError error = !has(kHasRequestLine) ? take_request_line(line)
                               : line.empty()        ? take_head_end()
                                                     : take_header(line);
    if (error != RequestError::kNone) return fail(error);
  }
  if (state_ == State::kChunkLine) {
    keep_head(in);
    line_start_ = size_;
  }
  return Progress::kAgain;
}

// The line may turn out to be none, or too long, and whoever sent it takes the answer for one to
// HEAD all the same.
void RequestParser::note_method(std::string_view piece, std::size_t carried) {
  if (carried >= kHeadMethod.size()) return;  // looked at before
  const std::string_view rest = kHeadMethod.substr(carried);
  if (piece.starts_with(rest) && buffered(line_start_, carried) == kHeadMethod.substr(0, carried))
    set(kIsHead);
}

// What can be said of a line before its end is there, and must be said first when it is, so that the verdict does
// not depend on the cut.
RequestError RequestParser::check_head_line_so_far(char first, std::size_t line_bytes) const {
  if (!has(kHasRequestLine)) {
    // A TLS client hello or other noise is refused at its first byte instead of waiting for a line end.
    if (!is_in(first, kTokenChar) && first != '\r' && first != '\n')
      return RequestError::kBadMethod;
    if (line_bytes > limits_->request_line_bytes_max) return RequestError::kRequestLineTooLong;
  }
  return line_start_ + line_bytes > limits_->head_bytes_max ? RequestError::kHeadTooLarge
                                                            : RequestError::kNone;
}

RequestError RequestParser::take_request_line(std::string_view line) {
  RequestLine parsed;
  const RequestError error = parse_request_line(line, parsed);
  set(kHasRequestLine);
  if (parsed.version_minor == 1) set(kIsHttp11);
  return error;
}

RequestError RequestParser::take_header(std::string_view line) {
  if (++headers_ > limits_->headers_max) return RequestError::kTooManyHeaders;
  Header header;
  const RequestError error = parse_field_line(line, header);
  if (error != RequestError::kNone) return error;
  switch (
      header.name.size()) {  // only five names concern framing and connection; most lines end here
    case 4:
      if (!equals_ignoring_case(header.name, "host")) break;
      if (has(kHasHost)) return RequestError::kRepeatedHost;
      set(kHasHost);
      if (!header.value.empty() && !is_host_and_port(header.value)) return RequestError::kBadHost;
      break;
    case 6:
      if (!equals_ignoring_case(header.name, "expect")) break;
      if (!equals_ignoring_case(header.value, "100-continue")) return RequestError::kBadExpect;
      if (has(kIsHttp11)) set(kExpectsContinue);  // RFC 9110 §10.1.1: ignored on 1.0
      break;
    case 10:
      if (!equals_ignoring_case(header.name, "connection")) break;
      if (list_has_token(header.value, "close")) set(kSaysClose);
      if (list_has_token(header.value, "keep-alive")) set(kSaysKeepAlive);
      break;
    case 14:
      if (equals_ignoring_case(header.name, "content-length"))
        return take_content_length(header.value);
      break;
    case 17: {
      if (!equals_ignoring_case(header.name, "transfer-encoding")) break;
      bool chunked = has(kHasTransferEncoding);
      set(kHasTransferEncoding);
      return parse_transfer_encoding(header.value, chunked);
    }
    default:
      break;
  }
  return RequestError::kNone;
}

RequestError RequestParser::take_content_length(std::string_view value) {
  if (has(kHasLength)) return RequestError::kRepeatedContentLength;
  set(kHasLength);
  std::uint64_t length = 0;
  const RequestError error = parse_content_length(value, length);
  if (error != RequestError::kNone) return error;
  if (length > limits_->body_bytes_max) return RequestError::kBodyTooLarge;
  body_left_ = static_cast<std::uint32_t>(length);
  return RequestError::kNone;
}

// The empty line: what the headers mean together.
RequestError RequestParser::take_head_end() {
  head_bytes_ = line_start_;
  if (has(kIsHttp11) && !has(kHasHost)) return RequestError::kMissingHost;
  if (has(kHasTransferEncoding)) {
    if (!has(kIsHttp11)) return RequestError::kTransferEncodingOnHttp10;
    if (has(kHasLength)) return RequestError::kLengthAndTransferEncoding;
    state_ = State::kChunkLine;
  } else {
    state_ = body_left_ > 0 ? State::kBody : State::kDone;
  }
  return RequestError::kNone;
}

// --- Body -----------------------------------------------------------------------------------------------------

RequestParser::Progress RequestParser::read_body(Input& in) {
  const std::string_view rest = in.rest();
  const bool none_yet = size_ == 0 || size_ == head_bytes_;
  if (none_yet &&
      rest.size() >=
          body_left_) {  // whole in this input: nothing to copy, even if the head was cut
    in.body = rest.substr(0, body_left_);
    in.at += body_left_;
    state_ = State::kDone;
    return Progress::kComplete;
  }
  keep_head(in);
  const std::string_view piece = rest.substr(0, body_left_);
  append(piece);
  in.at += piece.size();
  body_left_ -= static_cast<std::uint32_t>(piece.size());
  if (body_left_ > 0) return Progress::kNeedMore;
  state_ = State::kDone;
  return Progress::kComplete;
}

// One line of the chunk framing. A line that is cut waits at the end of the buffer and is removed when it was read.
RequestParser::Progress RequestParser::read_chunk_or_trailer_line(Input& in) {
  bool complete = false;
  const std::string_view piece = line_piece(in.rest(), complete);
  const std::size_t line_bytes = size_ - line_start_ + piece.size();
  if (state_ == State::kChunkLine) {
    if (line_bytes > kChunkLineBytesMax) return fail(RequestError::kChunkLineTooLong);
  } else if (overhead_bytes_ + line_bytes > limits_->head_bytes_max) {
    return fail(RequestError::kHeadTooLarge);
  }
  in.at += piece.size();
  if (!complete) {
    append(piece);
    return Progress::kNeedMore;
  }
  std::string_view line = piece;
  if (size_ > line_start_) {
    append(piece);
    line = buffered(line_start_, line_bytes);
  }
  if (!remove_line_end(line)) return fail(RequestError::kBareLf);
  const RequestError error =
      state_ == State::kChunkLine ? take_chunk_line(line) : take_trailer(line);
  if (error != RequestError::kNone) return fail(error);
  size_ = line_start_;
  return Progress::kAgain;
}

RequestError RequestParser::take_chunk_line(std::string_view line) {
  ChunkLine chunk;
  const RequestError error = parse_chunk_line(line, chunk);
  if (error != RequestError::kNone) return error;
  overhead_bytes_ += chunk.extension_bytes;
  if (overhead_bytes_ > limits_->head_bytes_max) return RequestError::kHeadTooLarge;
  const std::uint32_t body_bytes = line_start_ - head_bytes_;
  if (chunk.size > limits_->body_bytes_max - body_bytes) return RequestError::kBodyTooLarge;
  body_left_ = static_cast<std::uint32_t>(chunk.size);
  state_ = chunk.size > 0 ? State::kChunkData : State::kTrailer;
  return RequestError::kNone;
}

// Trailers are checked and dropped: nothing here has a use for them, and merging them into the headers is how
// framing fields get past a check (RFC 9110 §6.5.1).
RequestError RequestParser::take_trailer(std::string_view line) {
  if (line.empty()) {
    state_ = State::kDone;
    return RequestError::kNone;
  }
  if (++headers_ > limits_->headers_max) return RequestError::kTooManyHeaders;
  overhead_bytes_ += static_cast<std::uint32_t>(line.size() + kLineEnd.size());
  Header ignored;
  return parse_field_line(line, ignored);
}

RequestParser::Progress RequestParser::read_chunk_data(Input& in) {
  const std::string_view piece = in.rest().substr(0, body_left_);
  append(piece);
  in.at += piece.size();
  body_left_ -= static_cast<std::uint32_t>(piece.size());
  if (body_left_ > 0) return Progress::kNeedMore;
  state_ = State::kChunkEnd;
  return Progress::kAgain;
}

RequestParser::Progress RequestParser::read_chunk_end(Input& in) {
  while (body_left_ < kLineEnd.size()) {
    if (in.at == in.text.size()) return Progress::kNeedMore;
    if (in.text[in.at] != kLineEnd[body_left_]) return fail(RequestError::kBadChunkEnd);
    ++in.at;
    ++body_left_;
  }
  body_left_ = 0;
  line_start_ = size_;
  state_ = State::kChunkLine;
  return Progress::kAgain;
}

// --- Result and buffer ----------------------------------------------------------------------------------------

RequestParser::Progress RequestParser::fail(RequestError error) {
  free_buffer();
  error_ = error;
  state_ = State::kFailed;
  return Progress::kFailed;
}

void RequestParser::fill(const Input& in, Request& request) const {
  const std::string_view head =
      size_ == 0 ? in.text.substr(in.head_at, head_bytes_) : buffered(0, head_bytes_);
  const std::size_t line_end = head.find('\r');
  RequestLine line;
  const RequestError error = parse_request_line(head.substr(0, line_end), line);
  UPROAR_CHECK(error == RequestError::kNone, error);  // passed when the line was read

  request.method = line.method;
  request.target = line.target;
  request.path = line.path;
  request.query = line.query;
  request.version_minor = line.version_minor;
  request.keep_alive = !has(kSaysClose) && (has(kIsHttp11) || has(kSaysKeepAlive));
  request.expects_continue = has(kExpectsContinue);
  const std::size_t fields_at = line_end + kLineEnd.size();
  request.headers = Headers(head.substr(fields_at, head.size() - fields_at - kLineEnd.size()));
  // RFC 9112 §3.2.2: with an absolute-form target the Host header is ignored.
  request.authority =
      line.authority.empty() ? request.headers.find("host").value_or("") : line.authority;
  const bool assembled = size_ > head_bytes_;
  request.body = as_bytes(assembled ? buffered(head_bytes_, size_ - head_bytes_) : in.body);
}

void RequestParser::keep_head(const Input& in) {
  if (size_ == 0) append(in.text.substr(in.head_at, head_bytes_));
}

void RequestParser::append(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::size_t wanted = size_ + bytes.size();
  if (wanted > capacity_) {
    const std::uint32_t most = limits_->head_bytes_max + limits_->body_bytes_max +
                               std::max(limits_->head_bytes_max, kChunkLineBytesMax);
    UPROAR_CHECK(wanted <= most, wanted, most);  // every caller has checked its limit before
    const std::uint32_t doubled = std::min(std::max(capacity_ * 2, kAssemblyBytesMin), most);
    const std::uint32_t capacity = std::max(doubled, static_cast<std::uint32_t>(wanted));
    std::unique_ptr<char[]> grown(new char[capacity]);  // not make_unique: no need to clear it
    if (size_ > 0) std::memcpy(grown.get(), buffer_.get(), size_);
    buffer_ = std::move(grown);
    capacity_ = capacity;
  }
  std::memcpy(buffer_.get() + size_, bytes.data(), bytes.size());
  size_ = static_cast<std::uint32_t>(wanted);
}

void RequestParser::free_buffer() {
  buffer_.reset();
  size_ = capacity_ = 0;
}

}  // namespace uproar::http
