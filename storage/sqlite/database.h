#pragma once

// Thin names over the C interface: one connection, prepared statements, rows. Used by one thread at a time.
//
// Errors are sticky. The first one stays in error() until clear_error(), and meanwhile statements neither run nor
// yield rows. So a function made of ten statements is written straight down and asks once, at its end.

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <sqlite3.h>

#include "proto/base/result.h"
#include "proto/base/uuid.h"

namespace uproar::storage::sqlite {

// Extended result code of SQLite; 0 is well.
using ErrorCode = int;

class Database {
 public:
  struct Options {
    const char* vfs = nullptr;  // null: the system's
    bool query_only = false;
    int cache_kib = 2048;
    std::uint32_t pages_max = 0;  // 0: SQLite's own limit
  };
  // Opens an existing or empty file. `hint` of the error says what may mend it.
  static Result<Database, SystemError> open(const std::string& path, const Options& options);
  // Opens a file that nobody writes to meanwhile (the caller holds the folder's lock), to look at it. Neither the file
  // nor its log is changed; an index of the log (-shm) may appear beside them.
  static Result<Database, SystemError> open_to_look(const std::string& path);

  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  ~Database();

  // Several statements, no rows. False when it failed, now or before.
  bool exec(const char* sql);
  // The single integer that `sql` yields, 0 when it fails.
  std::int64_t read_int(const char* sql);

  [[nodiscard]] bool ok() const { return error_ == SQLITE_OK; }
  [[nodiscard]] ErrorCode error() const { return error_; }
  // One line on the first error: what SQLite says, and errno where the file system said no.
  [[nodiscard]] SystemError describe_error(std::string operation, const std::string& path) const;
  void clear_error();
  void fail(ErrorCode code);

  [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  [[nodiscard]] int changes() const { return sqlite3_changes(handle_); }
  // Since the connection was opened.
  [[nodiscard]] std::int64_t total_changes() const { return sqlite3_total_changes64(handle_); }
  [[nodiscard]] sqlite3* handle() const { return handle_; }

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}

  sqlite3* handle_;
  ErrorCode error_ = SQLITE_OK;
  int system_errno_ = 0;
  std::string message_;
};

// The rows of one execution; resets its statement when it dies, so that no read stays open by accident.
class Rows {
 public:
  Rows(Database& database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
  ~Rows() { sqlite3_reset(statement_); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  // Steps to the next row; false at the end and on errors.
  [[nodiscard]] bool next();

  [[nodiscard]] bool is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  [[nodiscard]] std::int64_t i64(int column) const {
    return sqlite3_column_int64(statement_, column);
  }
  [[nodiscard]] std::uint64_t u64(int column) const {
    return static_cast<std::uint64_t>(i64(column));
  }
  template <class Enum>
  [[nodiscard]] Enum as(int column) const {
    return static_cast<Enum>(i64(column));
  }
  // Dies with the next next().
  [[nodiscard]] std::string_view bytes(int column) const;
  [[nodiscard]] std::string text(int column) const { return std::string(bytes(column)); }
  // Nil for NULL and for anything that is not 16 bytes.
  template <class Id>
  [[nodiscard]] Id id(int column) const {
    const std::string_view blob = bytes(column);
    return blob.size() == Uuid::kBinaryBytes ? Id(Uuid::from_bytes(blob.data())) : Id();
  }

 private:
  Database& database_;
  sqlite3_stmt* statement_;
};

struct Null {};
struct Blob {
  std::string_view bytes;
};
// NULL when empty.
struct TextOrNull {
  std::string_view text;
};

class Statement {
 public:
  // Prepares `sql` for many runs. A failure is the database's error.
  Statement(Database& database, const char* sql);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  // Executes to the end. False when it failed, now or before.
  template <class... Values>
  bool run(const Values&... values) {
    Rows rows = query(values...);
    while (rows.next()) {
    }
    return database_.ok();
  }
  // Values are copied where they are not numbers, so they may die before the rows do.
  template <class... Values>
  [[nodiscard]] Rows query(const Values&... values) {
    int index = 0;
    if (statement_ != nullptr) (bind(++index, values), ...);
    return Rows(database_, statement_);
  }

 private:
  template <std::integral T>
  void bind(int index, T value) {
    check(sqlite3_bind_int64(statement_, index, static_cast<std::int64_t>(value)));
  }
  template <class T>
  requires std::is_enum_v<T>
  void bind(int index, T value) {
    check(sqlite3_bind_int64(statement_, index, static_cast<std::int64_t>(value)));
  }
  template <class Tag>
  void bind(int index, const StrongId<Tag>& id) {
    char bytes[Uuid::kBinaryBytes];
    id.uuid().write_bytes(bytes);
    bind(index, Blob{{bytes, sizeof(bytes)}});
  }
  void bind(int index, std::string_view text);
  void bind(int index, Blob blob);
  void bind(int index, TextOrNull value);
  template <class T>
  void bind(int index, const std::optional<T>& value) {
    if (value) return bind(index, *value);
    bind(index, Null());
  }
  void bind(int index, Null) { check(sqlite3_bind_null(statement_, index)); }
  void check(int code) {
    if (code != SQLITE_OK) database_.fail(code);
  }

  Database& database_;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace uproar::storage::sqlite
