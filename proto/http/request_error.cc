#include "proto/http/request_error.h"

#include <iterator>

#include "proto/base/check.h"

namespace uproar::http {
namespace {

struct Row {
  RequestError error;
  RequestErrorInfo info;
};

constexpr Row kRequestErrors[] = {
    {RequestError::kNone, {0, ""}},
    {RequestError::kBareLf, {400, "line ends without carriage return"}},
    {RequestError::kBareCr, {400, "carriage return inside a line"}},
    {RequestError::kBadRequestLine, {400, "malformed request line"}},
    {RequestError::kBadMethod, {400, "method is not a token"}},
    {RequestError::kMethodUnsupported, {501, "method not supported"}},
    {RequestError::kBadTarget, {400, "malformed request target"}},
    {RequestError::kBadVersion, {400, "malformed protocol version"}},
    {RequestError::kVersionUnsupported, {505, "protocol version not supported"}},
    {RequestError::kRequestLineTooLong, {414, "request line too long"}},
    {RequestError::kBadHeaderName, {400, "malformed header name"}},
    {RequestError::kSpaceBeforeColon, {400, "white space before the colon of a header"}},
    {RequestError::kObsFold, {400, "folded header line"}},
    {RequestError::kBadHeaderValue, {400, "control character in a header value"}},
    {RequestError::kHeadTooLarge, {431, "headers too large"}},
    {RequestError::kTooManyHeaders, {431, "too many headers"}},
    {RequestError::kMissingHost, {400, "missing Host"}},
    {RequestError::kRepeatedHost, {400, "repeated Host"}},
    {RequestError::kBadHost, {400, "malformed Host"}},
    {RequestError::kBadExpect, {417, "unknown expectation"}},
    {RequestError::kBadContentLength, {400, "malformed Content-Length"}},
    {RequestError::kRepeatedContentLength, {400, "repeated Content-Length"}},
    {RequestError::kBodyTooLarge, {413, "body too large"}},
    {RequestError::kBadTransferEncoding, {400, "malformed Transfer-Encoding"}},
    {RequestError::kUnknownTransferEncoding, {501, "unknown Transfer-Encoding"}},
    {RequestError::kTransferEncodingOnHttp10, {400, "Transfer-Encoding on HTTP/1.0"}},
    {RequestError::kLengthAndTransferEncoding, {400, "Content-Length with Transfer-Encoding"}},
    {RequestError::kBadChunkSize, {400, "malformed chunk size"}},
    {RequestError::kBadChunkExtension, {400, "malformed chunk extension"}},
    {RequestError::kChunkLineTooLong, {400, "chunk size line too long"}},
    {RequestError::kBadChunkEnd, {400, "chunk data without its line end"}},
};

constexpr bool rows_are_in_order() {
  int expected = 0;
  for (const Row& row : kRequestErrors) {
    if (static_cast<int>(row.error) != expected++) return false;
  }
  return expected == kRequestErrorCount;
}
static_assert(rows_are_in_order(), "the table is indexed by the enum");

}  // namespace

const RequestErrorInfo& request_error_info(RequestError error) {
  const auto index = static_cast<std::size_t>(error);
  UPROAR_CHECK(index > 0 && index < std::size(kRequestErrors), index);
  return kRequestErrors[index].info;
}

}  // namespace uproar::http
