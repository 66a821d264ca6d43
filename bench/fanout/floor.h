#pragma once

// The floor: a child process that does nothing but send() one prepared buffer to each of its sockets in turn.

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace uproar::bench {

class Floor {
 public:
  // Forks; the child listens on 127.0.0.1 and may run on `core` alone.
  explicit Floor(int core);
  ~Floor();
  Floor(const Floor&) = delete;
  Floor& operator=(const Floor&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] pid_t pid() const { return pid_; }

  // The child takes `sockets` connections, which the caller makes after this call.
  void accept(std::uint32_t sockets);
  // What is sent from now on; it holds kMarker and a number.
  void set_frame(const std::string& frame);
  // One pass over all sockets: `frames` frames, numbered from `number` on, as one buffer and one send() each. Returns
  // at once: the readers see its end.
  void pass(std::uint64_t number, std::uint32_t frames);

 private:
  struct Command {
    std::uint32_t kind = 0;
    std::uint32_t count = 0;
    std::uint64_t number = 0;
  };
  [[noreturn]] static void serve(int listener);
  void command(const Command& command);

  pid_t pid_ = -1;
  int control_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace uproar::bench
