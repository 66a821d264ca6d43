// Runs a fuzz target over files: every file of every folder given, and every file given. With libFuzzer absent (g++)
// this is how the committed corpora run as ordinary tests in every preset. An empty or missing folder is a failure:
// a test that ran nothing must not pass.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

// In name order, so that a failure is found again at the same place.
std::vector<fs::path> files_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool run(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    std::fprintf(stderr, "cannot read %s\n", file.c_str());
    return false;
  }
  const std::string bytes((std::istreambuf_iterator<char>(stream)),
                          std::istreambuf_iterator<char>());
  // A block of exactly that size: reads past its end are caught by the address sanitizer.
  const auto block = std::make_unique<std::uint8_t[]>(bytes.size());
  if (!bytes.empty()) std::memcpy(block.get(), bytes.data(), bytes.size());
  std::fprintf(stderr, "%s: %zu bytes\n", file.c_str(),
               bytes.size());  // the last line before a crash names it
  LLVMFuzzerTestOneInput(block.get(), bytes.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FOLDER_OR_FILE...\n", argv[0]);
    return 2;
  }
  std::size_t inputs = 0;
  for (int i = 1; i < argc; ++i) {
    if (!fs::exists(argv[i])) {
      std::fprintf(stderr, "%s does not exist\n", argv[i]);
      return 1;
    }
    const auto files = files_of(argv[i]);
    if (files.empty()) {
      std::fprintf(stderr, "%s holds no files\n", argv[i]);
      return 1;
    }
    for (const fs::path& file : files) {
      if (!run(file)) return 1;
      ++inputs;
    }
  }
  std::fprintf(stderr, "%zu inputs passed\n", inputs);
  return 0;
}
