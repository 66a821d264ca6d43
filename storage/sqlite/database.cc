#include "storage/sqlite/database.h"

#include <sys/stat.h>

#include <cerrno>
#include <string_view>

#include "storage/file_remedy.h"
#include "storage/sqlite/limits.h"

namespace uproar::storage::sqlite {
namespace {

// What the system has said about a file is more than what SQLite makes of it: a full disk may be an
// "I/O error", too few descriptors "unable to open".
std::string hint_for(ErrorCode code, int system_errno, const std::string& path) {
  const bool is_of_file = (code & 0xFF) == SQLITE_IOERR || (code & 0xFF) == SQLITE_CANTOPEN;
  if (is_of_file && system_errno != 0) {
    if (std::string remedy = file_remedy(system_errno, folder_of(path)); !remedy.empty())
      return remedy;
  }
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return file_remedy(ENOSPC, folder_of(path));
    case SQLITE_READONLY:
      return "make the file and its folder writable for the server's user";
    case SQLITE_CANTOPEN:
      return "check that the folder exists and belongs to the server's user";
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return "give the server's user the right to read and write the file";
    case SQLITE_NOTADB:
      return "this is no SQLite file; choose another --data folder";
    case SQLITE_CORRUPT:
      return "restore from a backup, or rescue what is readable with: sqlite3 FILE .recover";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another program holds the database; end it: fuser " + path + " names it";
    case SQLITE_IOERR:
      return "look at the kernel log for disk errors, and at file size limits (ulimit -f)";
    default:
      return "";
  }
}

// As SQLite reads it in a file: URI.
std::string uri_of(const std::string& path) {
  std::string out = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      constexpr std::string_view kHex = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      out += c;
    }
  }
  return out;
}

bool has_bytes(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && found.st_size != 0;
}

}  // namespace

Result<Database, SystemError> Database::open_to_look(const std::string& path) {
  // What a server that was killed had committed is in its log, which is read only beside a file that may change. Without
  // a log nothing has to be made beside the file, so it may lie where nobody can write.
  const bool has_log = has_bytes(path + "-wal");
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(
      (uri_of(path) + (has_log ? "?mode=ro" : "?immutable=1")).c_str(), &handle,
      SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  Database database(handle);
  if (code == SQLITE_OK) {
    sqlite3_busy_timeout(handle, kBusyTimeoutMs);
    database.exec("PRAGMA trusted_schema=OFF; PRAGMA query_only=ON;");
    database.read_int("PRAGMA schema_version");
  } else {
    database.fail(code);
  }
  if (!database.ok()) return Err{database.describe_error("open", path)};
  return database;
}

Result<Database, SystemError> Database::open(const std::string& path, const Options& options) {
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, options.vfs);
  Database database(handle);
  if (code != SQLITE_OK) {
    database.fail(code);
    return Err{database.describe_error("open", path)};
  }
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  // The first statement that touches the file finds out whether it is a database at all.
  database.read_int("PRAGMA schema_version");
  // WAL: readers never wait for the writer. FULL: the log is synced before COMMIT returns, so what was reported
  // committed survives a kill and a power cut; NORMAL would only promise the former.
  database.exec(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA "
      "trusted_schema=OFF;");
  database.exec(("PRAGMA cache_size=-" + std::to_string(options.cache_kib)).c_str());
  database.exec(("PRAGMA journal_size_limit=" + std::to_string(kWalBytesKept)).c_str());
  if (options.pages_max != 0) {
    database.exec(("PRAGMA max_page_count=" + std::to_string(options.pages_max)).c_str());
  }
  if (options.query_only) database.exec("PRAGMA query_only=ON");
  if (!database.ok()) return Err{database.describe_error("open", path)};
  return database;
}

Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)),
      error_(other.error_),
      system_errno_(other.system_errno_),
      message_(std::move(other.message_)) {}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(error_, other.error_);
  std::swap(system_errno_, other.system_errno_);
  std::swap(message_, other.message_);
  return *this;
}

Database::~Database() {
  sqlite3_close_v2(handle_);
}

bool Database::exec(const char* sql) {
  if (!ok()) return false;
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
  return ok();
}

std::int64_t Database::read_int(const char* sql) {
  Statement statement(*this, sql);
  Rows rows = statement.query();
  return rows.next() ? rows.i64(0) : 0;
}

void Database::fail(ErrorCode code) {
  if (!ok()) return;
  error_ = code;
  system_errno_ = handle_ == nullptr ? 0 : sqlite3_system_errno(handle_);
  message_ = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
}

void Database::clear_error() {
  error_ = SQLITE_OK;
  system_errno_ = 0;
  message_.clear();
}

SystemError Database::describe_error(std::string operation, const std::string& path) const {
  return {.operation = std::move(operation),
          .subject = path + " (sqlite " + std::to_string(error_) + ": " + message_ + ")",
          .code = system_errno_,
          .hint = hint_for(error_, system_errno_, path)};
}

bool Rows::next() {
  if (!database_.ok() || statement_ == nullptr) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.fail(code);
  return false;
}

std::string_view Rows::bytes(int column) const {
  // column_blob of a TEXT value gives its bytes as they are; a null pointer stands for zero bytes.
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string_view()
                         : std::string_view(data, static_cast<std::size_t>(size));
}

Statement::Statement(Database& database, const char* sql) : database_(database) {
  if (!database_.ok()) return;
  const int code = sqlite3_prepare_v3(database_.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT,
                                      &statement_, nullptr);
  if (code != SQLITE_OK) database_.fail(code);
}

void Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL: an empty view may have one.
  const char* data = text.data() == nullptr ? "" : text.data();
  check(sqlite3_bind_text64(statement_, index, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::bind(int index, Blob blob) {
  if (blob.bytes.empty()) {
    check(sqlite3_bind_zeroblob(statement_, index, 0));
    return;
  }
  check(sqlite3_bind_blob64(statement_, index, blob.bytes.data(), blob.bytes.size(),
                            SQLITE_TRANSIENT));
}

void Statement::bind(int index, TextOrNull value) {
  if (value.text.empty()) {
    bind(index, Null());
  } else {
    bind(index, value.text);
  }
}

}  // namespace uproar::storage::sqlite
