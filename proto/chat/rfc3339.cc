// Hot path: per publish. Allocations: 0.
#include "proto/chat/rfc3339.h"

#include <algorithm>

namespace uproar::chat {
namespace {

constexpr std::int64_t kUsPerSecond = 1'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kFirstSecond = -62'167'219'200;  // 0000-01-01T00:00:00Z
constexpr std::int64_t kLastSecond = 253'402'300'799;   // 9999-12-31T23:59:59Z

// Days are counted in 400-year eras that begin on a 1st of March: then the leap day is the last day of a year and months
// have a linear formula. 719,468 days lie between 0000-03-01 and 1970-01-01.
constexpr std::int64_t kDaysToEpoch = 719'468;
constexpr std::int64_t kDaysPerEra = 146'097;

struct Date {
  std::int64_t year;
  unsigned month;
  unsigned day;
};

constexpr Date date_of(std::int64_t days_since_epoch) {
  const std::int64_t days = days_since_epoch + kDaysToEpoch;
  const std::int64_t era = (days >= 0 ? days : days - (kDaysPerEra - 1)) / kDaysPerEra;
  const auto day_of_era = static_cast<unsigned>(days - era * kDaysPerEra);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted_month = (5 * day_of_year + 2) / 153;  // 0 is March
  const unsigned month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {.year = static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0),
          .month = month,
          .day = day_of_year - (153 * shifted_month + 2) / 5 + 1};
}

constexpr std::int64_t days_of(const Date& date) {
  const std::int64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned shifted_month = date.month > 2 ? date.month - 3 : date.month + 9;
  const unsigned day_of_year = (153 * shifted_month + 2) / 5 + date.day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * kDaysPerEra + static_cast<std::int64_t>(day_of_era) - kDaysToEpoch;
}
static_assert(days_of({1970, 1, 1}) == 0);
static_assert(date_of(0).year == 1970 && date_of(0).month == 1 && date_of(0).day == 1);
static_assert(days_of({0, 1, 1}) * kSecondsPerDay == kFirstSecond);
static_assert(days_of({9999, 12, 31}) * kSecondsPerDay + kSecondsPerDay - 1 == kLastSecond);

constexpr unsigned days_in_month(std::int64_t year, unsigned month) {
  constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return kDays[month - 1] + (month == 2 && leap ? 1U : 0U);
}

void write_digits(char* out, unsigned value, unsigned digits) {
  for (unsigned i = digits; i > 0; --i) {
    out[i - 1] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

// Reads fixed-width decimal fields off the front of a text.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool digits(unsigned count, unsigned& value) {
    if (rest_.size() < count) return false;
    value = 0;
    for (unsigned i = 0; i < count; ++i) {
      if (!is_digit(rest_[i])) return false;
      value = value * 10 + static_cast<unsigned>(rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return true;
  }
  bool literal(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool next_is_digit() const { return !rest_.empty() && is_digit(rest_.front()); }
  bool done() const { return rest_.empty(); }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  std::string_view rest_;
};

}  // namespace

void write_rfc3339(std::int64_t unix_us, char* out) {
  std::int64_t seconds = unix_us / kUsPerSecond;
  std::int64_t microseconds = unix_us % kUsPerSecond;
  if (microseconds < 0) {
    microseconds += kUsPerSecond;
    --seconds;
  }
  seconds = std::clamp(seconds, kFirstSecond, kLastSecond);
  std::int64_t days = seconds / kSecondsPerDay;
  std::int64_t of_day = seconds % kSecondsPerDay;
  if (of_day < 0) {
    of_day += kSecondsPerDay;
    --days;
  }
  const Date date = date_of(days);
  const auto second_of_day = static_cast<unsigned>(of_day);
  write_digits(out, static_cast<unsigned>(date.year), 4);
  out[4] = '-';
  write_digits(out + 5, date.month, 2);
  out[7] = '-';
  write_digits(out + 8, date.day, 2);
  out[10] = 'T';
  write_digits(out + 11, second_of_day / 3600, 2);
  out[13] = ':';
  write_digits(out + 14, second_of_day / 60 % 60, 2);
  out[16] = ':';
  write_digits(out + 17, second_of_day % 60, 2);
  out[19] = '.';
  write_digits(out + 20, static_cast<unsigned>(microseconds / 1000), 3);
  out[23] = 'Z';
}

std::string rfc3339(std::int64_t unix_us) {
  std::string out(kRfc3339Bytes, '\0');
  write_rfc3339(unix_us, out.data());
  return out;
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  Reader in(text);
  unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!in.digits(4, year) || !in.literal('-') || !in.digits(2, month) || !in.literal('-') ||
      !in.digits(2, day)) {
    return std::nullopt;
  }
  if (!in.literal('T') && !in.literal('t')) return std::nullopt;
  if (!in.digits(2, hour) || !in.literal(':') || !in.digits(2, minute) || !in.literal(':') ||
      !in.digits(2, second)) {
    return std::nullopt;
  }
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return std::nullopt;
  if (hour > 23 || minute > 59 || second > 60) return std::nullopt;

  std::int64_t microseconds = 0;
  if (in.literal('.')) {
    std::int64_t unit = kUsPerSecond / 10;
    unsigned count = 0;
    for (unsigned digit = 0; in.next_is_digit(); ++count, unit /= 10) {
      if (!in.digits(1, digit)) return std::nullopt;
      microseconds += static_cast<std::int64_t>(digit) * unit;  // unit is 0 after six digits
    }
    if (count < 1 || count > 9) return std::nullopt;
  }

  std::int64_t offset_seconds = 0;
  if (!in.literal('Z') && !in.literal('z')) {
    const bool east = in.literal('+');
    unsigned offset_hour = 0, offset_minute = 0;
    if (!east && !in.literal('-')) return std::nullopt;
    if (!in.digits(2, offset_hour) || !in.literal(':') || !in.digits(2, offset_minute))
      return std::nullopt;
    if (offset_hour > 23 || offset_minute > 59) return std::nullopt;
    offset_seconds = static_cast<std::int64_t>(offset_hour) * 3600 +
                     static_cast<std::int64_t>(offset_minute) * 60;
    if (!east) offset_seconds = -offset_seconds;
  }
  if (!in.done()) return std::nullopt;

  const std::int64_t days =
      days_of({.year = static_cast<std::int64_t>(year), .month = month, .day = day});
  const std::int64_t seconds = days * kSecondsPerDay + static_cast<std::int64_t>(hour) * 3600 +
                               static_cast<std::int64_t>(minute) * 60 +
                               static_cast<std::int64_t>(second) - offset_seconds;
  return seconds * kUsPerSecond + microseconds;
}

}  // namespace uproar::chat
