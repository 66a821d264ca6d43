#pragma once

// What this machine allows, for people (text) and programs (JSON).

#include <cstdint>
#include <string>

namespace uproar::server {

struct DoctorReport {
  bool fit = false;  // everything required is there
  std::string text;  // in the form asked for
};

[[nodiscard]] DoctorReport examine_machine(std::uint32_t shards, bool json);

}  // namespace uproar::server
