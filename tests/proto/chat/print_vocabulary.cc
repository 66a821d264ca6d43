// Prints the code's tables as lines "command NAME", "event NAME", "error NAME HTTP CLOSE" for documents_test.py.

#include <cstdio>

#include "proto/chat/command_type.h"
#include "proto/chat/error_code.h"
#include "proto/chat/wire_names.h"

int main() {
  using namespace uproar::chat;
  for (const auto name : command_names())
    std::printf("command %.*s\n", static_cast<int>(name.size()), name.data());
  for (const auto name : event_names())
    std::printf("event %.*s\n", static_cast<int>(name.size()), name.data());
  for (const ErrorInfo& info : error_table()) {
    std::printf("error %.*s %d %d\n", static_cast<int>(info.name.size()), info.name.data(),
                info.http_status, info.last_close_code);
  }
}
