#include "tests/storage/postgres/postgres_server.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include <libpq-fe.h>
#include <pwd.h>
#include <spawn.h>

extern char** environ;

namespace uproar::storage {
namespace {

namespace fs = std::filesystem;

// Debian keeps each major version's programs in a folder of its own, off the PATH.
std::string find_binaries() {
  std::vector<std::pair<int, std::string>> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    if (fs::exists(entry.path() / "bin/initdb"))
      found.emplace_back(std::atoi(entry.path().filename().c_str()),
                         (entry.path() / "bin").string());
  }
  if (!found.empty()) return std::max_element(found.begin(), found.end())->second;
  if (fs::exists("/usr/bin/initdb")) return "/usr/bin";
  std::fprintf(stderr, "these tests need a PostgreSQL server: tools/dev deps --tests\n");
  std::abort();
}

// As root the server refuses to run. The signal at our death ends it when a test is killed.
std::vector<std::string> as_server(std::vector<std::string> command) {
  std::vector<std::string> out = {"setpriv", "--pdeathsig", "INT"};
  if (geteuid() == 0) {
    out.insert(out.end(), {"--reuid=postgres", "--regid=postgres", "--init-groups"});
  }
  out.insert(out.end(), command.begin(), command.end());
  return out;
}

pid_t spawn(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> arguments;
  for (const std::string& one : command) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  UPROAR_CHECK(failed == 0, command[0], failed);
  return pid;
}

// What could be read: a process may end between the opening of its file in /proc and the reading, which an iterator would throw.
std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

PostgresServer::PostgresServer(Options options) : options_(options), binaries_(find_binaries()) {
  if (geteuid() == 0) {
    const passwd* user = getpwnam("postgres");
    UPROAR_CHECK(user != nullptr);
    UPROAR_CHECK(chown(folder_.path().c_str(), user->pw_uid, user->pw_gid) == 0);
  }
  const std::string log = folder_.path() + "/initdb.log";
  const pid_t pid =
      spawn(as_server({binaries_ + "/initdb", "-D", folder_.path() + "/data", "-A", "trust", "-U",
                       "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"}),
            log);
  int status = 0;
  UPROAR_CHECK(waitpid(pid, &status, 0) == pid);
  UPROAR_CHECK(status == 0, read_file(log));
  start();
}

PostgresServer::~PostgresServer() {
  if (pid_ != 0) stop();
}

PostgresServer& PostgresServer::shared() {
  static PostgresServer server;
  return server;
}

void PostgresServer::start() {
  const std::string on = options_.fsync ? "on" : "off";
  const std::string listen = options_.port == 0 ? "" : "127.0.0.1";
  const std::string port = std::to_string(options_.port == 0 ? 5432 : options_.port);
  for (int attempt = 0; pid_ == 0; ++attempt) {
    pid_ = spawn(as_server({binaries_ + "/postgres", "-D", folder_.path() + "/data", "-c",
                            "listen_addresses=" + listen, "-c", "port=" + port, "-c",
                            "unix_socket_directories=" + folder_.path(), "-c", "fsync=" + on, "-c",
                            "full_page_writes=" + on, "-c", "max_connections=60", "-c",
                            "shared_buffers=64MB", "-c", "autovacuum=off"}),
                 folder_.path() + "/log");
    while (PQping(url("postgres").c_str()) != PQPING_OK) {
      // After a SIGKILL the first starts fail while the old processes still hold the shared memory.
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
        UPROAR_CHECK(attempt < 50, read_file(folder_.path() + "/log"));
        pid_ = 0;
        break;
      }
      std::this_thread::yield();
    }
  }
}

void PostgresServer::stop() {
  thaw();
  ::kill(pid_, SIGINT);
  UPROAR_CHECK(waitpid(pid_, nullptr, 0) == pid_);
  pid_ = 0;
}

// The postmaster's children are process groups of their own, so /proc has to say who they are.
void PostgresServer::signal_all(int signal) {
  std::vector<pid_t> all = {pid_};
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = read_file(entry.path() / "stat");
    const auto after_name = stat.rfind(')');
    if (after_name == std::string::npos) continue;
    char state = 0;
    int parent = 0;
    if (std::sscanf(stat.c_str() + after_name + 1, " %c %d", &state, &parent) == 2 &&
        parent == pid_)
      all.push_back(std::atoi(name.c_str()));
  }
  for (const pid_t pid : all) ::kill(pid, signal);
}

void PostgresServer::kill() {
  signal_all(SIGKILL);
  UPROAR_CHECK(waitpid(pid_, nullptr, 0) == pid_);
  pid_ = 0;
}
void PostgresServer::freeze() {
  signal_all(SIGSTOP);
}
void PostgresServer::thaw() {
  signal_all(SIGCONT);
}

std::string PostgresServer::url(const std::string& database) const {
  return "host=" + folder_.path() +
         " port=" + std::to_string(options_.port == 0 ? 5432 : options_.port) +
         " user=postgres dbname=" + database;
}

std::string PostgresServer::make_database(const std::string& options) {
  const std::string name = "test" + std::to_string(++databases_);
  sql("create database " + name + " " + options);
  return url(name);
}

std::string PostgresServer::copy_database(const std::string& source) {
  const std::string name = "test" + std::to_string(++databases_);
  sql("create database " + name + " template " + source.substr(source.rfind('=') + 1) +
      " strategy file_copy");
  return url(name);
}

void PostgresServer::drop_database(const std::string& of) {
  sql("drop database " + of.substr(of.rfind('=') + 1) + " with (force)");
}

std::string PostgresServer::sql(const std::string& statement) {
  return sql(url("postgres"), statement);
}

std::string PostgresServer::sql(const std::string& on, const std::string& statement) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(on.c_str()), &PQfinish);
  UPROAR_CHECK(PQstatus(connection.get()) == CONNECTION_OK, PQerrorMessage(connection.get()));
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(
      PQexec(connection.get(), statement.c_str()), &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  UPROAR_CHECK(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK,
               PQerrorMessage(connection.get()));
  return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
}

}  // namespace uproar::storage
