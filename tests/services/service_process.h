#pragma once

// A real service for a test: a process of its own on loopback, with its files in a temporary folder. It ends with the
// object, and with the test's process, however that ends.

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace uproar::services {

// Whether `program` is in PATH. Tests skip themselves without it, and a skipped test fails the run of tools/dev test.
[[nodiscard]] bool is_installed(const std::string& program);

// A port of 127.0.0.1 that nobody listens on now.
[[nodiscard]] std::uint16_t free_port();

// Looks again and again, with short pauses, until `is_ready()`. False: not within a minute.
[[nodiscard]] bool wait_until(const std::function<bool()>& is_ready);

class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class ServiceProcess {
 public:
  // `log`: where its output goes; shown by tests that fail.
  ServiceProcess(std::vector<std::string> command, std::string log);
  ~ServiceProcess();  // kills
  ServiceProcess(const ServiceProcess&) = delete;
  ServiceProcess& operator=(const ServiceProcess&) = delete;

  void start();
  // SIGKILL, and waits for its end.
  void kill_now();
  void pause();    // SIGSTOP, and waits until it is stopped
  void proceed();  // SIGCONT
  [[nodiscard]] bool is_running();
  [[nodiscard]] std::string log_text() const;

 private:
  std::vector<std::string> command_;
  std::string log_;
  pid_t pid_ = -1;
};

}  // namespace uproar::services
