#pragma once

// A real PostgreSQL server in a temporary folder, which a test starts, stops, kills and stops answering. It listens on a
// socket in that folder, so that any number of them run side by side, and on a TCP port when asked. As root it runs as
// the user postgres. It dies with the process that started it, and its folder is removed with this object.
//
// Programs that are missing end the test with what installs them: a test that was not run counts for nothing.

#include <sys/types.h>

#include <string>

#include "tests/storage/contract.h"

namespace uproar::storage {

class PostgresServer {
 public:
  struct Options {
    bool fsync = false;  // off: tests that do not cut the power need no disk
    int port = 0;        // 0: no TCP
  };
  PostgresServer() : PostgresServer(Options{}) {}
  explicit PostgresServer(Options options);
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // The server of this process, started when first asked for.
  static PostgresServer& shared();

  // An empty database of a new name; the URL is of the superuser.
  std::string make_database() { return make_database("strategy file_copy"); }
  std::string make_database(const std::string& options);
  // A copy of `url`'s database, which nobody may use meanwhile.
  std::string copy_database(const std::string& url);
  void drop_database(const std::string& url);

  // Waits until the server answers.
  void start();
  void stop();    // fast: sessions are ended, everything is written
  void kill();    // SIGKILL to the postmaster and its children, as a power cut without the power
  void freeze();  // SIGSTOP to all of them
  void thaw();

  // As the superuser, on the database "postgres" or on that of a URL. The first column of the first row, or empty.
  // REQUIRES: it works.
  std::string sql(const std::string& statement);
  std::string sql(const std::string& url, const std::string& statement);

 private:
  std::string url(const std::string& database) const;
  void signal_all(int signal);

  const Options options_;
  TemporaryFolder folder_;
  std::string binaries_;
  pid_t pid_ = 0;  // of the postmaster, which is our child; 0: not running
  int databases_ = 0;
};

}  // namespace uproar::storage
