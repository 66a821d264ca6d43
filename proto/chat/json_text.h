#pragma once

// What both decoders of proto/chat read of a JSON value without looking into it.

#include <string_view>

#include <simdjson.h>

namespace uproar::chat {

inline std::string_view trimmed_right(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

// The value as it stands in the payload, of which `out` is a view. Objects, arrays and strings are consumed. False: it is
// broken.
inline bool raw_text_of(simdjson::ondemand::value& value, simdjson::ondemand::json_type type,
                        std::string_view& out) {
  using simdjson::ondemand::json_type;
  switch (type) {
    case json_type::object: {
      simdjson::ondemand::object object;
      return value.get_object().get(object) == simdjson::SUCCESS &&
             object.raw_json().get(out) == simdjson::SUCCESS;
    }
    case json_type::array: {
      simdjson::ondemand::array array;
      return value.get_array().get(array) == simdjson::SUCCESS &&
             array.raw_json().get(out) == simdjson::SUCCESS;
    }
    case json_type::string:
      // Taken: one that is stepped over and followed by ':' passes for the key of a field.
      out = value.raw_json_token();
      return value.get_raw_json_string().error() == simdjson::SUCCESS;
    default:
      out = value.raw_json_token();
      return true;  // left unconsumed: the iterator steps over it
  }
}

}  // namespace uproar::chat
