// A room server on Boost.Beast, grown from its websocket chat example: a session per client with a queue of shared strings and one
// async_write at a time. One thread, so without the example's strands and locks.
// server PORT [--raw]

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <simdjson.h>

namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = boost::asio::ip::tcp;
using Text = std::shared_ptr<const std::string>;

class Session;

struct State {
  std::unordered_map<std::string, std::unordered_set<Session*>> rooms;
  simdjson::dom::parser parser;
  std::mt19937_64 random{std::random_device{}()};
  bool raw = false;
};

std::string new_id(std::mt19937_64& random) {
  char out[37];
  const std::uint64_t high = random();
  const std::uint64_t low = random();
  std::snprintf(out, sizeof out, "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(high >> 32),
                static_cast<unsigned>(high >> 16 & 0xFFFF), static_cast<unsigned>(high & 0xFFFF),
                static_cast<unsigned>(low >> 48),
                static_cast<unsigned long long>(low & 0xFFFFFFFFFFFF));
  return out;
}

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, State& state)
      : ws_(std::move(socket)), state_(state), id_(new_id(state.random)) {}

  ~Session() {
    const auto found = state_.rooms.find(room_);
    if (found == state_.rooms.end()) return;
    found->second.erase(this);
    if (found->second.empty()) state_.rooms.erase(found);
  }

  void run() {
    ws_.next_layer().socket().set_option(tcp::no_delay(true));
    ws_.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
    ws_.binary(state_.raw);
    ws_.async_accept([self = shared_from_this()](beast::error_code error) {
      if (!error) self->read();
    });
  }

  void send(const Text& text) {
    queue_.push_back(text);
    if (queue_.size() == 1) write();
  }

 private:
  void read() {
    ws_.async_read(buffer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (error) return;
      const auto bytes = self->buffer_.data();
      const std::string_view payload{static_cast<const char*>(bytes.data()), bytes.size()};
      if (self->state_.raw)
        self->on_raw(payload);
      else
        self->on_json(payload);
      self->buffer_.consume(self->buffer_.size());
      self->read();
    });
  }

  void write() {
    ws_.async_write(boost::asio::buffer(*queue_.front()),
                    [self = shared_from_this()](beast::error_code error, std::size_t) {
                      if (error) return;
                      self->queue_.erase(self->queue_.begin());
                      if (!self->queue_.empty()) self->write();
                    });
  }

  void on_json(std::string_view payload) {
    simdjson::dom::object command;
    simdjson::dom::element room_element;
    std::string_view type, room;
    if (state_.parser.parse(payload.data(), payload.size()).get(command) ||
        command["type"].get(type) || command["room"].get(room_element) || room_element.get(room))
      return;
    const std::string room_json = simdjson::to_string(room_element);
    if (type == "join") {
      join(room);
      send(std::make_shared<const std::string>(R"({"type":"joined","conversation_id":)" +
                                               room_json + "}"));
    } else if (type == "publish") {
      simdjson::dom::element name, data;
      if (command["name"].get(name) || command["data"].get(data)) return;
      std::string event = R"({"type":"event","conversation_id":)" + room_json;
      event.append(R"(,"name":)").append(simdjson::to_string(name));
      event.append(R"(,"data":)").append(simdjson::to_string(data));
      event.append(R"(,"sender_id":")").append(id_).append("\"}");
      broadcast(std::string(room), std::move(event));
    }
  }

  // The first byte is the command: j and the room, or p and anything, for the room that was joined.
  void on_raw(std::string_view payload) {
    if (payload.starts_with('j')) {
      join(payload.substr(1));
      send(std::make_shared<const std::string>("joined"));
    } else {
      broadcast(room_, std::string(payload));
    }
  }

  void join(std::string_view room) {
    room_ = room;
    state_.rooms[room_].insert(this);
  }

  void broadcast(const std::string& room, std::string bytes) {
    const auto found = state_.rooms.find(room);
    if (found == state_.rooms.end()) return;
    const auto text = std::make_shared<const std::string>(std::move(bytes));
    for (Session* member : found->second) member->send(text);
  }

  websocket::stream<beast::tcp_stream> ws_;
  State& state_;
  const std::string id_;
  std::string room_;
  beast::flat_buffer buffer_;
  std::vector<Text> queue_;
};

void accept(tcp::acceptor& acceptor, State& state) {
  acceptor.async_accept([&acceptor, &state](beast::error_code error, tcp::socket socket) {
    if (!error) std::make_shared<Session>(std::move(socket), state)->run();
    accept(acceptor, state);
  });
}

int main(int argc, char** argv) {
  State state;
  state.raw = argc > 2 && std::string_view(argv[2]) == "--raw";
  boost::asio::io_context io(1);
  tcp::acceptor acceptor(io, {boost::asio::ip::make_address("127.0.0.1"),
                              static_cast<unsigned short>(std::atoi(argv[1]))});
  accept(acceptor, state);
  io.run();
}
