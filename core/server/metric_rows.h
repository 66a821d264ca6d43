#pragma once

// Tables of counters, gauges and histograms, one row each, to families of the exposition library.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>

#include "core/server/shard.h"
#include "proto/base/counters.h"

namespace uproar::server::metrics {

using prometheus::MetricFamily;
using prometheus::MetricType;

template <class Group, class Value>
struct Row {
  const char* name;
  const char* help;
  Value Group::*member;
};

// What a histogram counts. Prometheus wants base units, so times are exposed in seconds.
enum class Unit : std::uint8_t { kEntries, kMicroseconds };

template <class Group>
struct HistogramRow {
  const char* name;
  const char* help;
  Histogram Group::*member;
  Unit unit;
};

// Whose counters: one of several, told apart by a label, or the process's when `number` is empty.
template <class Group>
struct Source {
  std::string number;
  const Group* group;
  const char* label = "shard";
};

// `group_of(shard)` is null before the shard has started.
template <class GroupOf>
auto per_shard(const std::vector<std::unique_ptr<Shard>>& shards, GroupOf group_of) {
  using Group = std::remove_cvref_t<decltype(*group_of(*shards.front()))>;
  std::vector<Source<Group>> sources;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (const Group* group = group_of(*shards[i])) sources.push_back({std::to_string(i), group});
  }
  return sources;
}

template <class Group>
prometheus::ClientMetric labelled(const Source<Group>& source) {
  prometheus::ClientMetric metric;
  if (!source.number.empty()) metric.label.push_back({source.label, source.number});
  return metric;
}

// One family per row, one metric per source.
template <class Group, std::size_t N>
void add(const std::vector<Source<Group>>& sources, const std::array<Row<Group, Counter>, N>& rows,
         std::vector<MetricFamily>& out) {
  for (const auto& row : rows) {
    MetricFamily family{row.name, row.help, MetricType::Counter, {}};
    for (const Source<Group>& source : sources) {
      auto metric = labelled(source);
      metric.counter.value = static_cast<double>((source.group->*row.member).value());
      family.metric.push_back(std::move(metric));
    }
    out.push_back(std::move(family));
  }
}

template <class Group, std::size_t N>
void add(const std::vector<Source<Group>>& sources, const std::array<Row<Group, Gauge>, N>& rows,
         std::vector<MetricFamily>& out) {
  for (const auto& row : rows) {
    MetricFamily family{row.name, row.help, MetricType::Gauge, {}};
    for (const Source<Group>& source : sources) {
      auto metric = labelled(source);
      metric.gauge.value = static_cast<double>((source.group->*row.member).value());
      family.metric.push_back(std::move(metric));
    }
    out.push_back(std::move(family));
  }
}

inline prometheus::ClientMetric::Histogram buckets_of(const Histogram& histogram, Unit unit) {
  const auto exposed = [unit](std::uint64_t value) {
    return unit == Unit::kMicroseconds ? static_cast<double>(value) / 1e6
                                       : static_cast<double>(value);
  };
  // Every octave is enough for a scrape: 40 buckets instead of 160.
  prometheus::ClientMetric::Histogram out;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    count += histogram.bucket(i);
    if (i % 4 != 3) continue;
    out.bucket.push_back({count, exposed(Histogram::upper_bound(i))});
  }
  out.bucket.push_back({count, std::numeric_limits<double>::infinity()});
  out.sample_count = count;
  out.sample_sum = exposed(histogram.sum());
  return out;
}

template <class Group, std::size_t N>
void add(const std::vector<Source<Group>>& sources, const std::array<HistogramRow<Group>, N>& rows,
         std::vector<MetricFamily>& out) {
  for (const auto& row : rows) {
    MetricFamily family{row.name, row.help, MetricType::Histogram, {}};
    for (const Source<Group>& source : sources) {
      auto metric = labelled(source);
      metric.histogram = buckets_of(source.group->*row.member, row.unit);
      family.metric.push_back(std::move(metric));
    }
    out.push_back(std::move(family));
  }
}

}  // namespace uproar::server::metrics
