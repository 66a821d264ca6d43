#include "core/server/admin_address.h"

#include <string>

#include <gtest/gtest.h>

namespace uproar::server {
namespace {

using Kind = AdminAddress::Kind;

TEST(AdminAddress, HasItsFormsAndSaysThemAgain) {
  struct Form {
    std::string text;
    Kind kind;
    std::string said;
    bool is_local;
  };
  for (const Form& form : {Form{"127.0.0.1:9080", Kind::kTcp, "127.0.0.1:9080", true},
                           Form{"127.1.2.3:0", Kind::kTcp, "127.1.2.3:0", true},
                           Form{"localhost:1", Kind::kTcp, "localhost:1", true},
                           Form{"[::1]:9080", Kind::kTcp, "[::1]:9080", true},
                           Form{":9080", Kind::kTcp, "0.0.0.0:9080", false},
                           Form{"[::]:9080", Kind::kTcp, "[::]:9080", false},
                           Form{"10.0.0.5:9080", Kind::kTcp, "10.0.0.5:9080", false},
                           Form{"node.internal:65535", Kind::kTcp, "node.internal:65535", false},
                           Form{"unix:/run/a.sock", Kind::kUnix, "unix:/run/a.sock", true},
                           Form{"off", Kind::kOff, "off", true}}) {
    SCOPED_TRACE(form.text);
    const auto address = parse_admin_address(form.text);
    ASSERT_TRUE(address.has_value());
    EXPECT_EQ(address->kind, form.kind);
    EXPECT_EQ(address->text(), form.said);
    EXPECT_EQ(address->is_local(), form.is_local);
    EXPECT_EQ(parse_admin_address(address->text()), address);
  }
}

TEST(AdminAddress, RefusesWhatIsNone) {
  for (const std::string& text :
       {std::string("9080"), std::string(), std::string("::1:9080"), std::string("a:"),
        std::string("a:65536"), std::string("unix:"), std::string("unix:run/a.sock"),
        std::string("unix:/run/"), std::string("OFF"), "unix:/" + std::string(107, 'a')})
    EXPECT_FALSE(parse_admin_address(text).has_value()) << text;
  EXPECT_TRUE(parse_admin_address("unix:/" + std::string(106, 'a')).has_value())
      << "what the kernel takes";
}

TEST(AdminAddress, IsUsuallyOfThisMachineAndAsFarFromOthersAsThePublicOnes) {
  EXPECT_EQ(usual_admin_address(8080).text(), "127.0.0.1:9080");
  EXPECT_EQ(usual_admin_address(8081).text(), "127.0.0.1:9081");
  EXPECT_EQ(usual_admin_address(64'535).text(), "127.0.0.1:65535");
  EXPECT_EQ(usual_admin_address(64'536).text(), "127.0.0.1:63536") << "no room above";
  EXPECT_EQ(usual_admin_address(0).text(), "127.0.0.1:0") << "the kernel chooses both";
}

}  // namespace
}  // namespace uproar::server
