// Hot path: per publish one allocation for the command, one for its answer; per event from another node eight, all of them
// hiredis's (an array and three strings), and two copies of the payload, into its buffer and into the string.
#include "storage/redis/resp.h"

#include <utility>

#include <hiredis/hiredis.h>

#include "absl/container/inlined_vector.h"
#include "proto/base/check.h"
#include "proto/base/parse_number.h"
#include "storage/redis/limits.h"

namespace uproar::storage::redis {
namespace {

redisReplyObjectFunctions& default_functions() {
  static redisReplyObjectFunctions functions = [] {
    redisReader* reader = redisReaderCreate();
    UPROAR_CHECK(reader != nullptr);
    const redisReplyObjectFunctions found = *reader->fn;
    redisReaderFree(reader);
    return found;
  }();
  return functions;
}

// "*1000000000" is 13 bytes and would make hiredis reserve 8 GB. The type of `elements` differs between its versions.
template <class Count>
void* bounded_array(const redisReadTask* task, Count elements) {
  if (static_cast<std::size_t>(elements) > kReplyElementsMax) return nullptr;
  return default_functions().createArray(task, elements);
}

redisReplyObjectFunctions& bounded_functions() {
  static redisReplyObjectFunctions functions = [] {
    redisReplyObjectFunctions changed = default_functions();
    changed.createArray = &bounded_array;
    return changed;
  }();
  return functions;
}

}  // namespace

void WireCommand::Free::operator()(char* bytes) const {
  redisFreeCommand(bytes);
}
void RedisReply::Free::operator()(redisReply* reply) const {
  freeReplyObject(reply);
}
void RespReader::Free::operator()(redisReader* reader) const {
  redisReaderFree(reader);
}

WireCommand::WireCommand(std::span<const std::string_view> arguments) {
  absl::InlinedVector<const char*, 8> texts;
  absl::InlinedVector<std::size_t, 8> sizes;
  for (const std::string_view argument : arguments) {
    texts.push_back(argument.data() == nullptr ? "" : argument.data());
    sizes.push_back(argument.size());
  }
  char* bytes = nullptr;
  const auto size = redisFormatCommandArgv(&bytes, static_cast<int>(arguments.size()), texts.data(),
                                           sizes.data());
  UPROAR_CHECK(size > 0, size);  // out of memory alone
  bytes_.reset(bytes);
  size_ = static_cast<std::size_t>(size);
}

bool RedisValue::is_nil() const {
  return reply_->type == REDIS_REPLY_NIL;
}
bool RedisValue::is_error() const {
  return reply_->type == REDIS_REPLY_ERROR;
}
bool RedisValue::is_array() const {
  return reply_->type == REDIS_REPLY_ARRAY;
}
bool RedisValue::is_integer() const {
  return reply_->type == REDIS_REPLY_INTEGER;
}

std::string_view RedisValue::text() const {
  switch (reply_->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
      return {reply_->str, static_cast<std::size_t>(reply_->len)};
    default:
      return {};
  }
}

std::optional<std::int64_t> RedisValue::integer() const {
  if (reply_->type == REDIS_REPLY_INTEGER) return reply_->integer;
  return parse_number<std::int64_t>(text());
}

std::size_t RedisValue::size() const {
  return is_array() ? static_cast<std::size_t>(reply_->elements) : 0;
}

RedisValue RedisValue::operator[](std::size_t index) const {
  UPROAR_CHECK(index < size(), index);
  return RedisValue(reply_->element[index]);
}

RespReader::RespReader() : reader_(redisReaderCreateWithFunctions(&bounded_functions())) {
  UPROAR_CHECK(reader_ != nullptr);
}

bool RespReader::feed(ByteView bytes) {
  if (failed()) return false;
  bytes_since_reply_ += bytes.size();
  if (bytes_since_reply_ > kReplyBytesMax) {
    error_ = "a reply is larger than " + std::to_string(kReplyBytesMax) + " bytes";
    return false;
  }
  if (redisReaderFeed(reader_.get(), reinterpret_cast<const char*>(bytes.data()), bytes.size()) !=
      REDIS_OK)
    error_ = static_cast<const char*>(reader_->errstr);
  return !failed();
}

std::optional<RedisReply> RespReader::next() {
  if (failed()) return std::nullopt;
  void* reply = nullptr;
  if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
    error_ = static_cast<const char*>(reader_->errstr);
    if (error_.empty()) error_ = "no RESP";
    return std::nullopt;
  }
  if (reply == nullptr) return std::nullopt;
  bytes_since_reply_ = 0;
  return RedisReply(static_cast<redisReply*>(reply));
}

}  // namespace uproar::storage::redis
