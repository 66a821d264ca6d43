#pragma once

// The simple truth to compare with. Every client keeps what a client must keep (a cursor and the rows it was shown) and
// checks what it hears against what the store committed (docs/contract.md):
//   D1  nothing is heard or acked that is not committed
//   D2  seqs are heard in order, the same for all; each event says what was committed under its seq
//   D3  one stored message per (sender, client_id), whatever is retried; what was stored before is called a duplicate
//   D4, D6  after the first, each seq once and without a gap, by live traffic or by page; after quiet, rows and cursor are
//           those of the store; whoever left was told so, and is told nothing that came after
//   D8  after quiet, everybody is shown as they are: online where any node has a device of theirs
//   D8  whoever has a conversation live is told how far each member is, of all that was marked since
//   U   after quiet, what is unread is what the committed log says: messages above the last one that the member sent or
//       marked as seen; the owner, the store and unread.fetch agree
// A violation is text; the simulation collects it.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/chat/topic.h"
#include "proto/chat/client_event.h"
#include "proto/chat/server_event.h"
#include "storage/memory/memory_model.h"
#include "tests/sim/committed_events.h"

namespace uproar::chat::testing {

// What a client received.
struct Heard {
  ServerEvent event;
  RequestId id;  // empty: an event of the server
};

// ConversationView::last_no of a client: the wire has none.
inline constexpr std::uint64_t kNotSaid = UINT64_MAX;

// The seq of a durable event, else 0.
Seq seq_of(const ServerEvent& event);

// With UPROAR_SIM_LOG set, what happened stands on stderr: for a seed that fails.
bool is_logging();

class Oracle {
 public:
  static constexpr std::uint64_t kNotLive = UINT64_MAX;
  struct Row {
    Seq version = 0;
    std::string content;
    bool is_deleted = false;
    std::size_t reactions = 0;
  };
  struct Marks {
    Seq delivered = 0;
    Seq read = 0;
  };
  struct Known {  // of one conversation, by one client
    Seq cursor = 0;
    Seq base = 0;  // rows up to here were never shown to it
    // It joined and was answered before the news: what it heard as the member it was before may still arrive.
    bool joined_by_answer = false;
    std::map<Seq, Row> rows;
    std::uint64_t live_since =
        kNotLive;  // so many marks were committed when it was known to be live
    Seq marked_above =
        0;  // lower marks that moved while it joined are told to nobody (docs/protocol.md)
    std::map<UserId, Marks> told = {};
  };
  struct Client {
    UserId user;
    std::uint32_t connection = 0;  // which of all; 0: none
    bool is_ready = false;
    bool is_syncing = false;
    bool must_reconnect = false;  // a sync was refused for a passing reason
    std::map<ConversationId, Known> known;
    std::map<UserId, PresenceState> presence;
    std::map<std::string, std::pair<ConversationId, MessageSend>> unacked;  // by client_id
    std::uint64_t next_client_id = 1;
    std::map<ConversationId, Seq> published_at_ready;
    std::map<ConversationId, Seq>
        committed_at_connect;                      // what it sends and is there already is a retry
    std::set<ConversationId> was_member_at_ready;  // in fact: when it connected
    std::set<ConversationId> left_while_syncing;   // the answer may still speak of them
    std::set<ConversationId> told_left;            // and has not heard of a joining since
    std::map<ConversationId, Seq>
        left_at;                       // told of on this connection, or shown when it was refused
    std::set<ConversationId> refused;  // by a sync that may have been asked before it joined
    bool resyncs = false;              // a sync in mid-life: frames on the way may repeat
  };

  // `model`: what is stored. `sees_publishes`: published() is called; otherwise, and with several nodes, what is committed
  // counts as published: who becomes ready may know of it.
  Oracle(const storage::MemoryModel& model, std::uint32_t nodes, bool sees_publishes)
      : model_(model), nodes_(nodes), sees_publishes_(sees_publishes) {}

  // What happened, at the moment it did. A connection is about to be opened; `conversations`: all there are.
  void connects(Client& client, bool resumes, const std::vector<ConversationId>& conversations);
  void committed(const storage::Operation& operation, const storage::Outcome& outcome);
  void published(const TopicId& topic, const ServerEvent& event);
  void said_ready(Client& client);  // session.ready leaves the server
  void receive(Client& client, const Heard& heard);

  // --- when all has come to rest ---
  // `compares_presence`: nobody was told less of it than there was (D7 allows that).
  void final_check(const std::vector<Client*>& clients, bool compares_presence);
  // `clients`: all there are.
  void check_presence(const std::vector<Client*>& clients);
  // Nobody lost a receipt because it reads too slowly (D7 allows that).
  void check_marks(const std::vector<Client*>& clients);
  // Strangers are shown as offline: whoever was one when they asked is wrong about nobody.
  void hides_presence() { presence_is_hidden_ = true; }
  // What a user is answered.
  using Ask = std::function<std::vector<Heard>(UserId user, ClientEvent event)>;
  // Asks everybody's unread counts; the world must be quiet, and is quiet afterwards.
  void check_unread(const std::vector<UserId>& users, const Ask& ask);

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] std::uint64_t events_checked() const { return checked_; }

 private:
  [[nodiscard]] bool is_member(UserId user, ConversationId conversation) const;
  // Of the last time that the user was added, up to that seq.
  [[nodiscard]] Seq added_seq(UserId user, ConversationId conversation, Seq upto) const;
  Seq joined_seq(const Client& client, ConversationId conversation);
  // They left before `seq`, and had not come back.
  [[nodiscard]] bool had_left(UserId user, ConversationId conversation, Seq seq) const;
  void check_leak(const Client& client, ConversationId conversation, Seq seq);
  // What comes by itself up to `seq` leaves no leaving of theirs untold.
  void check_told_of_leaving(const Client& client, const Known& known, ConversationId conversation,
                             Seq seq);
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
  void count_unread(const storage::Operation& operation, const storage::Outcome& outcome);
  void check_view(UserId user, const ConversationView& view, const char* who);

  const storage::MemoryModel& model_;
  const std::uint32_t nodes_;
  const bool sees_publishes_;
  bool presence_is_hidden_ = false;
  std::map<ConversationId, Reading> readings_;
  std::map<ConversationId, std::map<Seq, storage::Operation>> log_;  // committed events
  struct CommittedMark {
    Seq seq = 0;
    std::uint64_t number = 0;  // the how many-th that was committed
  };
  struct CommittedMarks {
    CommittedMark delivered, read;
  };
  std::map<ConversationId, std::map<UserId, CommittedMarks>> marks_;
  std::uint64_t marks_committed_ = 0;
  CommittedEvents events_;
  std::map<ConversationId, Seq> published_;
  std::vector<std::string> violations_;
  std::uint64_t checked_ = 0;
};

}  // namespace uproar::chat::testing
