#include "storage/operation.h"

namespace uproar::storage {
namespace {

std::size_t bytes_of(const CreateConversation& op) {
  return op.name.size() + op.members.size() * sizeof(NewMember);
}
std::size_t bytes_of(const AppendMessage& op) {
  return op.client_id.size() + op.content.size() + op.attachments.size() +
         op.mentions.size() * sizeof(UserId);
}
std::size_t bytes_of(const EditMessage& op) {
  return op.content.size();
}
std::size_t bytes_of(const ChangeReaction& op) {
  return op.emoji.size();
}
std::size_t bytes_of(const Rename& op) {
  return op.name.size();
}
template <class T>
std::size_t bytes_of(const T&) {
  return 0;
}

}  // namespace

std::size_t Operation::bytes() const {
  return sizeof(Operation) + jobs.size() * sizeof(NewJob) +
         std::visit([](const auto& op) { return bytes_of(op); }, body);
}

}  // namespace uproar::storage
