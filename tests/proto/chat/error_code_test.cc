#include "proto/chat/error_code.h"

#include <set>
#include <string_view>

#include <gtest/gtest.h>

namespace uproar::chat {
namespace {

TEST(ErrorTable, NamesEveryCodeOnce) {
  std::set<std::string_view> names;
  for (const ErrorInfo& info : error_table()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_EQ(error_code_of(info.name), info.code) << info.name;
    EXPECT_EQ(&error_info(info.code), &info) << info.name;
    EXPECT_FALSE(info.message.empty()) << info.name;
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(ErrorCode::kCount));
  EXPECT_EQ(error_code_of("no_such_error"), std::nullopt);
  EXPECT_EQ(error_code_of(""), std::nullopt);
}

TEST(ErrorTable, HasStatusesOfErrorsAndClosesOfOurRanges) {
  for (const ErrorInfo& info : error_table()) {
    EXPECT_GE(info.http_status, 400) << info.name;
    EXPECT_LT(info.http_status, 600) << info.name;
    if (info.close_code != 0) {
      EXPECT_EQ(info.close_code, info.last_close_code) << info.name;
    }
    if (info.last_close_code != 0) {
      EXPECT_TRUE(info.last_close_code == 1011 ||
                  (info.last_close_code >= 4000 && info.last_close_code <= 4499))
          << info.name;
    }
  }
}

TEST(ErrorTable, HasTheCloseCodesOfTheProtocol) {
  const struct {
    ErrorCode code;
    int close;
    int last;
  } cases[] = {
      {ErrorCode::kUnauthorized, 4401, 4401}, {ErrorCode::kTokenExpired, 4101, 4101},
      {ErrorCode::kTokenRevoked, 4102, 4102}, {ErrorCode::kTooManyConnections, 4009, 4009},
      {ErrorCode::kOverloaded, 0, 4200},      {ErrorCode::kSlowReader, 4201, 4201},
      {ErrorCode::kRateLimited, 0, 4202},     {ErrorCode::kHeartbeatTimeout, 4208, 4208},
      {ErrorCode::kDraining, 4300, 4300},     {ErrorCode::kInvalidField, 0, 0},
      {ErrorCode::kUnknownType, 0, 0},        {ErrorCode::kUnavailable, 0, 0},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(error_info(each.code).close_code, each.close) << error_info(each.code).name;
    EXPECT_EQ(error_info(each.code).last_close_code, each.last) << error_info(each.code).name;
  }
}

}  // namespace
}  // namespace uproar::chat
