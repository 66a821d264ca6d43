// Every setting is a row: it must be readable from a flag, a variable and the file, and refuse what it cannot mean.

#include "core/server/config.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/server/limits.h"
#include "proto/http/limits.h"
#include "tests/core/server/temp_folder.h"

namespace uproar::server {
namespace {

using Words = std::vector<std::string>;

Words joined(Words first, const Words& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

const Words kDatabase = {"--postgres", "postgres://db/chat"};

struct Row {
  std::string name;
  std::string usual;  // as show_config() prints it when nothing is said
  std::string value;
  std::string shown;    // of `value`
  Words wrong;          // values that are refused
  Words together = {};  // flags that the value is only allowed with
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
      {"listen",
       "127.0.0.1:8080",
       "[::1]:9000",
       "[::1]:9000",
       {"9000", "", "localhost:", "a:65536", "a:-1", "a:1x", "a: 1"}},
      {"admin-listen",
       "127.0.0.1:9080",
       "unix:/run/uproar/admin.sock",
       "unix:/run/uproar/admin.sock",
       {"9080", "", "localhost:", "a:65536", "unix:admin.sock", "unix:/", "none"}},
      {"shards", "0", "4", "4", {"65", "-1", "four", "", "1.5", "4 ", "0x4"}},
      {"data", "uproar-data", "/var/lib/uproar", "/var/lib/uproar", {""}},
      {"postgres",
       "(none)",
       "postgres://me:secret@db.example.com:5432/chat",
       "postgres://me:***@db.example.com:5432/chat",
       {"db.example.com", "http://db.example.com/chat", "mysql://db/chat?x=1"}},
      {"log-level", "info", "debug", "debug", {"DEBUG", "verbose", "", "warning"}},
      {"redis",
       "(none)",
       "redis://me:secret@redis-1:6379,redis-2/0",
       "redis://me:***@redis-1:6379,redis-2/0",
       {"redis-1:6379", "rediss://redis-1", "redis://", "redis://a:port", "redis://a/x"},
       kDatabase},
      {"etcd",
       "(none)",
       "http://etcd-1:2379,http://etcd-2:2379",
       "http://etcd-1:2379,http://etcd-2:2379",
       {"etcd-1:2379", "http://", "http://etcd-1/v3", "http://me:secret@etcd-1"},
       joined(kDatabase, {"--redis", "redis://r"})},
      {"node-id", "(none)", "berlin-7", "berlin-7", {"a\tb", std::string(129, 'n')}},
      {"node-lease",
       "10s",
       "2500ms",
       "2500ms",
       {"10", "s", "10m", "999ms", "0s", "601s", "-1s", "1.5s", "10 s", "4294967297s"},
       joined(kDatabase, {"--redis", "redis://r"})},
      {"advertise",
       "(none)",
       "wss://chat.example.com",
       "wss://chat.example.com",
       {"chat.example.com", "https://chat.example.com", "wss://chat.example.com/", "wss://a/path",
        "wss://a?x", "ws://a b", "ws://me:secret@a", "ws://", "ws://:80", "ws://0.0.0.0",
        "ws://0.0.0.0:80", "ws://[::]:80", "ws://a:70000", "ws://" + std::string(600, 'a')}},
      {"server-name",
       "(none)",
       "chat.example.com",
       "chat.example.com",
       {"", "chat.example.com:8080", "https://chat.example.com", "chat.example.com/", "*",
        "*.example.com", "me@chat.example.com", "a b", "a,b", "ch\xc3\xa4t.example", "2001:db8::5",
        "[2001:db8::5]:80", "[::g]", "0.0.0.0", "[::]", std::string(254, 'a')}},
      {"auth-secret-file", "uproar-data/auth.key", "/run/key", "/run/key", {}},
      {"jwks",
       "(none)",
       "keys.json",
       "keys.json",
       {"http://issuer.example.com/keys"},
       {"--jwt-issuer", "i", "--jwt-audience", "a"}},
      {"jwt-issuer",
       "(none)",
       "https://issuer.example.com",
       "https://issuer.example.com",
       {},
       {"--jwks", "k", "--jwt-audience", "a"}},
      {"jwt-audience", "(none)", "uproar", "uproar", {}, {"--jwks", "k", "--jwt-issuer", "i"}},
      {"allow-origin",
       "(none)",
       "https://chat.example.com",
       "https://chat.example.com",
       {"chat.example.com", "https://chat.example.com/", "ftp://x", "", "**"}},
      {"trusted-proxy",
       "(none)",
       "10.0.0.0/8",
       "10.0.0.0/8",
       {"", "proxy.example.com", "10.0.0.5/8", "10.0.0.0/33", "10.0.0.0/", "0.0.0.0/0", "::/0",
        "127.0.0.1:80", "[::1]", "2001:db8::/129", "10.0.0.0/8 ", "*", "10.0.0"}},
      {"proxy-protocol", "false", "true", "true", {"maybe", ""}, {"--trusted-proxy", "127.0.0.1"}},
      {"connections-max", "0", "100000", "100000", {"4000001", "many", "-1"}},
      {"connections-per-address", "200", "0", "0", {"1000001", "-1"}},
      {"open-per-address", "0", "100", "100", {"4000001", "-1"}},
      {"connections-per-user", "20", "5", "5", {"0", "10001"}},
      {"presence", "shared", "public", "public", {"private", "", "Shared"}},
      {"commands-per-second", "100", "1", "1", {"0", "1000001"}},
      {"conversations-per-day", "1000", "0", "0", {"1000001", "-1"}},
      {"first-contacts-per-day", "10000", "50", "50", {"1000001", "few"}},
      {"message-mb-per-day", "1024", "16384", "16384", {"16385", "1GB"}},
      {"logins-per-address", "60", "600", "600", {"0", "1000001"}},
      {"registrations-per-address", "100", "0", "0", {"1000001", "-1"}},
      {"openings-per-second", "2000", "0", "0", {"1000001", "-1"}},
      {"resumes-per-second", "2000", "500", "500", {"1000001", "many"}},
      {"heartbeat-timeout", "120", "30", "30", {"4", "3601", "30s"}},
      {"deflate", "true", "false", "false", {"maybe", "TRUE", "", "2"}},
      {"deflate-bytes-min", "1024", "0", "0", {"1000001", "1k"}},
      {"egress-mb-max", "256", "64", "64", {"0", "65537", "64MB"}},
      {"drain-seconds", "10", "0", "0", {"3601", "-5"}},
      {"seccomp", "enforce", "kill", "kill", {"on", "true", "", "Enforce"}},
      {"landlock", "true", "false", "false", {"maybe", "TRUE", "", "2"}},
  };
  return table;
}

std::string variable_of(std::string name) {
  for (char& c : name)
    c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return "UPROAR_" + name;
}

std::string key_of(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// What show_config() prints, by name.
std::map<std::string, std::string> shown(const Config& config) {
  std::map<std::string, std::string> out;
  std::istringstream lines(show_config(config));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name >> std::ws;
    std::getline(words, out[name]);
  }
  return out;
}

// A folder without uproar.toml, unless the test writes one.
class ConfigTest : public ::testing::Test {
 protected:
  [[nodiscard]] Result<Config, ConfigError> read(
      Words arguments, std::vector<std::pair<std::string, std::string>> environment = {}) const {
    return read_config({.arguments = std::move(arguments),
                        .environment = std::move(environment),
                        .working_dir = folder_.path()});
  }
  // The error's text, or "" where there was none.
  [[nodiscard]] std::string trouble(
      Words arguments, std::vector<std::pair<std::string, std::string>> environment = {}) const {
    const auto config = read(std::move(arguments), std::move(environment));
    if (config.ok()) return {};
    EXPECT_FALSE(config.error().is_help);
    return config.error().text;
  }

  TempFolder folder_;
};

void expect_in(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "no \"" << part << "\" in: " << text;
}

TEST_F(ConfigTest, TheTableHereHasEverySettingAndItsDefault) {
  const auto config = read({});
  ASSERT_TRUE(config.ok());
  const auto settings = shown(*config);
  EXPECT_EQ(settings.size(), rows().size()) << "a setting without a row in this test";
  for (const Row& row : rows()) {
    ASSERT_TRUE(settings.contains(row.name)) << row.name;
    EXPECT_EQ(settings.at(row.name), row.usual) << row.name;
  }
}

TEST_F(ConfigTest, EverySettingIsReadFromAFlag) {
  for (const Row& row : rows()) {
    for (const Words& flag :
         {Words{"--" + row.name, row.value}, Words{"--" + row.name + "=" + row.value}}) {
      const auto config = read(joined(flag, row.together));
      ASSERT_TRUE(config.ok()) << row.name << ": " << config.error().text;
      EXPECT_EQ(shown(*config).at(row.name), row.shown) << row.name;
    }
  }
}

TEST_F(ConfigTest, EverySettingIsReadFromAVariable) {
  for (const Row& row : rows()) {
    const auto config = read(row.together, {{variable_of(row.name), row.value}});
    ASSERT_TRUE(config.ok()) << row.name << ": " << config.error().text;
    EXPECT_EQ(shown(*config).at(row.name), row.shown) << row.name;
  }
}

TEST_F(ConfigTest, EverySettingIsReadFromTheFileAsTextOrAsItsOwnKind) {
  for (const Row& row : rows()) {
    Words forms = {"\"" + row.value + "\""};
    const bool number = std::all_of(row.value.begin(), row.value.end(),
                                    [](unsigned char c) { return std::isdigit(c); });
    if (number || row.value == "false") forms.push_back(row.value);
    for (const std::string& form : forms) {
      folder_.write("uproar.toml", "# a comment\n" + key_of(row.name) + " = " + form + "\n");
      const auto config = read(row.together);
      ASSERT_TRUE(config.ok()) << row.name << ": " << config.error().text;
      EXPECT_EQ(shown(*config).at(row.name), row.shown) << row.name;
    }
  }
}

TEST_F(ConfigTest, AWrongValueIsRefusedWhereverItStandsAndTheErrorNamesThePlaceAndTheValue) {
  for (const Row& row : rows()) {
    for (const std::string& wrong : row.wrong) {
      const std::string by_flag = trouble(joined({"--" + row.name + "=" + wrong}, row.together));
      if (!wrong
               .empty()) {  // an empty flag value is the command line parser's affair; it is refused, too
        expect_in(by_flag, "--" + row.name);
        // A password is not repeated, however wrong the rest is.
        if (row.name != "jwks" && wrong.find("secret") == std::string::npos)
          expect_in(by_flag, "\"" + wrong + "\"");
        EXPECT_EQ(by_flag.find("secret@"), std::string::npos) << by_flag;
      }
      EXPECT_NE(by_flag, "") << row.name << "=" << wrong;
      const std::string by_variable = trouble(row.together, {{variable_of(row.name), wrong}});
      EXPECT_NE(by_variable, "") << row.name << "=" << wrong;
      folder_.write("uproar.toml", key_of(row.name) + " = \"" + wrong + "\"\n");
      const std::string by_file = trouble(row.together);
      EXPECT_NE(by_file, "") << row.name << "=" << wrong;
      folder_.write("uproar.toml", "");
      if (row.name == "jwks") continue;  // judged together, whatever their source
      expect_in(by_variable, variable_of(row.name));
      expect_in(by_file, "uproar.toml: key " + key_of(row.name));
    }
  }
}

TEST_F(ConfigTest, AProxyHeaderIsOnlyBelievedOfProxiesThatAreNamed) {
  expect_in(trouble({"--proxy-protocol", "true"}), "--proxy-protocol needs --trusted-proxy");
  const auto config =
      read({"--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "::1", "--proxy-protocol=true"});
  ASSERT_TRUE(config.ok()) << config.error().text;
  EXPECT_EQ(shown(*config).at("trusted-proxy"), "10.0.0.0/8 ::1");
}

TEST_F(ConfigTest, SchemesOfAUrlHaveNoCase) {
  const auto config = read({"--advertise", "WSS://chat.example.com:8443"});
  ASSERT_TRUE(config.ok()) << config.error().text;
  EXPECT_EQ(config->advertise, "wss://chat.example.com:8443");
}

TEST_F(ConfigTest, FlagsWinOverVariablesAndVariablesOverTheFile) {
  for (const Row& row : rows()) {
    if (row.value == row.usual || !row.together.empty()) continue;
    const std::string name = row.name;
    // The row's own value is on the winning side, a value that is allowed as well on the losing one.
    const std::string other = name == "auth-secret-file" ? "other.key"
                              : name == "advertise"      ? "ws://other:1"
                              : name == "server-name"    ? "other.example.com"
                              : name == "postgres"       ? "postgres://other/chat"
                              : name == "node-id"        ? "other"
                              : name == "allow-origin"   ? "https://other.example.com"
                              : name == "trusted-proxy"  ? "192.0.2.1"
                                                         : row.usual;
    folder_.write("uproar.toml", key_of(name) + " = \"" + other + "\"\n");
    const auto by_variable = read({}, {{variable_of(name), row.value}});
    ASSERT_TRUE(by_variable.ok()) << name << by_variable.error().text;
    EXPECT_EQ(shown(*by_variable).at(name), row.shown) << name;
    const auto by_flag = read({"--" + name, row.value}, {{variable_of(name), other}});
    ASSERT_TRUE(by_flag.ok()) << name << by_flag.error().text;
    EXPECT_EQ(shown(*by_flag).at(name), row.shown) << name;
  }
}

TEST_F(ConfigTest, TheFileIsTheOneInTheWorkingFolderUnlessAFlagOrAVariableNamesAnother) {
  folder_.write("uproar.toml", "shards = 1\n");
  const std::string second = folder_.write("second.toml", "shards = 2\n");
  const std::string third = folder_.write("third.toml", "shards = 3\n");
  EXPECT_EQ(read({})->shards, 1U);
  EXPECT_EQ(read({}, {{"UPROAR_CONFIG", second}})->shards, 2U);
  EXPECT_EQ(read({"--config", third}, {{"UPROAR_CONFIG", second}})->shards, 3U);
}

TEST_F(ConfigTest, AFileThatWasNamedMustBeThere) {
  expect_in(trouble({"--config", folder_.file("nowhere.toml")}), "nowhere.toml");
  expect_in(trouble({}, {{"UPROAR_CONFIG", folder_.file("nowhere.toml")}}), "nowhere.toml");
  expect_in(trouble({"--config", folder_.file("nowhere.toml")}), "Try: name a file");
}

TEST_F(ConfigTest, AFolderIsNoFileOfSettings) {
  expect_in(trouble({"--config", folder_.path()}), folder_.path() + ": this is a folder. Try: ");
}

TEST_F(ConfigTest, ASyntaxErrorInTheFileNamesItsLine) {
  folder_.write("uproar.toml", "shards = 2\n\nnode_id = \"a\nlisten = \"b:1\"\n");
  const std::string text = trouble({});
  expect_in(text, "uproar.toml line 3");
}

TEST_F(ConfigTest, AKindThatASettingCannotHaveIsRefused) {
  for (const std::string line :
       {"shards = 1.5", "shards = [1, 2]", "node_id = {a = 1}", "[shards]", "deflate = 2026-01-01",
        "allow_origin = [1.5]", "allow_origin = [[\"*\"]]"}) {
    folder_.write("uproar.toml", line + "\n");
    EXPECT_NE(trouble({}), "") << line;
  }
}

TEST_F(ConfigTest, UnknownNamesAreRefusedWithTheNearestKnownOne) {
  struct Slip {
    std::string said;
    std::string meant;
  };
  for (const Slip& slip : {Slip{"--shard", "--shards"}, Slip{"--log_level", "--log-level"},
                           Slip{"--lisen", "--listen"}, Slip{"--alow-origins", "--allow-origin"},
                           Slip{"--confg", "--config"}}) {
    for (const Words& form : {Words{slip.said, "x"}, Words{slip.said + "=x"}}) {
      const std::string text = trouble(form);
      expect_in(text, "option " + slip.said + " is unknown. Did you mean " + slip.meant +
                          "? See uproar serve --help");
    }
  }
  for (const Slip& slip :
       {Slip{"UPROAR_SHARD", "UPROAR_SHARDS"}, Slip{"UPROAR_LOGLEVEL", "UPROAR_LOG_LEVEL"},
        Slip{"UPROAR_CONFG", "UPROAR_CONFIG"}}) {
    const std::string text = trouble({}, {{slip.said, "1"}});
    expect_in(text, slip.said + " is unknown");
    expect_in(text, "Did you mean " + slip.meant + "?");
  }
  for (const Slip& slip : {Slip{"shard", "shards"}, Slip{"log-level", "log_level"},
                           Slip{"allow_origins", "allow_origin"}}) {
    folder_.write("uproar.toml", slip.said + " = \"1\"\n");
    const std::string text = trouble({});
    expect_in(text, "key " + slip.said + " is unknown");
    expect_in(text, "Did you mean " + slip.meant + "?");
  }
}

TEST_F(ConfigTest, ANameThatIsNearNothingGetsNoGuess) {
  const std::string text = trouble({"--zzzzzzzz"});
  expect_in(text, "--zzzzzzzz is unknown. See uproar serve --help");
  EXPECT_EQ(text.find("Did you mean"), std::string::npos) << text;
}

TEST_F(ConfigTest, WordsThatBelongToNoFlagAreRefused) {
  expect_in(trouble({"serve"}), "serve");
  EXPECT_NE(trouble({"--shards"}), "") << "a flag without its value";
  EXPECT_NE(trouble({"--shards", "2", "3"}), "");
}

TEST_F(ConfigTest, OtherVariablesAreNobodysBusiness) {
  EXPECT_TRUE(read({}, {{"PATH", "/bin"}, {"uproar_shards", "x"}, {"UPROARIOUS", "y"}}).ok());
}

TEST_F(ConfigTest, HelpListsEveryFlagItsDefaultAndTheOrderOfSources) {
  const std::string help = read({"--help"}).error().text;
  for (const Words& ask : {Words{"--help"}, Words{"-h"}, Words{"--shards", "2", "--help"}}) {
    const auto config = read(ask);
    ASSERT_FALSE(config.ok());
    EXPECT_TRUE(config.error().is_help);
    EXPECT_EQ(config.error().text, help);
  }
  for (const Row& row : rows()) expect_in(help, "--" + row.name + " ");
  expect_in(help, "[127.0.0.1:8080]");
  expect_in(help, "UPROAR_LOG_LEVEL");
  expect_in(help, "flags win over the environment");
  expect_in(help, "--config");
}

TEST_F(ConfigTest, OriginsMayBeRepeatedAndAStrongerSourceReplacesThemAll) {
  using Origins = std::vector<std::string>;
  EXPECT_EQ(read({"--allow-origin", "https://a.example", "--allow-origin", "http://b.example:3000"})
                ->allow_origins,
            (Origins{"https://a.example", "http://b.example:3000"}));
  folder_.write("uproar.toml", "allow_origin = [\"https://c.example\", \"https://d.example\"]\n");
  EXPECT_EQ(read({})->allow_origins, (Origins{"https://c.example", "https://d.example"}));
  EXPECT_EQ(read({}, {{"UPROAR_ALLOW_ORIGIN", "*"}})->allow_origins, Origins{"*"});
  EXPECT_EQ(
      read({"--allow-origin", "https://a.example"}, {{"UPROAR_ALLOW_ORIGIN", "*"}})->allow_origins,
      Origins{"https://a.example"});
}

TEST_F(ConfigTest, OriginsHaveABound) {
  Words many;
  for (std::size_t i = 0; i < http::kAllowedOriginsMax; ++i)
    many = joined(many, {"--allow-origin", "http://a" + std::to_string(i)});
  EXPECT_TRUE(read(many).ok());
  expect_in(trouble(joined(many, {"--allow-origin", "http://b"})), "expected at most 64 of them");
}

TEST_F(ConfigTest, NamesOfTheServerMayBeRepeatedAndHaveABound) {
  EXPECT_EQ(read({"--server-name", "a.example", "--server-name", "[2001:db8::5]"})->server_names,
            (Words{"a.example", "[2001:db8::5]"}));
  folder_.write("uproar.toml", "server_name = [\"c.example\", \"d.example\"]\n");
  EXPECT_EQ(read({})->server_names, (Words{"c.example", "d.example"}));
  EXPECT_EQ(read({}, {{"UPROAR_SERVER_NAME", "e.example"}})->server_names, Words{"e.example"});
  Words many;
  for (std::size_t i = 0; i < kServerNamesMax; ++i) many = joined(many, {"--server-name", "a"});
  EXPECT_TRUE(read(many).ok());
  expect_in(trouble(joined(many, {"--server-name", "a"})), "expected at most 64 of them");
  expect_in(trouble({"--server-name", "*.example.com"}), "there are no patterns");
  expect_in(trouble({"--server-name", "a:80"}), "such as chat.example.com");
}

TEST_F(ConfigTest, ServersOfRedisAndEtcdMayBeSaidOneByOneOrTogether) {
  const Words both =
      joined(kDatabase, {"--redis", "redis://:pw@a,b:7", "--redis", "redis://:pw@c"});
  const auto config = read(joined(both, {"--etcd", "http://x", "--etcd", "http://y/,http://z:1"}));
  ASSERT_TRUE(config.ok()) << config.error().text;
  const auto url = redis_url(*config);
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->public_text(), "redis://a:6379,b:7,c:6379");
  EXPECT_EQ(url->password, "pw");
  EXPECT_EQ(etcd_urls(*config), (Words{"http://x", "http://y", "http://z:1"}));

  folder_.write("uproar.toml", "redis = [\"redis://a\", \"redis://b\"]\n");
  EXPECT_EQ(redis_url(*read(kDatabase))->public_text(), "redis://a:6379,b:6379");
  EXPECT_EQ(redis_url(*read(kDatabase, {{"UPROAR_REDIS", "redis://c"}}))->public_text(),
            "redis://c:6379")
      << "a stronger source replaces them all";
}

TEST_F(ConfigTest, WhatOneNodeOfSeveralNeedsIsAskedFor) {
  const Words bus = {"--redis", "redis://r"};
  const Words node = joined(kDatabase, bus);
  EXPECT_EQ(trouble(node), "");
  expect_in(trouble(bus), "--redis needs --postgres");
  expect_in(trouble(joined(kDatabase, {"--etcd", "http://e"})), "--etcd needs --redis");
  for (const std::string other : {"redis://:pw@b", "redis://me:pw@b", "redis://b/1"})
    expect_in(trouble(joined(node, {"--redis", other})), "the same in all");
  for (const std::string everywhere : {":8080", "0.0.0.0:8080", "[::]:8080"}) {
    expect_in(trouble(joined(node, {"--listen", everywhere})), "--redis needs --advertise");
    EXPECT_EQ(trouble(joined(node, {"--listen", everywhere, "--advertise", "ws://h:1"})), "");
  }
  EXPECT_EQ(trouble(joined(node, {"--node-lease", "1s"})), "");
  expect_in(trouble(joined(node, {"--etcd", "http://e", "--node-lease", "1999ms"})), "below 2s");
  expect_in(trouble(joined(node, {"--etcd", "http://e", "--node-lease", "2500ms"})),
            "whole seconds. Try: 3s");
  EXPECT_EQ(trouble(joined(node, {"--etcd", "http://e", "--node-lease", "3s"})), "");
  expect_in(trouble(joined(kDatabase, {"--node-lease", "3s"})), "--node-lease needs --redis");
}

TEST_F(ConfigTest, ASettingThatIsGivenTwiceTakesTheLastWord) {
  EXPECT_EQ(read({"--shards", "1", "--shards", "2"})->shards, 2U);
}

TEST_F(ConfigTest, AKeySetNeedsItsIssuerAndAudienceAndTheyNeedIt) {
  const Words parts[3] = {{"--jwks", "keys.json"}, {"--jwt-issuer", "i"}, {"--jwt-audience", "a"}};
  for (unsigned mask = 0; mask < 8; ++mask) {
    Words arguments;
    for (unsigned i = 0; i < 3; ++i) {
      if ((mask >> i & 1U) != 0) arguments = joined(arguments, parts[i]);
    }
    const std::string text = trouble(arguments);
    if (mask == 0 || mask == 7) {
      EXPECT_EQ(text, "") << mask;
    } else {
      expect_in(text, "belong together");
    }
  }
  EXPECT_EQ(
      trouble({"--jwks", "keys.json"}, {{"UPROAR_JWT_ISSUER", "i"}, {"UPROAR_JWT_AUDIENCE", "a"}}),
      "")
      << "wherever they come from";
  expect_in(trouble({"--jwks", "http://x/keys", "--jwt-issuer", "i", "--jwt-audience", "a"}),
            "plain http");
}

TEST_F(ConfigTest, TheAddressToListenOnHasItsForms) {
  struct Form {
    std::string text;
    std::string host;
    std::uint16_t port;
  };
  for (const Form& form :
       {Form{"127.0.0.1:0", "127.0.0.1", 0}, Form{":8080", "0.0.0.0", 8080},
        Form{"[::]:8080", "::", 8080}, Form{"localhost:65535", "localhost", 65535},
        Form{"[fe80::1]:80", "fe80::1", 80}}) {
    const auto config = read({"--listen", form.text});
    ASSERT_TRUE(config.ok()) << config.error().text;
    EXPECT_EQ(config->listen_host, form.host);
    EXPECT_EQ(config->listen_port, form.port);
  }
}

TEST_F(ConfigTest, OperatorsFindEachNodeAThousandPortsAboveItsClientsUnlessSaidOtherwise) {
  EXPECT_EQ(admin_address(*read({"--listen", "127.0.0.1:8081"})).text(), "127.0.0.1:9081");
  EXPECT_EQ(admin_address(*read({"--listen", "127.0.0.1:8081", "--admin-listen", "off"})).text(),
            "off");
}

TEST_F(ConfigTest, APasswordIsNeverShown) {
  const std::pair<std::string, std::string> forms[] = {
      {"postgresql://me:hun:t@er2@db/chat?sslmode=require",
       "postgresql://me:***@db/chat?sslmode=require"},
      {"postgres://me:hun/t?er@db/chat", "postgres://me:***@db/chat"},
      {"postgres://me@db/chat", "postgres://me@db/chat"},
      {"postgres://db:5432/chat", "postgres://db:5432/chat"},
      {"host=db user=me password=hunter2 dbname=chat", "host=db user=me password=***"},
      {"host=db user=me password = hunter2 dbname=chat", "host=db user=me password =***"},
      {"password\t=\t'hun ter2' host=db", "password\t=***"},
      {"user=password password = 'hun\\'ter2'", "user=password password =***"},
      {"host=db sslpassword = hunter2 password=hunter2", "host=db sslpassword =***"},
      {"postgres://db/chat?user=me&password=hunter2", "postgres://db/chat?user=me&password=***"},
      {"host=password.example.com user=me", "host=password.example.com user=me"},
  };
  for (const auto& [given, shown] : forms) {
    const auto config = read_config({.arguments = {"--postgres", given}, .environment = {}});
    ASSERT_TRUE(config.ok()) << given;
    EXPECT_EQ(config->postgres, given);
    EXPECT_NE(show_config(*config).find(shown + "\n"), std::string::npos) << show_config(*config);
    EXPECT_EQ(show_config(*config).find("hun"), std::string::npos);
  }
}

TEST_F(ConfigTest, SwitchesKnowTheUsualWords) {
  for (const std::string word : {"true", "on", "1", "yes"})
    EXPECT_TRUE(read({"--deflate", word})->deflate) << word;
  for (const std::string word : {"false", "off", "0", "no"})
    EXPECT_FALSE(read({"--deflate", word})->deflate) << word;
}

TEST_F(ConfigTest, TheKeyLivesInTheDataFolderUnlessAnotherIsNamed) {
  EXPECT_EQ(read({"--data", "/srv/chat"})->auth_secret_file, "/srv/chat/auth.key");
  EXPECT_EQ(read({"--data", "/srv/chat", "--auth-secret-file", "k"})->auth_secret_file, "k");
}

TEST(NearestName, FindsSlipsOfTheFingerAndNothingElse) {
  const Words known = {"alpha", "beta", "gamma", "connections-max"};
  EXPECT_EQ(nearest_name("alpha", known), "alpha");
  EXPECT_EQ(nearest_name("alhpa", known), "alpha") << "two letters swapped";
  EXPECT_EQ(nearest_name("bet", known), "beta");
  EXPECT_EQ(nearest_name("betaa", known), "beta");
  EXPECT_EQ(nearest_name("conection-mx", known), "connections-max") << "three slips in a long word";
  EXPECT_EQ(nearest_name("delta-something", known), std::nullopt);
  EXPECT_EQ(nearest_name("xyzzy", known), std::nullopt);
  EXPECT_EQ(nearest_name("", known), std::nullopt);
  EXPECT_EQ(nearest_name("alpha", {}), std::nullopt);
}

TEST(NearestName, PrefersTheNearerAndAmongEqualsTheFirst) {
  EXPECT_EQ(nearest_name("abce", {"abxx", "abcd"}), "abcd");
  EXPECT_EQ(nearest_name("abc", {"abd", "abe"}), "abd");
}

}  // namespace
}  // namespace uproar::server
