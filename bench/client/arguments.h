#pragma once

// The command line of a load tool. Whatever is not read by its name, or is no number where one is wanted, ends the
// program with the usage.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace uproar::bench {

class Arguments {
 public:
  Arguments(int argc, char** argv, const char* usage)
      : words_(argv + 1, argv + argc), usage_(usage) {}

  // True when it is there.
  bool flag(std::string_view name);
  // The word after the name; left alone when the name is not there.
  void read(std::string_view name, std::string& out);
  void read(std::string_view name, std::uint32_t& out);
  // REQUIRES: every name was read. `valid` is what the caller found of the values.
  void finish(bool valid) const;

 private:
  std::vector<std::string> words_;  // not read so far
  const char* usage_;
};

}  // namespace uproar::bench
