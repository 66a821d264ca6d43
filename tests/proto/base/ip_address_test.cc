// Addresses and networks: one form for each, and nothing that only looks like one.

#include "proto/base/ip_address.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace uproar {
namespace {

struct AddressRow {
  const char* text;
  const char* shown;  // nullptr: no address
};

const AddressRow kAddresses[] = {
    {"203.0.113.7", "203.0.113.7"},
    {"::ffff:203.0.113.7", "203.0.113.7"},  // one form however it came
    {"::FFFF:cb00:7107", "203.0.113.7"},
    {"0.0.0.0", "0.0.0.0"},
    {"255.255.255.255", "255.255.255.255"},
    {"::", "::"},
    {"::1", "::1"},
    {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
    {"2001:0db8:0000:0000:0000:ff00:0042:8329", "2001:db8::ff00:42:8329"},
    {"1:2:3:4:5:6:255.255.255.255", "1:2:3:4:5:6:ffff:ffff"},
    {"", nullptr},
    {" 203.0.113.7", nullptr},
    {"203.0.113.7 ", nullptr},
    {"203.0.113", nullptr},
    {"203.0.113.256", nullptr},
    {"203.0.113.07", nullptr},
    {"0xcb.0.113.7", nullptr},
    {"3405803783", nullptr},
    {"203.0.113.7:80", nullptr},
    {"[2001:db8::1]", nullptr},
    {"fe80::1%eth0", nullptr},
    {"2001:db8::1::", nullptr},
    {"2001:db8", nullptr},
    {"1:2:3:4:5:6:7:8:9", nullptr},
    {"localhost", nullptr},
    {"0000:0000:0000:0000:0000:ffff:255.255.255.2555", nullptr},  // longer than the longest
};

TEST(IpAddress, IsReadWholeAndInOneForm) {
  for (const AddressRow& row : kAddresses) {
    const auto address = IpAddress::parse(row.text);
    ASSERT_EQ(address.has_value(), row.shown != nullptr) << row.text;
    if (!address) continue;
    EXPECT_EQ(address->text(), row.shown) << row.text;
    EXPECT_EQ(IpAddress::parse(address->text()), address) << row.text;
  }
  EXPECT_EQ(IpAddress::parse(std::string_view("127.0.0.1\0.9", 12)), std::nullopt);
  EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(IpAddress::parse("::")->is_unspecified());
  EXPECT_FALSE(IpAddress::parse("::1")->is_unspecified());
  EXPECT_FALSE(IpAddress::parse("0.0.0.1")->is_unspecified());
}

struct NetworkRow {
  const char* network;
  std::vector<const char*> inside;
  std::vector<const char*> outside;
};

const NetworkRow kNetworks[] = {
    {"127.0.0.1", {"127.0.0.1", "::ffff:127.0.0.1"}, {"127.0.0.2", "::1", "126.0.0.1"}},
    {"10.0.0.0/8", {"10.0.0.0", "10.255.255.255"}, {"11.0.0.0", "9.255.255.255", "::a00:1"}},
    {"172.16.0.0/12", {"172.16.0.1", "172.31.255.255"}, {"172.32.0.0", "172.15.255.255"}},
    {"192.0.2.128/25", {"192.0.2.128", "192.0.2.255"}, {"192.0.2.127", "192.0.3.128"}},
    {"128.0.0.0/1", {"255.0.0.1", "128.0.0.0"}, {"127.255.255.255"}},
    {"203.0.113.7/32", {"203.0.113.7"}, {"203.0.113.6"}},
    {"::ffff:10.0.0.0/104", {"10.1.2.3"}, {"11.0.0.0"}},
    {"2001:db8::/32", {"2001:db8:ffff::1"}, {"2001:db9::", "2001:db7:ffff::", "10.0.0.1"}},
    {"2001:db8::1", {"2001:db8::1"}, {"2001:db8::2"}},
    {"fc00::/7", {"fd00::1", "fc00::"}, {"fe00::", "fb00::"}},
    // Covers ::ffff:0:0/96 by its bits, and yet no IPv4 address.
    {"::/64", {"::1"}, {"10.0.0.1", "0:0:0:1::"}},
};

TEST(IpNetwork, HasWhatSharesItsPrefixAndNothingOfTheOtherFamily) {
  for (const NetworkRow& row : kNetworks) {
    const auto network = IpNetwork::parse(row.network);
    ASSERT_TRUE(network.ok()) << row.network;
    for (const char* text : row.inside)
      EXPECT_TRUE(network->contains(*IpAddress::parse(text))) << row.network << " " << text;
    for (const char* text : row.outside)
      EXPECT_FALSE(network->contains(*IpAddress::parse(text))) << row.network << " " << text;
  }
}

struct WrongNetwork {
  const char* text;
  IpNetworkError error;
};

const WrongNetwork kWrongNetworks[] = {
    {"", IpNetworkError::kNotANetwork},
    {"/8", IpNetworkError::kNotANetwork},
    {"10.0.0.0/", IpNetworkError::kNotANetwork},
    {"10.0.0.0/33", IpNetworkError::kNotANetwork},
    {"10.0.0.0/-1", IpNetworkError::kNotANetwork},
    {"10.0.0.0/8/8", IpNetworkError::kNotANetwork},
    {"10.0.0.0/255.0.0.0", IpNetworkError::kNotANetwork},
    {"2001:db8::/129", IpNetworkError::kNotANetwork},
    {"proxy.example.com", IpNetworkError::kNotANetwork},
    {"10.0.0.5/8", IpNetworkError::kBitsBeyondPrefix},
    {"10.0.0.1/31", IpNetworkError::kBitsBeyondPrefix},
    {"2001:db8::1/64", IpNetworkError::kBitsBeyondPrefix},
    {"1.0.0.0/0", IpNetworkError::kBitsBeyondPrefix},
    {"::ffff:0:0/90", IpNetworkError::kBitsBeyondPrefix},
    {"0.0.0.0/0", IpNetworkError::kEverybody},
    {"::ffff:0:0/96", IpNetworkError::kEverybody},
    {"::/0", IpNetworkError::kEverybody},
};

TEST(IpNetwork, WhatIsNoneIsRefusedWithTheReason) {
  for (const WrongNetwork& row : kWrongNetworks) {
    const auto network = IpNetwork::parse(row.text);
    ASSERT_FALSE(network.ok()) << row.text;
    EXPECT_EQ(network.error(), row.error) << row.text;
  }
}

TEST(IpNetwork, AnAddressIsInSeveralWhenItIsInOne) {
  const std::vector<IpNetwork> networks = {IpNetwork::parse("10.0.0.0/8").value(),
                                           IpNetwork::parse("::1").value()};
  EXPECT_TRUE(is_in(networks, *IpAddress::parse("::1")));
  EXPECT_TRUE(is_in(networks, *IpAddress::parse("10.2.3.4")));
  EXPECT_FALSE(is_in(networks, *IpAddress::parse("127.0.0.1")));
  EXPECT_FALSE(is_in({}, *IpAddress::parse("127.0.0.1")));
}

}  // namespace
}  // namespace uproar
