#include "core/gateway/rest_routes.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace uproar::gateway {
namespace {

// A path of the pattern, each place filled with a value of its own.
std::string path_of(std::string_view pattern) {
  std::string path(pattern);
  const auto fill = [&path](std::string_view place, std::string_view value) {
    if (const auto found = path.find(place); found != std::string::npos)
      path.replace(found, place.size(), value);
  };
  fill("{id}", "C0NV");
  fill("{ref}", "42");
  fill("{user}", "u-5");
  fill("{emoji}", "%F0%9F%91%8D");
  return path;
}

TEST(RestRoutes, EveryRowOfTheTableIsReachedByItsOwnMethodAndPath) {
  ASSERT_FALSE(rest_routes().empty());
  for (const RestRoute& route : rest_routes()) {
    const RouteMatch match = match_route(route.method, path_of(route.pattern));
    ASSERT_NE(match.route, nullptr) << route.method << ' ' << route.pattern;
    EXPECT_EQ(match.route, &route) << route.pattern << " is hidden by " << match.route->pattern;
    const auto has = [&](std::string_view place) {
      return route.pattern.find(place) != std::string_view::npos;
    };
    EXPECT_EQ(match.path.conversation_id, has("{id}") ? "C0NV" : "") << route.pattern;
    EXPECT_EQ(match.path.message, has("{ref}") ? "42" : "") << route.pattern;
    EXPECT_EQ(match.path.user_id, has("{user}") ? "u-5" : "") << route.pattern;
    EXPECT_EQ(match.path.emoji, has("{emoji}") ? "\U0001F44D" : "") << route.pattern;
  }
}

TEST(RestRoutes, NoTwoRowsAreTheSame) {
  const auto routes = rest_routes();
  for (std::size_t i = 0; i < routes.size(); ++i) {
    for (std::size_t j = i + 1; j < routes.size(); ++j) {
      EXPECT_FALSE(routes[i].method == routes[j].method && routes[i].pattern == routes[j].pattern)
          << routes[i].pattern;
    }
  }
}

TEST(RestRoutes, AKnownPathWithAnotherMethodIsKnownAndNotFound) {
  for (const RestRoute& route : rest_routes()) {
    for (const std::string_view method : {"TRACE", "OPTIONS", "get", "Post", ""}) {
      const RouteMatch match = match_route(method, path_of(route.pattern));
      EXPECT_EQ(match.route, nullptr) << method << ' ' << route.pattern;
      EXPECT_TRUE(match.path_known) << method << ' ' << route.pattern << " is 405, not 404";
    }
  }
}

TEST(RestRoutes, PathsBesideTheTableAreUnknown) {
  for (const std::string_view path : {"",
                                      "/",
                                      "/api",
                                      "/api/v1",
                                      "/api/v1/",
                                      "/api/v2/me",
                                      "/api/v1/me/",
                                      "/api/v1//me",
                                      "/API/v1/me",
                                      "/api/v1/Me",
                                      "/api/v1/m%65",
                                      "api/v1/me",
                                      "/login/",
                                      "/api/v1/users/",
                                      "/api/v1/conversations/",
                                      "/api/v1/conversations//messages",
                                      "/api/v1/conversations/1/messages/2/reactions",
                                      "/api/v1/conversations/1/messages/2/reactions/",
                                      "/api/v1/conversations/1/messages/2/reactions/x/y",
                                      "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t"}) {
    const RouteMatch match = match_route("GET", path);
    EXPECT_EQ(match.route, nullptr) << path;
    EXPECT_FALSE(match.path_known) << path;
  }
}

TEST(RestRoutes, APlaceThatIsNoTextIsNoPathThatDoesNotExist) {
  for (const std::string_view path :
       {"/api/v1/conversations/%00", "/api/v1/conversations/%", "/api/v1/conversations/%4",
        "/api/v1/conversations/%zz", "/api/v1/users/a%00b"}) {
    const RouteMatch match = match_route("GET", path);
    EXPECT_NE(match.route, nullptr) << path;
    EXPECT_TRUE(match.bad_escape) << path;
    EXPECT_FALSE(match_route("PUT", path).bad_escape) << "405 comes first";
    EXPECT_NE(methods_of(path), "") << path;
  }
}

TEST(RestRoutes, PlacesAreDecodedOnceAndAnEscapedSlashSeparatesNothing) {
  struct Row {
    std::string_view written;
    std::string_view meant;
  };
  for (const Row& row : std::vector<Row>{{"abc", "abc"},
                                         {"a%2Fb", "a/b"},
                                         {"%61", "a"},
                                         {"a+b", "a+b"},
                                         {"%2561", "%61"},
                                         {"..", ".."},
                                         {"%C3%A9", "\xC3\xA9"}}) {
    const RouteMatch match =
        match_route("GET", "/api/v1/conversations/" + std::string(row.written) + "/messages");
    ASSERT_NE(match.route, nullptr) << row.written;
    EXPECT_EQ(match.path.conversation_id, row.meant);
  }
}

TEST(RestRoutes, MethodsOfNamesThemAll) {
  EXPECT_EQ(methods_of("/api/v1/conversations"), "GET, HEAD, POST");
  EXPECT_EQ(methods_of("/api/v1/conversations/x/messages/1"), "PATCH, DELETE");
  EXPECT_EQ(methods_of("/login"), "POST");
  EXPECT_EQ(methods_of("/nowhere"), "");
  EXPECT_EQ(match_route("HEAD", "/api/v1/me").route, match_route("GET", "/api/v1/me").route);
  EXPECT_EQ(match_route("HEAD", "/login").route, nullptr);
  for (const RestRoute& route : rest_routes()) {
    const std::string methods = methods_of(path_of(route.pattern));
    EXPECT_NE(methods.find(route.method), std::string::npos) << route.pattern << ": " << methods;
  }
}

}  // namespace
}  // namespace uproar::gateway
