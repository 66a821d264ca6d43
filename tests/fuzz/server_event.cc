// Events as other nodes publish them: any bytes. Nothing may crash or read outside; what is accepted goes to clients as
// it came, so another front end of simdjson must parse it, and it must say the same once it is encoded again.

#include <cstddef>
#include <cstdint>
#include <string>

#include <simdjson.h>

#include "proto/base/check.h"
#include "proto/chat/server_event_decoder.h"
#include "proto/chat/server_event_encoder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace uproar;
  using namespace uproar::chat;
  static ServerEventDecoder decoder;
  static simdjson::dom::parser parser;
  static JsonWriter out;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto event = decoder.decode(as_bytes(text));
  if (!event.ok()) return 0;
  UPROAR_CHECK(parser.parse(text).error() == simdjson::SUCCESS, text);
  out.clear();
  encode(*event, {}, out);
  const std::string said(out.text());
  const auto again = decoder.decode(as_bytes(said));
  UPROAR_CHECK(again.ok() && again->index() == event->index(), text);
  out.clear();
  encode(*again, {}, out);
  UPROAR_CHECK(out.text() == said, text);
  return 0;
}
