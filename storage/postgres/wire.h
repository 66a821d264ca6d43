#pragma once

// Values in the server's binary format: parameters out, columns of a result in. Everything is big-endian; arrays carry
// a head of five numbers (dimensions, has nulls, element type, length, lower bound) before their elements.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/uuid.h"

struct pg_result;  // PGresult of libpq

namespace uproar::storage::postgres {

// Times are timestamptz: microseconds since 2000-01-01 UTC on the wire, since 1970 everywhere else.
inline constexpr std::int64_t kEpochShiftUs = 946'684'800'000'000;

// From pg_type.dat; these are fixed for ever.
enum class Type : std::uint32_t {
  kBool = 16,
  kBytes = 17,
  kInt8 = 20,
  kInt2 = 21,
  kText = 25,
  kTime = 1184,
  kUuid = 2950,
};

// One parameter that is an array: a column of the rows that a statement unnests.
class Column {
 public:
  explicit Column(Type type);

  void add(const Uuid& uuid);
  template <class Tag>
  void add(const StrongId<Tag>& id) {
    add(id.uuid());
  }
  void add_bool(bool value);
  void add_int8(std::uint64_t value);  // what does not fit a bigint becomes the largest
  void add_int2(std::uint64_t value);
  void add_text(std::string_view text) { add_bytes(text); }
  void add_bytes(std::string_view bytes);
  void add_time(std::int64_t unix_us);
  // 0 is NULL: "not", "never".
  void add_time_or_null(std::int64_t unix_us);
  void add_null();

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::uint32_t size() const { return count_; }
  // The parameter; the column is empty after it.
  [[nodiscard]] std::string take();

 private:
  Type type_;
  std::uint32_t count_ = 0;
  bool has_nulls_ = false;
  std::string bytes_;
};

// The parameters of one statement, in order.
class Params {
 public:
  Params& add(const Uuid& uuid);
  template <class Tag>
  Params& add(const StrongId<Tag>& id) {
    return add(id.uuid());
  }
  Params& add_int8(std::uint64_t value);
  Params& add_text(std::string_view text);
  Params& add_bytes(std::string_view bytes) { return add_text(bytes); }
  Params& add_time(std::int64_t unix_us);
  Params& add_null();
  Params& add(Column&& column);

  [[nodiscard]] int size() const { return static_cast<int>(values_.size()); }
  // As PQsendQueryPrepared wants them; they live as long as this object is not changed.
  struct Pointers {
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
  };
  [[nodiscard]] Pointers pointers() const;

 private:
  struct Value {
    std::string bytes;
    bool is_null = false;
  };
  std::vector<Value> values_;
};

// The rows of one statement. Columns are binary and must have the type that is asked for: the statements and their
// readers are written side by side.
class Rows {
 public:
  Rows() = default;
  explicit Rows(pg_result* result) : result_(result) {}

  [[nodiscard]] int count() const;
  [[nodiscard]] bool is_null(int row, int column) const;
  [[nodiscard]] std::uint64_t int8(int row, int column) const;  // NULL: 0
  [[nodiscard]] std::uint16_t int2(int row, int column) const;  // NULL: 0
  [[nodiscard]] bool boolean(int row, int column) const;
  [[nodiscard]] std::int64_t time(int row, int column) const;       // NULL: 0
  [[nodiscard]] std::string_view bytes(int row, int column) const;  // dies with the Rows
  [[nodiscard]] std::string text(int row, int column) const {
    return std::string(bytes(row, column));
  }
  template <class Id>
  [[nodiscard]] Id id(int row, int column) const {  // NULL: nil
    return Id(uuid(row, column));
  }
  template <class Enum>
  [[nodiscard]] Enum as(int row, int column) const {
    return static_cast<Enum>(int2(row, column));
  }
  // Elements of an array without NULLs; each dies with the Rows.
  [[nodiscard]] std::vector<std::string_view> array(int row, int column) const;

 private:
  [[nodiscard]] Uuid uuid(int row, int column) const;

  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

}  // namespace uproar::storage::postgres
