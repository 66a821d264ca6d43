#include "core/gateway/assets.h"

#include <string>
#include <vector>

#include "core/gateway/api_files.h"
#include "core/gateway/page_files.h"
#include "proto/http/chars.h"

namespace uproar::gateway {
namespace {

// "index.html" is also "/"; the rest of the page lives under /page/, the documents at the root.
struct Table {
  std::vector<std::string> paths;
  std::vector<Asset> assets;

  template <class File>
  void add(std::string path, const File& file) {
    paths.push_back(std::move(path));
    assets.push_back(
        {.path = {}, .content_type = file.content_type, .bytes = file.bytes, .etag = file.etag});
  }

  Table() {
    for (const auto& file : page::files()) {
      if (file.path == "index.html")
        add("/", file);
      else if (file.path == "favicon.svg")
        add("/favicon.svg", file);
      else
        add("/page/" + std::string(file.path), file);
    }
    for (const auto& file : api::files()) add("/" + std::string(file.path), file);
    for (std::size_t i = 0; i < paths.size(); ++i) assets[i].path = paths[i];
  }
};

}  // namespace

const Asset* find_asset(std::string_view path) {
  static const Table table;
  for (const Asset& asset : table.assets) {
    if (asset.path == path) return &asset;
  }
  return nullptr;
}

bool etag_matches(std::string_view if_none_match, std::string_view etag) {
  std::string_view rest = http::trimmed(if_none_match);
  if (rest == "*") return true;
  while (!rest.empty()) {
    if (rest.starts_with("W/")) rest.remove_prefix(2);
    if (!rest.starts_with('"')) return false;
    const std::size_t end = rest.find('"', 1);  // a comma may stand between the quotes
    if (end == std::string_view::npos) return false;
    const bool same = rest.substr(0, end + 1) == etag;
    rest = http::trimmed(rest.substr(end + 1));
    if (!rest.empty() && !rest.starts_with(',')) return false;
    if (same) return true;
    if (!rest.empty()) rest = http::trimmed(rest.substr(1));
  }
  return false;
}

}  // namespace uproar::gateway
