#pragma once

// Who a request is from, as the proxies before us say: Forwarded (RFC 7239) and X-Forwarded-For. Pure.
//
// Each proxy appends whom it heard. So the lists are read from their end, the hop nearest to us first, and only as far as
// the hops are trusted: the first address that is no trusted proxy's is the client. What stands to the left of it was
// said by that client, and is not even looked at: whatever it is, it changes nothing.

#include <cstdint>
#include <span>
#include <string_view>

#include "proto/base/ip_address.h"
#include "proto/base/result.h"
#include "proto/http/headers.h"

namespace uproar::http {

enum class ForwardedError : std::uint8_t {
  kMalformed,  // what a trusted proxy appended cannot be read
  kTooLong,    // more than kForwardedLinesMax lines or kForwardedHopsMax trusted hops
  // Both headers are there and name two clients. A proxy writes one of them and passes the other on as a client sent
  // it; which is which cannot be seen, so neither is believed.
  kConflict,
};

// For people: what is wrong and what to do. Static text.
[[nodiscard]] std::string_view forwarded_error_text(ForwardedError error);

// REQUIRES: `peer`, who sent the request to us, is in `trusted`.
// Without either header, and where a proxy does not say who it heard ("unknown", "_hidden", an element without "for"),
// the nearest address that is known: of that proxy. When all are trusted, the farthest.
[[nodiscard]] Result<IpAddress, ForwardedError> forwarded_client(
    const Headers& headers, const IpAddress& peer, std::span<const IpNetwork> trusted);

}  // namespace uproar::http
