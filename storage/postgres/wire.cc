#include "storage/postgres/wire.h"

#include <algorithm>
#include <limits>

#include <libpq-fe.h>

#include "proto/base/check.h"

namespace uproar::storage::postgres {
namespace {

constexpr std::size_t kArrayHeadBytes = 20;

template <class Integer>
void append_integer(std::string& out, Integer value) {
  char bytes[sizeof(Integer)];
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    bytes[i] = static_cast<char>(value >> (8 * (sizeof(Integer) - 1 - i)));
  out.append(bytes, sizeof(bytes));
}

template <class Integer>
Integer read_integer(const char* bytes) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    value = static_cast<Integer>((value << 8) | static_cast<unsigned char>(bytes[i]));
  return value;
}

std::uint64_t clamped(std::uint64_t value) {
  return std::min<std::uint64_t>(value, std::numeric_limits<std::int64_t>::max());
}

std::uint64_t wire_time(std::int64_t unix_us) {
  return static_cast<std::uint64_t>(unix_us) - static_cast<std::uint64_t>(kEpochShiftUs);
}

}  // namespace

Column::Column(Type type) : type_(type) {
  bytes_.resize(kArrayHeadBytes);
}

void Column::add(const Uuid& uuid) {
  append_integer<std::uint32_t>(bytes_, Uuid::kBinaryBytes);
  append_integer(bytes_, uuid.high);
  append_integer(bytes_, uuid.low);
  ++count_;
}

void Column::add_bool(bool value) {
  append_integer<std::uint32_t>(bytes_, 1);
  bytes_.push_back(value ? 1 : 0);
  ++count_;
}

void Column::add_int8(std::uint64_t value) {
  append_integer<std::uint32_t>(bytes_, 8);
  append_integer(bytes_, clamped(value));
  ++count_;
}

void Column::add_int2(std::uint64_t value) {
  append_integer<std::uint32_t>(bytes_, 2);
  append_integer(bytes_, static_cast<std::uint16_t>(value));
  ++count_;
}

void Column::add_bytes(std::string_view bytes) {
  append_integer(bytes_, static_cast<std::uint32_t>(bytes.size()));
  bytes_.append(bytes);
  ++count_;
}

void Column::add_time(std::int64_t unix_us) {
  append_integer<std::uint32_t>(bytes_, 8);
  append_integer(bytes_, wire_time(unix_us));
  ++count_;
}

void Column::add_time_or_null(std::int64_t unix_us) {
  if (unix_us == 0) return add_null();
  add_time(unix_us);
}

void Column::add_null() {
  append_integer(bytes_, ~std::uint32_t{0});
  has_nulls_ = true;
  ++count_;
}

std::string Column::take() {
  std::string head;
  append_integer<std::uint32_t>(head, count_ == 0 ? 0 : 1);
  append_integer<std::uint32_t>(head, has_nulls_ ? 1 : 0);
  append_integer(head, static_cast<std::uint32_t>(type_));
  if (count_ == 0) return head;
  append_integer(head, count_);
  append_integer<std::uint32_t>(head, 1);
  UPROAR_CHECK(head.size() == kArrayHeadBytes);
  head.copy(bytes_.data(), kArrayHeadBytes);
  count_ = 0;
  return std::move(bytes_);
}

Params& Params::add(const Uuid& uuid) {
  std::string bytes;
  append_integer(bytes, uuid.high);
  append_integer(bytes, uuid.low);
  values_.push_back({.bytes = std::move(bytes)});
  return *this;
}

Params& Params::add_int8(std::uint64_t value) {
  std::string bytes;
  append_integer(bytes, clamped(value));
  values_.push_back({.bytes = std::move(bytes)});
  return *this;
}

Params& Params::add_text(std::string_view text) {
  values_.push_back({.bytes = std::string(text)});
  return *this;
}

Params& Params::add_time(std::int64_t unix_us) {
  std::string bytes;
  append_integer(bytes, wire_time(unix_us));
  values_.push_back({.bytes = std::move(bytes)});
  return *this;
}

Params& Params::add_null() {
  values_.push_back({.bytes = {}, .is_null = true});
  return *this;
}

Params& Params::add(Column&& column) {
  values_.push_back({.bytes = column.take()});
  return *this;
}

Params::Pointers Params::pointers() const {
  Pointers out;
  for (const Value& value : values_) {
    out.values.push_back(value.is_null ? nullptr : value.bytes.data());
    out.lengths.push_back(static_cast<int>(value.bytes.size()));
    out.formats.push_back(1);
  }
  return out;
}

void Rows::Clear::operator()(pg_result* result) const {
  PQclear(result);
}

int Rows::count() const {
  return result_ ? PQntuples(result_.get()) : 0;
}

bool Rows::is_null(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}

std::string_view Rows::bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::uint64_t Rows::int8(int row, int column) const {
  const std::string_view value = bytes(row, column);
  if (value.empty()) return 0;
  UPROAR_CHECK(value.size() == 8, column, value.size());
  return read_integer<std::uint64_t>(value.data());
}

std::uint16_t Rows::int2(int row, int column) const {
  const std::string_view value = bytes(row, column);
  if (value.empty()) return 0;
  UPROAR_CHECK(value.size() == 2, column, value.size());
  return read_integer<std::uint16_t>(value.data());
}

bool Rows::boolean(int row, int column) const {
  const std::string_view value = bytes(row, column);
  return !value.empty() && value[0] != 0;
}

std::int64_t Rows::time(int row, int column) const {
  if (is_null(row, column)) return 0;
  return static_cast<std::int64_t>(int8(row, column) + static_cast<std::uint64_t>(kEpochShiftUs));
}

Uuid Rows::uuid(int row, int column) const {
  const std::string_view value = bytes(row, column);
  if (value.empty()) return {};
  UPROAR_CHECK(value.size() == Uuid::kBinaryBytes, column, value.size());
  return Uuid::from_bytes(value.data());
}

std::vector<std::string_view> Rows::array(int row, int column) const {
  std::vector<std::string_view> out;
  std::string_view rest = bytes(row, column);
  if (rest.size() < kArrayHeadBytes) return out;  // NULL, or empty: no dimensions
  const auto count = read_integer<std::uint32_t>(rest.data() + 12);
  rest.remove_prefix(kArrayHeadBytes);
  out.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    UPROAR_CHECK(rest.size() >= 4, column, i);
    const auto size = read_integer<std::uint32_t>(rest.data());
    rest.remove_prefix(4);
    UPROAR_CHECK(rest.size() >= size, column, i);
    out.push_back(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  return out;
}

}  // namespace uproar::storage::postgres
