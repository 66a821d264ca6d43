#pragma once

// Samples of the cells, and the table and JSON made of them.

#include <cstdint>
#include <string>
#include <vector>

namespace uproar::bench {

struct Sample {
  double total_us = 0;     // CPU per delivery, all threads
  double shard_us = 0;     // of it the shard's thread
  double per_second = 0;   // deliveries
  double reader_busy = 0;  // share of the time in which the reader had something to read
  double latency_us =
      0;  // median time from a publish until the last member has it; 0: not measured
};

struct CellReport {
  std::string name;
  std::string what;
  std::string floor;  // the cell it is compared with; empty: none
  std::size_t frame_bytes = 0;
  std::vector<Sample> samples = {};  // one a round
};

struct Comparison {
  double median = 0;
  double low = 0;  // quartiles of the paired ratios
  double high = 0;
};

[[nodiscard]] double median_of(std::vector<double> values);
// CPU of `cell` over that of `floor`, round by round.
[[nodiscard]] Comparison compare(const CellReport& cell, const CellReport& floor);

void print_table(const std::vector<CellReport>& cells);
// {"facts": {...}, "cells": [...]}; facts are pairs of a name and JSON.
void write_json(const std::string& path,
                const std::vector<std::pair<std::string, std::string>>& facts,
                const std::vector<CellReport>& cells);

[[nodiscard]] const CellReport* find_cell(const std::vector<CellReport>& cells,
                                          const std::string& name);

}  // namespace uproar::bench
