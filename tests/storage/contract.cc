#include "tests/storage/contract.h"

#include <cstdlib>
#include <filesystem>

#include "storage/memory/memory_store.h"
#include "storage/sqlite/sqlite_store.h"

namespace uproar::storage {
namespace {

class MemoryBackend final : public Backend {
 public:
  Store& store() override { return store_; }
  [[nodiscard]] bool is_durable() const override { return false; }
  void reopen() override {}

 private:
  MemoryStore store_;
};

class SqliteBackend final : public Backend {
 public:
  SqliteBackend() { reopen(); }
  Store& store() override { return *store_; }
  [[nodiscard]] bool is_durable() const override { return true; }
  void reopen() override {
    store_.reset();
    auto opened = SqliteStore::open({.folder = folder_.path() + "/data"});
    UPROAR_CHECK(opened.ok(), opened.error().text());
    store_ = std::move(opened).value();
  }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<SqliteStore> store_;
};

}  // namespace

std::unique_ptr<Backend> make_memory_backend() {
  return std::make_unique<MemoryBackend>();
}
std::unique_ptr<Backend> make_sqlite_backend() {
  return std::make_unique<SqliteBackend>();
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "uproar-test-XXXXXX").string();
  UPROAR_CHECK(::mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ContractTest::ContractTest()
    : backend(GetParam().make()), call(std::make_unique<Caller>(backend->store())) {
  for (std::uint64_t n = 1; n <= 5; ++n) {
    UPROAR_CHECK(
        call->create_user({.id = user(n), .name = "user" + std::to_string(n), .created_at_us = 5})
            .ok());
  }
}

ContractTest::~ContractTest() = default;

void ContractTest::reopen() {
  call.reset();
  backend->reopen();
  call = std::make_unique<Caller>(backend->store());
}

Operation ContractTest::operation(ConversationId where, UserId actor,
                                  decltype(Operation::body) body) {
  return {.ticket = ++last_ticket,
          .conversation = where,
          .actor = actor,
          .at_us = ++now_us,
          .body = std::move(body)};
}

Outcome ContractTest::creates(UserId actor, ConversationId where, chat::ConversationKind kind,
                              std::vector<UserId> members) {
  CreateConversation create{.kind = kind, .name = "room"};
  create.members.push_back({.user = actor, .role = chat::Role::kOwner});
  for (const UserId member : members) create.members.push_back({.user = member});
  return act(where, actor, std::move(create));
}

AppendMessage ContractTest::message(std::string content, std::string client_id) {
  return {.id = make_id<MessageId>(0x100000 + ++last_message_id),
          .client_id = std::move(client_id),
          .content = std::move(content)};
}

chat::Message ContractTest::row(ConversationId where, Seq seq) {
  const Page page = call->page({.conversation = where, .bound = seq + 1, .limit = 1}).value();
  UPROAR_CHECK(page.messages.size() == 1 && page.messages[0].seq == seq, seq);
  return page.messages[0];
}

std::string describe(const chat::Message& message) {
  std::string out =
      "seq " + std::to_string(message.seq) + " no " + std::to_string(message.no) + " version " +
      std::to_string(message.version) + " from " + message.sender.text().substr(30) + " '" +
      message.content + "' client_id '" + message.client_id + "' id " +
      message.id.text().substr(24) + " type " + std::to_string(static_cast<int>(message.type)) +
      " reply_to " + std::to_string(message.reply_to) + " mentions " +
      std::to_string(message.mentions.size()) + " sent " + std::to_string(message.sent_at_us) +
      " edited " + std::to_string(message.edited_at_us) + " deleted " +
      std::to_string(message.deleted_at_us) + " delivered " +
      std::to_string(message.delivered_at_us) + " seen " + std::to_string(message.seen_at_us) +
      " system " + std::to_string(static_cast<int>(message.system));
  for (const chat::Reaction& reaction : message.reactions) {
    out += " [" + reaction.emoji + " " + reaction.user.text().substr(30) + "]";
  }
  return out;
}

std::string describe(const LogEntry& entry) {
  const std::string head = std::to_string(entry.seq) + (entry.is_superseded ? " superseded " : " ");
  if (const auto* row = std::get_if<chat::Message>(&entry.what)) return head + describe(*row);
  const auto& event = std::get<LoggedEvent>(entry.what);
  return head + "event " + std::to_string(static_cast<int>(event.kind)) + " by " +
         event.actor.text().substr(30) + " of " + std::to_string(event.message_seq) + " '" +
         event.emoji + event.content + "' at " + std::to_string(event.at_us);
}

std::string describe(const Outcome& outcome) {
  return "ticket " + std::to_string(outcome.ticket) + " status " +
         std::to_string(static_cast<int>(outcome.status)) + " seq " + std::to_string(outcome.seq) +
         " no " + std::to_string(outcome.no) + " message " + outcome.message.text() +
         " message_seq " + std::to_string(outcome.message_seq) + " at " +
         std::to_string(outcome.at_us);
}

std::string describe(const chat::ConversationView& view) {
  std::string out =
      view.id.text().substr(24) + " kind " + std::to_string(static_cast<int>(view.kind)) + " '" +
      view.name + "' role " + std::to_string(static_cast<int>(view.role)) + " last " +
      std::to_string(view.last_seq) + "/" + std::to_string(view.last_no) + " read " +
      std::to_string(view.read_seq) + " delivered " + std::to_string(view.delivered_seq) +
      " unread " + std::to_string(view.unread) + " members " + std::to_string(view.member_count) +
      " muted " + std::to_string(view.muted_until_us) + " created " +
      std::to_string(view.created_at_us);
  if (view.last_message) out += "\n    last: " + describe(*view.last_message);
  for (const chat::Member& member : view.members) {
    out += "\n    " + member.name + " role " + std::to_string(static_cast<int>(member.role)) +
           " joined " + std::to_string(member.joined_seq) + " delivered " +
           std::to_string(member.delivered_seq) + " read " + std::to_string(member.read_seq) + "/" +
           std::to_string(member.read_no);
  }
  return out;
}

}  // namespace uproar::storage
