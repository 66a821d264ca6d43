// Which Host a login is told again, as a table of what may stand there.

#include "core/gateway/login_address.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace uproar::gateway {
namespace {

const LoginAddress kAddress({"192.168.1.5", "[2001:db8::5]", "Chat.Example.com",
                             "app.example.com:3000", "dotted.example.com.", "", "no host", "[half"},
                            "ws://192.168.1.5:8080");

TEST(LoginAddress, AHostOfThisServerIsToldAsItWasSaidWhateverItsPort) {
  for (const std::string authority : {
           "192.168.1.5",
           "192.168.1.5:8080",
           "192.168.1.5:1",
           "192.168.1.5:65535",  // an address
           "[2001:db8::5]:8080",
           "[2001:DB8::5]",
           "[2001:db8:0:0:0:0:0:5]:80",  // in brackets
           "chat.example.com",
           "chat.example.com:443",
           "CHAT.example.COM:8080",  // in any case
           "chat.example.com.",
           "chat.example.com.:8080",
           "dotted.example.com",  // with its dot
           "app.example.com",
           "app.example.com:3001",  // another port
           "localhost",
           "localhost:9000",
           "LocalHost.",
           "127.0.0.1:80",
           "[::1]:80",  // ourselves
       }) {
    EXPECT_EQ(kAddress.url_at(authority), "ws://" + authority) << authority;
  }
}

TEST(LoginAddress, NothingElseIs) {
  for (const std::string_view authority : {
           "",  // HTTP/1.0 needs none
           "evil.example",
           "evil.example:8080",
           "192.168.1.6:8080",
           "[2001:db8::6]:8080",
           "chat.example.com.evil.example",
           "evil.chat.example.com",
           "xchat.example.com",
           "chat.example.co",
           "chat.example.com..",
           ".",
           ".chat.example.com",
           "example.com",
           "192.168.1.50",
           "2001:db8::5",
           "[2001:db8::5",
           "[]",
           "[::g]",
           "[192.168.1.5]",
           "[::1%25lo]",
           "chat.example.com:0",
           "chat.example.com:65536",
           "chat.example.com:",
           "chat.example.com:80:80",
           "chat.example.com:x",
           ":8080",
           "chat.example.com@evil.example",
           "evil.example@chat.example.com",
           "me:secret@chat.example.com",
           "chat.example.com/",
           "chat.example.com/@evil.example",
           "chat.example.com?x",
           "chat.example.com#x",
           "chat.example.com\\evil.example",
           "chat.example.com, evil.example",
           " chat.example.com",
           "chat.example.com ",
           "ws://chat.example.com",
           "chat%2eexample.com",
           "no host",
           "*",
       }) {
    EXPECT_EQ(kAddress.url_at(authority), std::nullopt) << authority;
  }
  EXPECT_EQ(kAddress.url_at(std::string_view("localhost\0", 10)), std::nullopt);
  EXPECT_EQ(kAddress.usual_url(), "ws://192.168.1.5:8080");
}

TEST(LoginAddress, AServerWithoutNamesIsItsOwnLoopback) {
  const LoginAddress address({}, "ws://127.0.0.1:8080");
  EXPECT_EQ(address.url_at("localhost:8080"), "ws://localhost:8080");
  EXPECT_EQ(address.url_at("chat.example.com"), std::nullopt);
}

}  // namespace
}  // namespace uproar::gateway
