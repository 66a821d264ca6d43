#include "bench/fanout/report.h"

#include <algorithm>
#include <cstdio>

#include "bench/client/process.h"

namespace uproar::bench {
namespace {

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double at = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (values[above] - values[below]) * (at - static_cast<double>(below));
}

double median_of_samples(const CellReport& cell, double Sample::*member) {
  std::vector<double> values;
  for (const Sample& sample : cell.samples) values.push_back(sample.*member);
  return quantile(std::move(values), 0.5);
}

}  // namespace

double median_of(std::vector<double> values) {
  return quantile(std::move(values), 0.5);
}

const CellReport* find_cell(const std::vector<CellReport>& cells, const std::string& name) {
  const auto found = std::find_if(cells.begin(), cells.end(),
                                  [&](const CellReport& cell) { return cell.name == name; });
  return found == cells.end() ? nullptr : &*found;
}

Comparison compare(const CellReport& cell, const CellReport& floor) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(cell.samples.size(), floor.samples.size()); ++i) {
    if (floor.samples[i].total_us > 0)
      ratios.push_back(cell.samples[i].total_us / floor.samples[i].total_us);
  }
  return {.median = quantile(ratios, 0.5),
          .low = quantile(ratios, 0.25),
          .high = quantile(ratios, 0.75)};
}

void print_table(const std::vector<CellReport>& cells) {
  std::printf("%-14s %6s %9s %9s %12s %8s %10s  %s\n", "cell", "bytes", "CPU us", "shard us",
              "deliveries/s", "reader", "last us", "x floor (quartiles)");
  for (const CellReport& cell : cells) {
    std::printf("%-14s %6zu %9.3f %9.3f %12.0f %7.0f%% %10.0f", cell.name.c_str(), cell.frame_bytes,
                median_of_samples(cell, &Sample::total_us),
                median_of_samples(cell, &Sample::shard_us),
                median_of_samples(cell, &Sample::per_second),
                100 * median_of_samples(cell, &Sample::reader_busy),
                median_of_samples(cell, &Sample::latency_us));
    if (const CellReport* floor = find_cell(cells, cell.floor)) {
      const Comparison ratio = compare(cell, *floor);
      std::printf("  x%.3f (%.3f-%.3f) of %s", ratio.median, ratio.low, ratio.high,
                  floor->name.c_str());
    }
    std::printf("\n");
  }
}

void write_json(const std::string& path,
                const std::vector<std::pair<std::string, std::string>>& facts,
                const std::vector<CellReport>& cells) {
  std::FILE* out = std::fopen(path.c_str(), "w");
  if (out == nullptr) die("cannot write " + path);
  std::fprintf(out, "{\"facts\":{");
  for (std::size_t i = 0; i < facts.size(); ++i) {
    std::fprintf(out, "%s\"%s\":%s", i > 0 ? "," : "", facts[i].first.c_str(),
                 facts[i].second.c_str());
  }
  std::fprintf(out, "},\n\"cells\":[");
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const CellReport& cell = cells[i];
    std::fprintf(out, "%s\n{\"name\":\"%s\",\"what\":\"%s\",\"frame_bytes\":%zu", i > 0 ? "," : "",
                 cell.name.c_str(), cell.what.c_str(), cell.frame_bytes);
    if (const CellReport* floor = find_cell(cells, cell.floor)) {
      const Comparison ratio = compare(cell, *floor);
      std::fprintf(out,
                   ",\"floor\":\"%s\",\"ratio_median\":%.4f,\"ratio_low\":%.4f,\"ratio_high\":%.4f",
                   floor->name.c_str(), ratio.median, ratio.low, ratio.high);
    }
    std::fprintf(out, ",\"samples\":[");
    for (std::size_t k = 0; k < cell.samples.size(); ++k) {
      const Sample& sample = cell.samples[k];
      std::fprintf(out,
                   "%s{\"cpu_us\":%.4f,\"shard_us\":%.4f,\"per_second\":%.0f,\"reader_busy\":%.3f,"
                   "\"last_us\":%.0f}",
                   k > 0 ? "," : "", sample.total_us, sample.shard_us, sample.per_second,
                   sample.reader_busy, sample.latency_us);
    }
    std::fprintf(out, "]}");
  }
  std::fprintf(out, "\n]}\n");
  std::fclose(out);
}

}  // namespace uproar::bench
