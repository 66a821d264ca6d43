// The cookie by which a login knows a browser again: what it says, and what it does not let others
// say.
#include "core/gateway/device_cookie.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "core/gateway/limits.h"

namespace uproar::gateway {
namespace {

constexpr std::int64_t kDayUs = 24LL * 3600 * 1'000'000;
constexpr Now kToday{.monotonic_us = 0, .wall_us = 20'000 * kDayUs};

Now days_later(std::int64_t days) {
  return {.monotonic_us = 0, .wall_us = kToday.wall_us + days * kDayUs};
}

class DeviceCookiesTest : public ::testing::Test {
 protected:
  // As a browser sends back what `set_cookie` says.
  static std::string sent(const std::string& set_cookie) {
    return set_cookie.substr(0, set_cookie.find(';'));
  }
  KnownDevice read(const std::string& cookies, Now now = kToday) const {
    const std::string lines = "Host: x\r\nCookie: " + cookies + "\r\n";
    return cookies_.read(http::Headers(lines), now);
  }
  std::string written(const std::string& name) const {
    return sent(cookies_.write({}, cookies_.tag(name), false, kToday));
  }

  DeviceCookies cookies_{auth::Secret(std::string(64, 'k'))};
};

TEST_F(DeviceCookiesTest, KnowTheAccountThatLoggedInAndNoOther) {
  const KnownDevice device = read(written("ada"));
  EXPECT_NE(device.id, 0U);
  EXPECT_TRUE(device.knows(cookies_.tag("ada")));
  EXPECT_FALSE(device.knows(cookies_.tag("bob")));
}

TEST_F(DeviceCookiesTest, AreFoundAmongOthers) {
  const std::string own = written("ada");
  for (const std::string& cookies :
       {own, "a=b; " + own, own + "; a=b", "xuproar_device=1; " + own, "uproar_devices=1;" + own})
    EXPECT_TRUE(read(cookies).knows(cookies_.tag("ada"))) << cookies;
}

TEST_F(DeviceCookiesTest, KeepTheDeviceAndGatherItsAccounts) {
  const KnownDevice first = read(written("ada"));
  const KnownDevice both = read(sent(cookies_.write(first, cookies_.tag("bob"), false, kToday)));
  EXPECT_EQ(both.id, first.id);
  EXPECT_TRUE(both.knows(cookies_.tag("ada")));
  EXPECT_TRUE(both.knows(cookies_.tag("bob")));
  const KnownDevice again = read(sent(cookies_.write(both, cookies_.tag("ada"), false, kToday)));
  EXPECT_EQ(again.logins.size(), 2U) << "each account once";
}

TEST_F(DeviceCookiesTest, OfManyAccountsTheLastAreKept) {
  KnownDevice device;
  std::string set_cookie;
  for (int i = 0; i < 100; ++i) {
    set_cookie = cookies_.write(device, cookies_.tag("pupil" + std::to_string(i)), true, kToday);
    device = read(sent(set_cookie));
  }
  EXPECT_EQ(device.logins.size(), kDeviceAccountsMax);
  EXPECT_TRUE(device.knows(cookies_.tag("pupil99")));
  EXPECT_FALSE(device.knows(cookies_.tag("pupil91")));
  EXPECT_LT(sent(set_cookie).size(), 200U);
}

TEST_F(DeviceCookiesTest, AreGoodForHalfAYearFromTheLastLogin) {
  const std::string cookie = written("ada");
  EXPECT_TRUE(read(cookie, days_later(kDeviceKnownDays)).knows(cookies_.tag("ada")));
  EXPECT_FALSE(read(cookie, days_later(kDeviceKnownDays + 1)).knows(cookies_.tag("ada")));
  const std::string renewed =
      sent(cookies_.write(read(cookie), cookies_.tag("ada"), false, days_later(kDeviceKnownDays)));
  EXPECT_TRUE(read(renewed, days_later(kDeviceKnownDays + 1)).knows(cookies_.tag("ada")));
}

TEST_F(DeviceCookiesTest, SayNothingWhenAnythingWasAltered) {
  const std::string good = written("ada");
  const std::size_t value_at = good.find('=') + 1;
  for (std::size_t i = value_at; i < good.size(); ++i) {
    std::string altered = good;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    ASSERT_TRUE(read(altered).logins.empty()) << i;
    ASSERT_TRUE(read(good.substr(0, i)).logins.empty()) << i;
  }
  for (const std::string& cookies :
       {std::string(), std::string("uproar_device"), std::string("uproar_device="), good + "A",
        "uproar_device=1." + std::string(10'000, 'A'), std::string("uproar_device=1.AAAA")})
    EXPECT_TRUE(read(cookies).logins.empty()) << cookies.substr(0, 80);
  const DeviceCookies others(auth::Secret(std::string(64, 'x')));
  const std::string lines = "Cookie: " + good + "\r\n";
  EXPECT_TRUE(others.read(http::Headers(lines), kToday).logins.empty()) << "another key";
}

TEST_F(DeviceCookiesTest, AreForTheServerAloneAndSecureWhereItIs) {
  const std::string plain = cookies_.write({}, 1, false, kToday);
  const std::string secure = cookies_.write({}, 1, true, kToday);
  for (const std::string attribute :
       {"; Path=/api/v1", "; HttpOnly", "; SameSite=Strict", "; Max-Age=15552000"}) {
    EXPECT_NE(plain.find(attribute), std::string::npos) << attribute;
    EXPECT_NE(secure.find(attribute), std::string::npos) << attribute;
  }
  EXPECT_EQ(plain.find("Secure"), std::string::npos);
  EXPECT_TRUE(secure.ends_with("; Secure"));
}

TEST_F(DeviceCookiesTest, GiveEachBrowserANumberOfItsOwn) {
  std::set<std::uint64_t> ids;
  for (int i = 0; i < 100; ++i) ids.insert(read(written("ada")).id);
  EXPECT_EQ(ids.size(), 100U);
}

}  // namespace
}  // namespace uproar::gateway
