#include "core/server/jwks_source.h"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <system_error>
#include <utility>

#include <curl/curl.h>

#include "core/server/log.h"
#include "proto/auth/jwks.h"
#include "proto/auth/limits.h"

namespace uproar::server {
namespace {

constexpr std::chrono::minutes kRefresh{10};

std::size_t append(char* bytes, std::size_t size, std::size_t count, void* target) {
  auto& document = *static_cast<std::string*>(target);
  if (document.size() + size * count > auth::kJwksBytesMax) return 0;  // ends the transfer
  document.append(bytes, size * count);
  return size * count;
}

Result<std::string, SystemError> fetch(const std::string& url) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  std::string document;
  char reason[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &document);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 10L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "https");
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_OK) return document;
  return Err{
      SystemError{.operation = "fetch key set",
                  .subject = url + ": " + (reason[0] != 0 ? reason : curl_easy_strerror(code)),
                  .code = 0,
                  .hint = "correct --jwks, look whether the issuer answers this machine, or "
                          "download the set and name the file"}};
}

Result<std::string, SystemError> read_file(const std::string& path) {
  std::error_code ignored;
  std::ifstream file(path, std::ios::binary);
  if (std::filesystem::is_directory(path, ignored)) {  // which opens, and reads as an empty file
    errno = EISDIR;
    file.setstate(std::ios::failbit);
  }
  if (!file)
    return Err{SystemError{.operation = "open key set",
                           .subject = path,
                           .code = errno,
                           .hint = "name a readable file with --jwks"}};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Result<std::string, SystemError> read_jwks(const std::string& file_or_url) {
  auto document = file_or_url.starts_with("https://") ? fetch(file_or_url) : read_file(file_or_url);
  if (!document.ok()) return document;
  const auto keys = auth::parse_jwks(*document);
  if (keys.ok()) return document;
  return Err{
      SystemError{.operation = "read key set",
                  .subject = file_or_url + ": " + std::string(auth::jwks_error_text(keys.error())),
                  .code = 0,
                  .hint = "name with --jwks what the issuer's jwks_uri says"}};
}

JwksRefresher::JwksRefresher(std::string source, std::string document,
                             std::function<void(const std::string&)> changed)
    : source_(std::move(source)),
      document_(std::move(document)),
      changed_(std::move(changed)),
      thread_([this] { run(); }) {}

JwksRefresher::~JwksRefresher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void JwksRefresher::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, kRefresh, [this] { return stopping_; })) return;
    }
    auto document = read_jwks(source_);
    if (!document.ok()) {
      log(LogLevel::kWarn, "the external issuer's old keys stay: " + document.error().text());
      continue;
    }
    if (*document == document_) continue;
    document_ = *document;
    changed_(document_);
    log(LogLevel::kInfo, "the external issuer's keys have changed");
  }
}

}  // namespace uproar::server
