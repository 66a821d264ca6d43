#pragma once

// What the server says when something fails, for those who run it: its own words and SQLSTATE, and what mends it. Never
// a password, and no values of rows: those are in the detail of an error, which is left out.

#include <string>

#include "proto/base/result.h"

struct pg_result;  // PGresult of libpq

namespace uproar::storage::postgres {

// https://www.postgresql.org/docs/current/errcodes-appendix.html
namespace sqlstate {
inline constexpr const char* kReadOnly = "25006";  // read_only_sql_transaction
inline constexpr const char* kInUse = "55006";     // object_in_use: of node_lock.h
}  // namespace sqlstate

struct Failure {
  std::string
      sqlstate{};  // empty: unknown, as libpq does not tell it of a session that did not begin, or that ended
  std::string words{};  // one line
};

Failure failure_of(const pg_result* result);
// Of PQerrorMessage(), which has several lines.
Failure failure_of(const char* words);

// "postgres://user@host:port/database"; the password is left out.
std::string describe_server(const std::string& url);
// The error names the server, repeats its words, and its hint is what mends that kind of failure, where it is known.
SystemError describe_failure(const std::string& url, std::string operation, const Failure& failure);
SystemError describe_failure(const std::string& url, std::string operation, const char* words);

// The server has as many sessions as it may have, or as the role or the database may.
bool is_no_room(const SystemError& error);
// Another node is there that this one does not go with (node_lock.h).
bool is_in_use(const SystemError& error);

}  // namespace uproar::storage::postgres
