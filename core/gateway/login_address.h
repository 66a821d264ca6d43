#pragma once

// Where logins are told to connect when neither --advertise nor another node says it: where they
// asked, if that is one of this server's names. Host is the client's word: repeated blindly it
// would send people to whomever somebody put there.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace uproar::gateway {

class LoginAddress {
 public:
  // `names`: hosts, with or without a port, which is not compared: a proxy before us may listen at
  // another one. What is no host is left out. `usual_url` ("ws://127.0.0.1:8080") is for everybody
  // who asked by another name. "localhost" and the loopback addresses are names of every server.
  LoginAddress(const std::vector<std::string>& names, std::string usual_url);

  // `authority`: http::Request::authority, which may be empty. With its port, as it was said: a
  // page compares it with its own address.
  [[nodiscard]] std::optional<std::string> url_at(std::string_view authority) const;
  [[nodiscard]] const std::string& usual_url() const { return usual_url_; }

 private:
  std::vector<std::string> hosts_;  // as normal_host() has them, sorted
  std::string usual_url_;
};

// The host of HOST[:PORT] in the one form that can be compared: lower case, without the dot at the
// end, a literal IPv6 address in brackets and in its shortest form. nullopt: this is none, or its
// port cannot be.
[[nodiscard]] std::optional<std::string> normal_host(std::string_view authority);

}  // namespace uproar::gateway
