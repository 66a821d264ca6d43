#pragma once

// How the tests of the decoder ask: text in which $C, $A, $B, $M stand for ids (json_text.h), and what it must become.

#include <string>
#include <string_view>
#include <variant>

#include <gtest/gtest.h>

#include "proto/chat/client_event_decoder.h"
#include "tests/proto/chat/json_text.h"

namespace uproar::chat::testing {

template <class Command>
Command decoded(std::string_view text) {
  const auto result = decode(with_ids(text));
  EXPECT_TRUE(result.ok()) << text << ": "
                           << (result.ok() ? "" : result.error().error.detail.text().view());
  if (!result.ok()) return {};
  const auto* command = std::get_if<Command>(&result.value().event);
  EXPECT_NE(command, nullptr) << text;
  return command != nullptr ? *command : Command{};
}

// `names`: what stands in the error's detail.
inline void expect_error(std::string_view text, ErrorCode code, std::string_view names = {}) {
  const auto result = decode(with_ids(text));
  ASSERT_FALSE(result.ok()) << text.substr(0, 200);
  EXPECT_EQ(error_info(result.error().error.code).name, error_info(code).name)
      << text.substr(0, 200);
  EXPECT_NE(result.error().error.detail.text().view().find(names), std::string_view::npos)
      << text.substr(0, 200) << ": " << result.error().error.detail.text().view() << " should name "
      << names;
}

inline std::string repeated(std::string_view text, std::size_t count,
                            std::string_view separator = ",") {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out.append(separator);
    out.append(text);
  }
  return out;
}

}  // namespace uproar::chat::testing
