#pragma once

// RESP2, the protocol of Redis, by hiredis: commands to bytes, bytes to replies. Nothing of hiredis beyond its formatter
// and its reader is used (docs/decisions/0024-bus-over-redis.md).

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proto/base/bytes.h"

struct redisReply;   // hiredis
struct redisReader;  // hiredis

namespace uproar::storage::redis {

// One formatted command. Owns its bytes.
class WireCommand {
 public:
  WireCommand() = default;
  // Binary-safe: an argument may hold any bytes.
  explicit WireCommand(std::span<const std::string_view> arguments);
  WireCommand(std::initializer_list<std::string_view> arguments)
      : WireCommand(std::span(arguments.begin(), arguments.size())) {}

  [[nodiscard]] const char* data() const { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(char* bytes) const;
  };
  std::unique_ptr<char, Free> bytes_;
  std::size_t size_ = 0;
};

// A borrowed part of a reply; dies with the RedisReply it came from.
class RedisValue {
 public:
  explicit RedisValue(const redisReply* reply) : reply_(reply) {}

  [[nodiscard]] bool is_nil() const;
  [[nodiscard]] bool is_error() const;
  [[nodiscard]] bool is_array() const;
  [[nodiscard]] bool is_integer() const;
  // String, status or error; empty for others.
  [[nodiscard]] std::string_view text() const;
  // An integer, or a string that is one; nullopt for others.
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  // Elements of an array, 0 for others.
  [[nodiscard]] std::size_t size() const;
  // REQUIRES: index < size().
  [[nodiscard]] RedisValue operator[](std::size_t index) const;

 private:
  const redisReply* reply_;
};

class RedisReply {
 public:
  explicit RedisReply(redisReply* reply) : reply_(reply) {}
  [[nodiscard]] RedisValue value() const { return RedisValue(reply_.get()); }
  RedisValue operator*() const { return value(); }

 private:
  struct Free {
    void operator()(redisReply* reply) const;
  };
  std::unique_ptr<redisReply, Free> reply_;
};

// Fed with bytes, gives replies. Bounded by kReplyBytesMax and kReplyElementsMax (limits.h).
class RespReader {
 public:
  RespReader();

  // False: what came is no RESP or beyond the bounds. The reader is finished then; error() says why.
  [[nodiscard]] bool feed(ByteView bytes);
  // The next whole reply. nullopt: more bytes are needed, or failed().
  [[nodiscard]] std::optional<RedisReply> next();
  [[nodiscard]] bool failed() const { return !error_.empty(); }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  struct Free {
    void operator()(redisReader* reader) const;
  };
  std::unique_ptr<redisReader, Free> reader_;
  std::size_t bytes_since_reply_ = 0;
  std::string error_;
};

}  // namespace uproar::storage::redis
