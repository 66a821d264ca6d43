#include "proto/http/date.h"

#include <chrono>

#include "proto/base/check.h"

namespace uproar::http {
namespace {

constexpr std::int64_t kEndOfYear9999 = 253'402'300'800;
constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

char* put(char* out, std::string_view text) {
  for (const char c : text) *out++ = c;
  return out;
}

char* put_two_digits(char* out, std::int64_t number) {
  *out++ = static_cast<char>('0' + number / 10 % 10);
  *out++ = static_cast<char>('0' + number % 10);
  return out;
}

}  // namespace

HttpDate http_date(std::int64_t unix_seconds) {
  UPROAR_CHECK(unix_seconds >= 0 && unix_seconds < kEndOfYear9999, unix_seconds);
  const std::chrono::sys_days day{std::chrono::days(unix_seconds / 86'400)};
  const std::int64_t second = unix_seconds % 86'400;
  const std::chrono::year_month_day date(day);
  const std::size_t month = static_cast<unsigned>(date.month()) - 1;
  const int year = static_cast<int>(date.year());

  HttpDate result;
  char* out = result.text.data();
  out = put(out, kDays.substr(std::size_t{std::chrono::weekday(day).c_encoding()} * 3, 3));
  out = put(out, ", ");
  out = put_two_digits(out, static_cast<unsigned>(date.day()));
  out = put(out, " ");
  out = put(out, kMonths.substr(month * 3, 3));
  out = put(out, " ");
  out = put_two_digits(out, year / 100);
  out = put_two_digits(out, year % 100);
  out = put(out, " ");
  out = put_two_digits(out, second / 3600);
  out = put(out, ":");
  out = put_two_digits(out, second / 60 % 60);
  out = put(out, ":");
  out = put_two_digits(out, second % 60);
  out = put(out, " GMT");
  UPROAR_CHECK(out == result.text.data() + result.text.size());
  return result;
}

}  // namespace uproar::http
