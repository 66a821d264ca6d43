#pragma once

// The subcommands of the one binary. Each takes what follows its name and returns the exit code: 0 fine, 1 failed,
// 2 used wrongly.

#include <string>
#include <vector>

namespace uproar::tools {

int serve(const std::vector<std::string>& arguments);
int doctor(const std::vector<std::string>& arguments);
int migrate(const std::vector<std::string>& arguments);

}  // namespace uproar::tools
