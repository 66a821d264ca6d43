#include "proto/ws/deflate_offer.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace uproar::ws {
namespace {

constexpr int kDeclined = 0;
constexpr int kUnasked = -1;  // accepted, the answer names no window

// Window bits agreed on, kUnasked or kDeclined.
int agreed(const std::vector<std::string_view>& lines) {
  const auto agreement = negotiate_deflate(lines);
  if (!agreement) return kDeclined;
  if (!agreement->window_was_asked) {
    EXPECT_EQ(agreement->server_max_window_bits, 15);
    return kUnasked;
  }
  return agreement->server_max_window_bits;
}

TEST(DeflateOffer, IsTakenOrDeclinedByItsParameters) {  // RFC 7692 §7.1
  const struct {
    const char* offer;
    int agreed;
  } rows[] = {
      {"permessage-deflate", kUnasked},
      {"permessage-deflate; client_max_window_bits", kUnasked},
      {"permessage-deflate; client_max_window_bits=8", kUnasked},
      {"permessage-deflate;client_max_window_bits=15", kUnasked},
      {"permessage-deflate; server_no_context_takeover; client_no_context_takeover", kUnasked},
      {"permessage-deflate; server_max_window_bits=9", 9},
      {"permessage-deflate; server_max_window_bits=\"10\"", 10},
      {"permessage-deflate ; server_max_window_bits = 15", 15},
      {"permessage-deflate; server_max_window_bits=12; client_max_window_bits=10", 12},
      {" permessage-deflate", kUnasked},
      {"permessage-deflate,", kUnasked},

      {"", kDeclined},
      {"permessage-deflates", kDeclined},
      {"x-webkit-deflate-frame", kDeclined},
      {"permessage-deflate; server_max_window_bits=8", kDeclined},
      {"permessage-deflate; server_max_window_bits", kDeclined},
      {"permessage-deflate; server_max_window_bits=", kDeclined},
      {"permessage-deflate; server_max_window_bits=16", kDeclined},
      {"permessage-deflate; server_max_window_bits=7", kDeclined},
      {"permessage-deflate; server_max_window_bits=09", kDeclined},
      {"permessage-deflate; server_max_window_bits=+9", kDeclined},
      {"permessage-deflate; server_max_window_bits=1 0", kDeclined},
      {"permessage-deflate; server_max_window_bits=\"10", kDeclined},
      {"permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", kDeclined},
      {"permessage-deflate; client_max_window_bits=7", kDeclined},
      {"permessage-deflate; client_max_window_bits=16", kDeclined},
      {"permessage-deflate; client_max_window_bits=", kDeclined},
      {"permessage-deflate; client_max_window_bits; client_max_window_bits", kDeclined},
      {"permessage-deflate; server_no_context_takeover=1", kDeclined},
      {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", kDeclined},
      {"permessage-deflate; client_no_context_takeover=true", kDeclined},
      {"permessage-deflate; client_no_context_takeover; client_no_context_takeover", kDeclined},
      {"permessage-deflate; unknown", kDeclined},
      {"permessage-deflate; unknown=4", kDeclined},
      {"permessage-deflate;", kDeclined},
      {"permessage-deflate;; client_max_window_bits", kDeclined},
      {"permessage-deflate client_max_window_bits", kDeclined},
      {"permessage-deflate=1", kDeclined},
  };
  for (const auto& row : rows) EXPECT_EQ(agreed({row.offer}), row.agreed) << row.offer;
}

TEST(DeflateOffer, GoesOnToTheNextOneAfterADeclinedOne) {
  EXPECT_EQ(agreed({"permessage-deflate; server_max_window_bits=8, permessage-deflate"}), kUnasked);
  EXPECT_EQ(agreed({"permessage-deflate; server_max_window_bits=8",
                    "permessage-deflate; server_max_window_bits=11"}),
            11);
  EXPECT_EQ(
      agreed({"foo; bar=\"a, permessage-deflate\", permessage-deflate; server_max_window_bits=13"}),
      13);
  EXPECT_EQ(agreed({"foo; bar=\"\\\", permessage-deflate"}), kDeclined);  // the quote never ends
  EXPECT_EQ(agreed({",, ,permessage-deflate"}), kUnasked);
  EXPECT_EQ(agreed({"permessage-deflate; server_max_window_bits=10, permessage-deflate"}), 10);
}

TEST(DeflateOffer, IsAnsweredSoThatNoContextIsEverTakenOver) {
  EXPECT_EQ(extension_answer({}),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  EXPECT_EQ(extension_answer({.server_max_window_bits = 10, .window_was_asked = true}),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=10");
}

}  // namespace
}  // namespace uproar::ws
