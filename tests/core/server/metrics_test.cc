// What /metrics says must be what Prometheus reads: the rules of the text format, as promtool checks them.

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/core/server/local_server.h"

namespace uproar::server {
namespace {

struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

struct Family {
  std::string help;
  std::string type;
  std::vector<Sample> samples;
};

bool is_name(std::string_view text) {
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text.front())) != 0) return false;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != ':') return false;
  }
  return true;
}

bool parse_value(const std::string& text, double& out) {
  if (text == "+Inf" || text == "Inf") return out = std::numeric_limits<double>::infinity(), true;
  std::size_t used = 0;
  try {
    out = std::stod(text, &used);
  } catch (const std::exception&) {
    return false;
  }
  return used == text.size();
}

// name{label="value",…} number
bool parse_sample(const std::string& line, Sample& out) {
  const std::size_t brace = line.find('{');
  const std::size_t space = line.rfind(' ');
  if (space == std::string::npos) return false;
  out.name = line.substr(0, std::min(brace, space));
  if (brace != std::string::npos) {
    const std::size_t end = line.find('}', brace);
    if (end == std::string::npos || end + 1 != space) return false;
    std::string rest = line.substr(brace + 1, end - brace - 1);
    while (!rest.empty()) {
      const std::size_t equals = rest.find("=\"");
      const std::size_t quote = equals == std::string::npos ? equals : rest.find('"', equals + 2);
      if (quote == std::string::npos) return false;
      const std::string label = rest.substr(0, equals);
      if (!is_name(label) ||
          !out.labels.emplace(label, rest.substr(equals + 2, quote - equals - 2)).second)
        return false;
      rest.erase(0, quote + 1);
      if (rest.starts_with(",")) rest.erase(0, 1);
    }
  }
  return is_name(out.name) && parse_value(line.substr(space + 1), out.value);
}

class Metrics : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new LocalServer;
    Client client(server_->port());
    EXPECT_EQ(client.upgrade("/ws", bearer(server_->token())).status, 101);
    EXPECT_EQ(client.hear().opcode, 1);
    Client scraper(server_->admin_port());
    answer_ = new HttpAnswer(scraper.request("GET", "/metrics"));
  }
  static void TearDownTestSuite() {
    delete answer_;
    delete server_;
  }

  void SetUp() override {
    std::istringstream lines(answer_->body);
    std::string current;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string hash;
      std::string kind;
      std::string name;
      if (line.starts_with("# ")) {
        words >> hash >> kind >> name >> std::ws;
        std::string rest;
        std::getline(words, rest);
        if (kind == "HELP") {
          ASSERT_TRUE(
              families_.emplace(name, Family{.help = rest, .type = {}, .samples = {}}).second)
              << name << " is there twice";
          current = name;
        } else {
          ASSERT_EQ(kind, "TYPE") << line;
          ASSERT_EQ(name, current) << "TYPE without HELP";
          ASSERT_TRUE(families_[name].type.empty()) << line;
          families_[name].type = rest;
        }
        continue;
      }
      Sample sample;
      ASSERT_TRUE(parse_sample(line, sample)) << line;
      ASSERT_FALSE(current.empty()) << line;
      families_[current].samples.push_back(sample);
    }
  }

  static LocalServer* server_;
  static HttpAnswer* answer_;
  std::map<std::string, Family> families_;
};
LocalServer* Metrics::server_ = nullptr;
HttpAnswer* Metrics::answer_ = nullptr;

TEST_F(Metrics, AreTextOfTheFormatsVersion) {
  EXPECT_EQ(answer_->status, 200);
  EXPECT_TRUE(answer_->header("content-type").starts_with("text/plain; version=0.0.4"))
      << answer_->header("content-type");
  ASSERT_FALSE(answer_->body.empty());
  EXPECT_EQ(answer_->body.back(), '\n');
}

TEST_F(Metrics, EveryFamilyIsNamedExplainedAndTypedByTheRules) {
  EXPECT_GT(families_.size(), 80U);
  for (const auto& [name, family] : families_) {
    EXPECT_TRUE(name.starts_with("uproar_") && is_name(name)) << name;
    EXPECT_FALSE(family.help.empty()) << name;
    EXPECT_TRUE(family.type == "counter" || family.type == "gauge" || family.type == "histogram")
        << name << family.type;
    EXPECT_EQ(name.ends_with("_total"), family.type == "counter") << name;
    for (const std::string_view taken : {"_bucket", "_sum", "_count"})
      EXPECT_FALSE(name.ends_with(taken)) << name;
  }
}

TEST_F(Metrics, TimesAreInSecondsAndHistogramsNameTheirUnit) {
  for (const auto& [name, family] : families_) {
    for (const std::string_view derived : {"_us", "_ms", "_ns"})
      EXPECT_FALSE(name.ends_with(derived)) << name;
    if (family.type != "histogram") continue;
    EXPECT_TRUE(name.ends_with("_seconds") || name.ends_with("_rows") ||
                name.ends_with("_completions"))
        << name;
  }
}

const std::set<std::string> kShards{"0", "1"};

// The store is of the process: shards share it. So are the thread that answers operators, and what the process is allowed.
bool is_of_process(const std::string& name) {
  return name.starts_with("uproar_store_") || name.starts_with("uproar_admin_") ||
         name.starts_with("uproar_seccomp_");
}

TEST_F(Metrics, EverySampleBelongsToItsFamilyAndNamesItsShardOnce) {
  for (const auto& [name, family] : families_) {
    const bool of_process = is_of_process(name);
    std::set<std::string> shards;
    std::set<std::string> series;
    for (const Sample& sample : family.samples) {
      const bool of_histogram = sample.name == name + "_bucket" || sample.name == name + "_sum" ||
                                sample.name == name + "_count";
      EXPECT_TRUE(family.type == "histogram" ? of_histogram : sample.name == name) << sample.name;
      ASSERT_EQ(sample.labels.contains("shard"), !of_process) << sample.name;
      if (!of_process) shards.insert(sample.labels.at("shard"));
      std::string key = sample.name;
      for (const auto& [label, value] : sample.labels) key += "|" + label + "=" + value;
      EXPECT_TRUE(series.insert(key).second) << key << " is there twice";
      EXPECT_TRUE(std::isfinite(sample.value)) << sample.name;
      if (family.type != "gauge") {
        EXPECT_GE(sample.value, 0) << sample.name;
      }
    }
    EXPECT_FALSE(family.samples.empty()) << name;
    const std::set<std::string> expected = of_process ? std::set<std::string>{} : kShards;
    EXPECT_EQ(shards, expected) << name;
  }
}

TEST_F(Metrics, HistogramsGrowUpToTheirCount) {
  std::size_t histograms = 0;
  for (const auto& [name, family] : families_) {
    if (family.type != "histogram") continue;
    ++histograms;
    const auto shards = is_of_process(name) ? std::set<std::string>{""} : kShards;
    for (const std::string& shard : shards) {
      double last_bound = -1;
      double last_count = 0;
      double total = -1;
      for (const Sample& sample : family.samples) {
        if (!shard.empty() && sample.labels.at("shard") != shard) continue;
        if (sample.name == name + "_count") total = sample.value;
        if (sample.name != name + "_bucket") continue;
        double bound = 0;
        ASSERT_TRUE(parse_value(sample.labels.at("le"), bound)) << sample.labels.at("le");
        EXPECT_GT(bound, last_bound) << name;
        EXPECT_GE(sample.value, last_count) << name;
        last_bound = bound;
        last_count = sample.value;
      }
      EXPECT_TRUE(std::isinf(last_bound)) << name << " ends with +Inf";
      EXPECT_EQ(last_count, total) << name;
    }
  }
  EXPECT_GE(histograms, 7U);
}

TEST_F(Metrics, CountWhatHappened) {
  const auto sum = [this](const std::string& name) {
    double all = 0;
    for (const Sample& sample : families_.at(name).samples) all += sample.value;
    return all;
  };
  EXPECT_EQ(sum("uproar_net_accepted_total"), 1);
  EXPECT_GE(sum("uproar_net_upgrades_total"), 1);
  EXPECT_EQ(sum("uproar_gateway_sessions_opened_total"), 1);
  EXPECT_EQ(sum("uproar_net_requests_total"), 0) << "a scrape is no request of a shard's";
  EXPECT_EQ(sum("uproar_admin_renderings_total"), 1) << "this scrape";
  EXPECT_EQ(sum("uproar_ring_cq_overflows_total"), 0);
}

TEST_F(Metrics, TellHowTheStoreDoes) {
  const auto value = [this](const std::string& family, const std::string& name) {
    for (const Sample& sample : families_.at(family).samples) {
      if (sample.name == name) return sample.value;
    }
    return -1.0;
  };
  const auto plain = [&value](const std::string& name) { return value(name, name); };
  // The token's user was provisioned: at least one commit of one row, and reads to open the session.
  EXPECT_EQ(plain("uproar_store_up"), 1);
  EXPECT_GE(plain("uproar_store_commits_total"), 1);
  EXPECT_GE(plain("uproar_store_committed_rows_total"), 1);
  EXPECT_GE(value("uproar_store_commit_seconds", "uproar_store_commit_seconds_count"), 1);
  EXPECT_GE(value("uproar_store_commit_rows", "uproar_store_commit_rows_sum"), 1);
  const double seconds = value("uproar_store_commit_seconds", "uproar_store_commit_seconds_sum");
  EXPECT_GT(seconds, 0);
  EXPECT_LT(seconds, 3600) << "microseconds were taken for seconds";
  EXPECT_GE(plain("uproar_store_reads_total"), 1);
  EXPECT_EQ(plain("uproar_store_failed_commits_total"), 0);
  EXPECT_EQ(plain("uproar_store_refused_writes_total"), 0);
  EXPECT_EQ(plain("uproar_store_refused_reads_total"), 0);
  EXPECT_GE(plain("uproar_store_write_queue_jobs"), 0);
  EXPECT_GE(plain("uproar_store_read_queue_jobs"), 0);
}

TEST_F(Metrics, NoLevelIsNegative) {
  for (const auto& [name, family] : families_) {
    if (family.type != "gauge") continue;
    for (const Sample& sample : family.samples) EXPECT_GE(sample.value, 0) << name;
  }
}

}  // namespace
}  // namespace uproar::server
