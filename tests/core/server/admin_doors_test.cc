// What operators find at --admin-listen, and nobody at the public address.

#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/server/server.h"
#include "tests/core/server/json_check.h"
#include "tests/core/server/local_server.h"

namespace uproar::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class AdminDoors : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new LocalServer; }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  static LocalServer* server_;
  Client client_{server_->admin_port()};
};
LocalServer* AdminDoors::server_ = nullptr;

// The value of a series of the text; -1 when it is not there.
double value_of(const std::string& text, const std::string& series) {
  const std::size_t at = text.find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
}
// Of both shards.
double sum_of(const std::string& text, const std::string& name) {
  return value_of(text, name + "{shard=\"0\"}") + value_of(text, name + "{shard=\"1\"}");
}
double renderings_of(const HttpAnswer& answer) {
  return value_of(answer.body, "uproar_admin_renderings_total");
}

TEST_F(AdminDoors, ShowMetricsAndNodesWithoutAToken) {
  const HttpAnswer metrics = client_.request("GET", "/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_THAT(metrics.body, HasSubstr("uproar_store_up 1"));
  const HttpAnswer nodes = client_.request("GET", "/api/v1/admin/nodes");
  EXPECT_EQ(nodes.status, 200) << nodes.body;
  EXPECT_THAT(nodes.body, HasSubstr(R"("self":true)"));
  EXPECT_TRUE(JsonCheck::well_formed(nodes.body)) << nodes.body;
  EXPECT_EQ(nodes.header("cache-control"), "no-store");
}

TEST_F(AdminDoors, AreNotPublicAndThePublicOnesAreNotHere) {
  Client stranger(server_->port());
  const std::string unknown = stranger.request("GET", "/nowhere").body;
  for (const std::string_view path :
       {"/metrics", "/api/v1/admin/nodes", "/api/v1/admin", "/metrics/"}) {
    SCOPED_TRACE(path);
    const HttpAnswer answer = stranger.request("GET", path);
    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(answer.body, unknown) << "nothing tells them from what is nowhere";
  }
  for (const std::string_view path : {"/", "/nowhere", "/login", "/api/v1/me", "/openapi.json"}) {
    SCOPED_TRACE(path);
    const HttpAnswer answer = client_.request("GET", path);
    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(answer.body, unknown);
  }
  EXPECT_EQ(Client(server_->admin_port()).upgrade("/ws", bearer(server_->token())).status, 404);
}

TEST_F(AdminDoors, TakeGetAndHeadAlone) {
  for (const std::string_view path : {"/metrics", "/api/v1/admin/nodes"}) {
    SCOPED_TRACE(path);
    for (const std::string_view method : {"POST", "DELETE", "OPTIONS"}) {
      const HttpAnswer answer = client_.request(method, path);
      EXPECT_EQ(answer.status, 405);
      EXPECT_EQ(answer.header("allow"), "GET, HEAD");
    }
    const HttpAnswer head = client_.request("HEAD", path);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.body, "");
  }
  client_.write("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n");
  EXPECT_EQ(client_.read_answer().status, 413) << "nothing that is asked here has a body";
}

TEST_F(AdminDoors, AtALoopbackAddressAnswerNoPageThatCameByAName) {
  struct Row {
    std::string host;
    int status;
  };
  for (const Row& row : {Row{"localhost:9080", 200}, Row{"127.0.0.1", 200}, Row{"[::1]:1", 200},
                         Row{"10.1.2.3:80", 200}, Row{"evil.example", 403},
                         Row{"127.0.0.1.evil.example:9080", 403}, Row{"1", 403}}) {
    SCOPED_TRACE(row.host);
    client_.write("GET /api/v1/admin/nodes HTTP/1.1\r\nHost: " + row.host + "\r\n\r\n");
    EXPECT_EQ(client_.read_answer().status, row.status);
  }
}

TEST_F(AdminDoors, AreForNoPageOfAnotherOrigin) {
  const HttpAnswer answer =
      client_.request("GET", "/api/v1/admin/nodes", {{"Origin", "http://a.example"}});
  EXPECT_EQ(answer.headers.count("access-control-allow-origin"), 0U);
}

// Those who ask together share a text, and nobody is told what was true before they asked.
TEST_F(AdminDoors, RenderOnceForAllWhoWait) {
  double before = renderings_of(client_.request("GET", "/metrics"));
  std::vector<std::unique_ptr<Client>> many;
  for (int i = 0; i < 10; ++i) {
    many.push_back(std::make_unique<Client>(server_->admin_port()));
    many.back()->write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  double last = 0;
  for (const auto& each : many) {
    const HttpAnswer answer = each->read_answer();
    EXPECT_EQ(answer.status, 200);
    last = std::max(last, renderings_of(answer));
  }
  EXPECT_GT(last, before);
  EXPECT_LE(last, before + 2) << "ten texts, or nearly";

  const std::string name = "uproar_net_requests_total";
  before = sum_of(client_.request("GET", "/metrics").body, name);
  EXPECT_EQ(Client(server_->port()).request("GET", "/healthz").status, 200);
  EXPECT_EQ(sum_of(client_.request("GET", "/metrics").body, name), before + 1)
      << "asked after that request, so it is in";
}

// Rounds through all shards are shared, too, and a report holds for a quarter of a second.
TEST_F(AdminDoors, BeingAskedForHealthCostsTheShardsNoRoundEach) {
  const auto parcels = [this] {
    return sum_of(client_.request("GET", "/metrics").body, "uproar_router_parcels_total");
  };
  const double before = parcels();
  Client asker(server_->port());
  for (int i = 0; i < 400; ++i) {
    const HttpAnswer answer = asker.request("GET", "/readyz");
    ASSERT_EQ(answer.status, 200) << answer.body;
  }
  // A round to the other shard and back is two parcels.
  EXPECT_LT(parcels() - before, 400);
}

TEST(AdminListen, MayBeAUnixSocketOfTheOwnerAlone) {
  const TempFolder folder;
  Config config = local_config(folder.path());
  config.admin_listen = parse_admin_address("unix:" + folder.file("admin.sock"));
  {
    Server server(config);
    const auto started = server.start();
    ASSERT_TRUE(started.ok()) << started.error().text();
    EXPECT_EQ(server.admin_url(), "unix:" + folder.file("admin.sock"));
    EXPECT_EQ(server.admin_port(), 0);
    Client client(folder.file("admin.sock"));
    EXPECT_EQ(client.request("GET", "/metrics").status, 200);
    struct stat file {};
    ASSERT_EQ(::stat(folder.file("admin.sock").c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777U, 0600U);
  }
  struct stat file {};
  EXPECT_NE(::stat(folder.file("admin.sock").c_str(), &file), 0) << "it goes with the server";
}

TEST(AdminListen, MayBeOff) {
  const TempFolder folder;
  Config config = local_config(folder.path());
  config.admin_listen = AdminAddress{};
  Server server(config);
  ASSERT_TRUE(server.start().ok());
  EXPECT_EQ(server.admin_url(), "");
  EXPECT_EQ(Client(server.port()).request("GET", "/metrics").status, 404);
  EXPECT_EQ(Client(server.port()).request("GET", "/healthz").status, 200);
}

TEST(AdminListen, IsRefusedWhereSomebodyElseListens) {
  const LocalServer first;
  const TempFolder folder;
  Config config = local_config(folder.path());
  config.admin_listen = AdminAddress{.kind = AdminAddress::Kind::kTcp,
                                     .host = "127.0.0.1",
                                     .port = first.admin_port(),
                                     .path = {}};
  Server second(config);
  const auto started = second.start();
  ASSERT_FALSE(started.ok());
  EXPECT_THAT(started.error().text(), HasSubstr(std::to_string(first.admin_port())));
  EXPECT_THAT(started.error().text(), HasSubstr("--admin-listen"));
  EXPECT_THAT(started.error().text(), Not(HasSubstr("with --listen")));
  EXPECT_EQ(Client(first.admin_port()).request("GET", "/metrics").status, 200);
}

}  // namespace
}  // namespace uproar::server
