#pragma once

// The simple truth to compare with. Every client keeps what a client must keep (a cursor and the rows it was shown) and
// checks what it hears against what the store committed (docs/contract.md):
//   D1  nothing is heard or acked that is not committed
//   D2  seqs are heard in order, the same for all
//   D3  one stored message per (sender, client_id), whatever is retried
//   D4, D6  after the first, each seq once and without a gap, by live traffic or by page; after quiet, rows and cursor are
//           those of the store
//   U   after quiet, what is unread is what the committed log says: messages above the last one that the member sent or
//       marked as seen; the owner, the store and unread.fetch agree
// A violation is text; the simulation collects it.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/core/chat/world.h"

namespace uproar::chat::testing {

class Oracle {
 public:
  struct Row {
    Seq version = 0;
    std::string content;
    bool is_deleted = false;
    std::size_t reactions = 0;
  };
  struct Known {  // of one conversation, by one client
    Seq cursor = 0;
    Seq base = 0;  // rows up to here were never shown to it
    // It joined and was answered before the news: what it heard as the member it was before may still arrive.
    bool joined_by_answer = false;
    std::map<Seq, Row> rows;
  };
  struct Client {
    UserId user;
    Connection* connection = nullptr;
    bool is_ready = false;
    bool is_syncing = false;
    bool must_reconnect = false;  // a sync was refused for a passing reason
    std::map<ConversationId, Known> known;
    std::map<UserId, bool> presence;
    std::map<std::string, std::pair<ConversationId, MessageSend>> unacked;  // by client_id
    std::uint64_t next_client_id = 1;
    std::map<ConversationId, Seq> published_at_ready;
    std::set<ConversationId> was_member_at_ready;  // in fact: when it connected
    std::set<ConversationId> left_while_syncing;   // the answer may still speak of them
    std::set<ConversationId> refused;  // by a sync that may have been asked before it joined
    bool resyncs = false;              // a sync in mid-life: frames on the way may repeat
  };

  explicit Oracle(World& world);

  // The client of a connection that is about to be opened.
  void receive(Client& client, const Heard& heard);
  void final_check(const std::vector<Client*>& clients);
  // Asks everybody's unread counts by requests; the world must be quiet, and is quiet afterwards.
  void check_unread(const std::vector<UserId>& users);

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] std::uint64_t events_checked() const { return checked_; }
  std::map<Uuid, Client*> client_of_endpoint;  // key: slot, generation
  static Uuid key(const Endpoint& endpoint) { return {endpoint.slot, endpoint.generation}; }

 private:
  Seq joined_seq(const Client& client, ConversationId conversation);
  static void note(const char* what, const std::string& who, ConversationId conversation,
                   const ServerEvent& event);
  void fail(const Client& client, const std::string& what, ConversationId conversation, Seq seq);
  // Moves the cursor; false: ignore (a violation was noted, or it is a tolerated repeat).
  bool hear(Client& client, ConversationId conversation, Seq seq);
  void page(Client& client, const HistoryPage& page, bool is_sync);
  void show(Known& known, const Message& message);

  // Who has read how far, from what was committed alone. Messages are counted, other events are not.
  struct Reading {
    std::map<Seq, std::uint64_t> numbers;  // of messages
    std::map<UserId, std::uint64_t> read_no;
    [[nodiscard]] std::uint64_t last_no() const { return numbers.size(); }
    [[nodiscard]] std::uint64_t number_at(Seq seq) const;
  };
  void read(const storage::Operation& operation, const storage::Outcome& outcome);
  void check_view(UserId user, const ConversationView& view, const char* who);

  World& world_;
  std::map<ConversationId, Reading> readings_;
  std::map<ConversationId, std::map<Seq, storage::Operation>> log_;  // committed events
  std::map<ConversationId, Seq> published_;
  std::vector<std::string> violations_;
  std::uint64_t checked_ = 0;
};

}  // namespace uproar::chat::testing
