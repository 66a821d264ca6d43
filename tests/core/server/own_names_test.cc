// By which hosts a node is known, for each way to listen.

#include "core/server/own_names.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace uproar::server {
namespace {

using Words = std::vector<std::string>;

const Words kOwn = {"192.168.1.5", "[2001:db8::5]", "127.0.0.1", "[::1]"};

struct Row {
  std::string what;
  Config config;
  std::string bound;
  std::string usual;
  Words known;
  Words unknown;
};

Config listening_on(const std::string& host) {
  Config config;
  config.listen_host = host;
  return config;
}

Config with_names(Config config, Words names, Words origins) {
  config.server_names = std::move(names);
  config.allow_origins = std::move(origins);
  return config;
}

TEST(OwnNames, FollowFromTheListeningAddressTheNamesAndTheOrigins) {
  const Words far = {"192.168.1.5", "[2001:db8::5]"};
  const Words strange = {"evil.example", "192.168.1.6", "chat.example.com", "app.example.com"};
  for (const Row& row : {
           Row{"as it comes",
               listening_on("127.0.0.1"),
               "127.0.0.1",
               "ws://127.0.0.1:8080",
               {"127.0.0.1", "localhost"},
               {"192.168.1.5", "evil.example"}},
           Row{"all of IPv4",
               listening_on("0.0.0.0"),
               "0.0.0.0",
               "ws://192.168.1.5:8080",
               {"192.168.1.5", "[2001:db8::5]", "127.0.0.1", "localhost", "0.0.0.0"},
               strange},
           Row{"all of IPv6",
               listening_on("::"),
               "[::]",
               "ws://192.168.1.5:8080",
               {"192.168.1.5", "[2001:db8::5]", "[::1]", "localhost"},
               strange},
           Row{"all, written otherwise", listening_on("*"), "0.0.0.0", "ws://192.168.1.5:8080", far,
               strange},
           Row{"one address",
               listening_on("192.168.1.5"),
               "192.168.1.5",
               "ws://192.168.1.5:8080",
               {"192.168.1.5", "localhost"},
               {"[2001:db8::5]", "evil.example"}},
           Row{"one of IPv6",
               listening_on("2001:db8::5"),
               "[2001:db8::5]",
               "ws://[2001:db8::5]:8080",
               {"[2001:db8::5]"},
               {"192.168.1.5"}},
           Row{"a name",
               listening_on("chat-1"),
               "192.168.1.5",
               "ws://chat-1:8080",
               {"chat-1", "192.168.1.5"},
               strange},
           Row{"with names",
               with_names(listening_on("127.0.0.1"), {"chat.example.com", "[2001:db8::7]"}, {}),
               "127.0.0.1",
               "ws://127.0.0.1:8080",
               {"chat.example.com", "[2001:db8::7]"},
               {"app.example.com"}},
           Row{"with origins",
               with_names(
                   listening_on("127.0.0.1"), {},
                   {"https://app.example.com", "http://localhost:3000", "HTTP://B.example:80"}),
               "127.0.0.1",
               "ws://127.0.0.1:8080",
               {"app.example.com", "b.example"},
               {"chat.example.com", "https", "3000"}},
           Row{"pages of all origins",
               with_names(listening_on("127.0.0.1"), {}, {"*"}),
               "127.0.0.1",
               "ws://127.0.0.1:8080",
               {"localhost"},
               {"*", "evil.example"}},
       }) {
    SCOPED_TRACE(row.what);
    const auto address = login_address(row.config, row.bound, 8080, kOwn);
    EXPECT_EQ(address.usual_url(), row.usual);
    for (const std::string& host : row.known) {
      EXPECT_EQ(address.url_at(host + ":8080"), "ws://" + host + ":8080");
      EXPECT_EQ(address.url_at(host), "ws://" + host) << "behind a proxy";
    }
    for (const std::string& host : row.unknown)
      EXPECT_EQ(address.url_at(host + ":8080"), std::nullopt) << host;
  }
}

TEST(OwnNames, AMachineWithoutAnyAddressIsLocalhost) {
  EXPECT_EQ(login_address(listening_on("0.0.0.0"), "0.0.0.0", 80, {}).usual_url(),
            "ws://localhost:80");
  EXPECT_EQ(login_address(listening_on("0.0.0.0"), "0.0.0.0", 80, {"[2001:db8::5]"}).usual_url(),
            "ws://localhost:80")
      << "not reached by IPv6";
}

TEST(OwnNames, TheLoopbackOfThisMachineComesBehindWhatOthersReach) {
  const Words own = own_addresses();
  const auto loopback = std::find(own.begin(), own.end(), "127.0.0.1");
  ASSERT_NE(loopback, own.end());
  for (auto later = loopback; later != own.end(); ++later) {
    EXPECT_TRUE(later->starts_with("127.") || *later == "[::1]" || later->starts_with("[fe80:"))
        << *later;
  }
}

TEST(OwnNames, ASocketTellsWhereItIsBound) {
  for (const std::uint32_t host : {INADDR_LOOPBACK, INADDR_ANY}) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(bound_address(fd), host == INADDR_ANY ? "0.0.0.0" : "127.0.0.1");
    ::close(fd);
  }
  EXPECT_EQ(bound_address(-1), "");
}

}  // namespace
}  // namespace uproar::server
