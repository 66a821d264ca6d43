// uproar_floor: what the kernel alone costs. A room server that does nothing else: a path is a room, a text frame goes to all in it.
//
//   send    each frame is sent to each member by a send() of its own, as soon as it was read
//   gather  all that one look at the sockets brought to a room goes to each member in one send()
//   ring    the same as gather, received and sent through a ring
//
// A socket that does not take all at once ends the program: a floor that queues is no floor.

#include <string>

#include <CLI/CLI.hpp>

#include "bench/floor/epoll_floor.h"
#include "bench/floor/ring_floor.h"
#include "bench/load/program.h"
#include "core/net/listener.h"

namespace uproar::bench {
namespace {

int main_program(int argc, char** argv) {
  CLI::App app(
      "A room server that does only the kernel's part: the floor under every result.\n"
      "Example: uproar_floor gather --port 9001 --core 0");
  std::string kind;
  std::uint16_t port = 9001;
  int core = -1;
  app.add_option("kind", kind, "send, gather or ring")
      ->required()
      ->check(CLI::IsMember({"send", "gather", "ring"}));
  app.add_option("--port", port, "on 127.0.0.1")->capture_default_str();
  app.add_option("--core", core, "run on this processor only");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  if (core >= 0) pin_to_core(core);
  raise_descriptor_limit();
  const auto listener = net::listen_reuseport("127.0.0.1:" + std::to_string(port));
  if (!listener) die(listener.error().text());
  if (kind == "ring") serve_by_ring(*listener);
  serve_by_epoll(*listener, kind == "gather");
}

}  // namespace
}  // namespace uproar::bench

int main(int argc, char** argv) {
  return uproar::bench::main_program(argc, argv);
}
