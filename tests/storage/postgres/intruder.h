#pragma once

// Somebody else's session, which holds locks for as long as it lives.

#include <string>

#include "storage/postgres/connector.h"

namespace uproar::storage {

class Intruder {
 public:
  explicit Intruder(const std::string& url);

  // Fails the test when it does not work.
  void run(const char* sql);
  // Does not wait for its end.
  void start(const char* sql);
  void end() { connection_.reset(); }

 private:
  postgres::ConnectionPtr connection_;
};

}  // namespace uproar::storage
