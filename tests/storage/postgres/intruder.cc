#include "tests/storage/postgres/intruder.h"

#include <gtest/gtest.h>
#include <libpq-fe.h>

namespace uproar::storage {

Intruder::Intruder(const std::string& url) : connection_(PQconnectdb(url.c_str())) {}

void Intruder::run(const char* sql) {
  PGresult* result = PQexec(connection_.get(), sql);
  EXPECT_EQ(PQresultStatus(result), PGRES_COMMAND_OK) << PQerrorMessage(connection_.get());
  PQclear(result);
}

void Intruder::start(const char* sql) {
  EXPECT_EQ(PQsendQuery(connection_.get(), sql), 1);
}

}  // namespace uproar::storage
