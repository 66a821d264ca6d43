#include "storage/bus.h"

namespace uproar::storage {

std::string conversation_channel(const ConversationId& id) {
  std::string name(2 + Uuid::kTextBytes, '\0');
  name[0] = 'c';
  name[1] = ':';
  id.uuid().write_text(name.data() + 2);
  return name;
}

}  // namespace uproar::storage
