#include "core/gateway/assets.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace uproar::gateway {
namespace {

TEST(Assets, ThePageAndTheDocumentsAreAboard) {
  struct Row {
    std::string_view path;
    std::string_view type;
  };
  for (const Row& row :
       {Row{"/", "text/html"}, Row{"/openapi.json", "application/json"},
        Row{"/asyncapi.json", "application/json"}, Row{"/favicon.svg", "image/svg+xml"}}) {
    const Asset* asset = find_asset(row.path);
    ASSERT_NE(asset, nullptr) << row.path;
    EXPECT_TRUE(asset->content_type.starts_with(row.type))
        << row.path << ": " << asset->content_type;
    EXPECT_FALSE(asset->bytes.empty()) << row.path;
    EXPECT_EQ(asset->path, row.path);
  }
}

TEST(Assets, EverythingThePageAsksForIsThere) {
  const std::string_view html = find_asset("/")->bytes;
  std::size_t references = 0;
  for (std::size_t at = html.find("\"/page/"); at != std::string_view::npos;
       at = html.find("\"/page/", at + 1)) {
    const std::string_view path = html.substr(at + 1, html.find('"', at + 1) - at - 1);
    EXPECT_NE(find_asset(path), nullptr) << path;
    ++references;
  }
  EXPECT_GT(references, 0U);
}

TEST(Assets, EtagsAreQuotedAndTellContentsApart) {
  const std::string_view page = find_asset("/")->etag;
  ASSERT_GE(page.size(), 10U);
  EXPECT_EQ(page.front(), '"');
  EXPECT_EQ(page.back(), '"');
  EXPECT_NE(page, find_asset("/openapi.json")->etag);
}

TEST(Assets, NothingElseIsServed) {
  for (const std::string_view path :
       {"", "/index.html", "/page/", "/page", "/page/../core", "/page/index.html", "/uproar.db",
        "/auth.key", "//", "/OPENAPI.json"}) {
    EXPECT_EQ(find_asset(path), nullptr) << path;
  }
}

TEST(Assets, AnEtagMatchesAsRfc9110Says) {  // §13.1.2: a list or *, compared weakly
  struct Row {
    std::string_view header;
    bool matches;
  };
  for (const Row& row :
       {Row{R"("abc")", true}, Row{R"(W/"abc")", true}, Row{R"("x", "abc")", true},
        Row{R"("x",W/"abc" , "y")", true}, Row{"*", true}, Row{R"( "abc" )", true},
        Row{R"("a,b", "abc")", true}, Row{"", false}, Row{"abc", false}, Row{R"("ABC")", false},
        Row{R"("x", "y")", false}, Row{R"("abc)", false}, Row{R"(w/"abc")", false},
        Row{R"("x,"abc")", false}, Row{R"("xabc")", false}, Row{",,,", false}}) {
    EXPECT_EQ(etag_matches(row.header, R"("abc")"), row.matches) << row.header;
  }
}

}  // namespace
}  // namespace uproar::gateway
