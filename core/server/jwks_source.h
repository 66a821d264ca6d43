#pragma once

// Where an external issuer's keys come from: a file, or an https URL that is fetched again every now and then, on a
// thread of its own.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "proto/base/result.h"

namespace uproar::server {

// One document, checked: at least one usable key. Blocking.
[[nodiscard]] Result<std::string, SystemError> read_jwks(const std::string& file_or_url);

// Fetches every ten minutes and tells `changed` when the document differs; a fetch that fails is logged and the old
// keys stay. Files are looked at again, too, so a rotated file needs no restart.
class JwksRefresher {
 public:
  JwksRefresher(std::string source, std::string document,
                std::function<void(const std::string&)> changed);
  ~JwksRefresher();
  JwksRefresher(const JwksRefresher&) = delete;
  JwksRefresher& operator=(const JwksRefresher&) = delete;

 private:
  void run();

  const std::string source_;
  std::string document_;
  const std::function<void(const std::string&)> changed_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // under mutex_
  std::thread thread_;
};

}  // namespace uproar::server
