#include "storage/etcd/etcd_url.h"

namespace uproar::storage::etcd {

Result<std::vector<std::string>, SystemError> parse_etcd_urls(std::string_view text) {
  const auto refuse = [](std::string_view hint) {
    return Err{SystemError{
        .operation = "read the URL of etcd", .subject = "", .code = 0, .hint = std::string(hint)}};
  };
  std::vector<std::string> urls;
  for (bool more = true; more;) {
    const auto comma = text.find(',');
    std::string_view url = text.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
    if (!url.starts_with("http://") && !url.starts_with("https://"))
      return refuse("begin each member with http:// or https://, as in http://127.0.0.1:2379");
    if (url.ends_with('/') && !url.ends_with("//")) url.remove_suffix(1);
    const std::string_view host = url.substr(url.find("//") + 2);
    if (host.find('@') != std::string_view::npos)
      return refuse("user and password are not supported: keep etcd on a private network");
    if (host.empty() || host.front() == ':') return refuse("name a host: http://127.0.0.1:2379");
    if (host.find_first_of("/?# ") != std::string_view::npos)
      return refuse("nothing follows the port: http://127.0.0.1:2379");
    urls.emplace_back(url);
  }
  return urls;
}

}  // namespace uproar::storage::etcd
