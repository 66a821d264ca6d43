// What goes wrong, and how often.
#include <algorithm>
#include <array>
#include <iterator>

#include "tests/sim/run.h"

namespace uproar::sim {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;

constexpr auto kPlants = std::to_array<PlantInfo>({
    {Plant::kAckBeforeCommit, "ack_before_commit",
     "rows that the store has lost are reported as committed"},
    {Plant::kForgetKeys, "stored_twice", "the store does not know a retry by its client_id"},
    {Plant::kForgetRead, "forgotten_read_mark", "a load forgets how far its members have read"},
    {Plant::kLosePage, "lost_sync_page", "a page of changes is empty and says that it was all"},
    {Plant::kLoseFrame, "lost_frame", "one message in fifty does not reach one of its hearers"},
    {Plant::kRepeatFrame, "repeated_frame",
     "one message in fifty reaches one of its hearers twice"},
    {Plant::kSwapFrames, "swapped_frames", "two messages that are written together change places"},
    {Plant::kAnotherActor, "another_actor",
     "one change of members or name in ten is told as somebody else's"},
    {Plant::kAnotherEdit, "another_edit", "one edit in ten is told as a longer one"},
    {Plant::kAnotherAck, "another_message_acked",
     "one message.sent in ten names a message that is not the stored one"},
    {Plant::kUntoldDuplicate, "duplicate_not_told", "a retry is answered as if it were the first"},
    {Plant::kAnotherRow, "another_sender_in_a_page",
     "one row in ten of a page of changes has another sender"},
    {Plant::kLoseAnswer, "lost_answer",
     "one message.sent in ten never reaches its sender, however often the message is sent again"},
    {Plant::kJoinAgain, "joined_again",
     "whoever joins is told so once more, and then all that was said since"},
    {Plant::kHideReturn, "return_not_told",
     "who has left and come back is told of neither, and shown what follows"},
    {Plant::kHideNotLive, "not_live_untold",
     "nobody is told that their connection has no room for a conversation"},
    {Plant::kSilentShortSend, "silent_short_send",
     "a socket takes a part of a send and reports all of it"},
    {Plant::kLoseWritable, "lost_writable", "nobody learns that a full socket has room again"},
    {Plant::kEarlyAnswer, "answer_before_commit",
     "the answer of a commit that is refused says that it is stored"},
    {Plant::kBusLosesSilently, "bus_loses_in_silence",
     "the bus loses one message in twenty and tells nobody"},
    {Plant::kForgetToSayLive, "gap_of_the_bus_not_told",
     "who was cut off from the bus is not told that something may be missing"},
    {Plant::kForgetLostPublish, "lost_publish_not_told",
     "who said something that may not have left is not told so"},
    {Plant::kMangleSeq, "wrong_seq_on_the_bus",
     "one event in twenty comes under the seq of the one before"},
    {Plant::kHidePresence, "presence_not_told",
     "one row of presence in five is stored, and nobody is told of it"},
    {Plant::kForgetToPutAgain, "lost_presence_not_put_again",
     "nobody puts the rows again that the presence store has lost"},
    {Plant::kHideNodesAtWork, "no_second_look",
     "the store names nobody who works on it, so that the dead are looked for once"},
    {Plant::kClaimSettled, "leaves_untold",
     "a node leaves the list though the others have not heard all that it said"},
});

}  // namespace

std::span<const PlantInfo> all_plants() {
  return kPlants;
}

void Run::next_fault() {
  kernel_.after(kernel_.between(20'000, 2 * kSecondUs), [this] {
    if (is_peace_) return;
    one_fault();
    next_fault();
  });
}

void Run::one_fault() {
  const auto node = static_cast<std::uint32_t>(kernel_.random(topology_.nodes));
  switch (kernel_.random(topology_.nodes > 1 ? 14 : 10)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      return store_fault(store_.faults);
    case 6:
      meets("a node gets no processor");
      return kernel_.pause(node, kernel_.now_us() + kernel_.between(1'000, 3 * kSecondUs));
    case 7:
      meets("the clock jumps");
      return kernel_.set_wall_offset(node, kernel_.between(-3600, 3600) * kSecondUs);
    case 8:
      meets("receive buffers run out");
      kernel_.set_buffers(node, 0);
      kernel_.after(kernel_.between(1'000, 400'000),
                    [this, node] { kernel_.set_buffers(node, 4096); });
      return;
    case 9:
      if (kernel_.chance(30)) return kill_node(node);
      if (kernel_.chance(20)) leave_node(node);
      return;
    default:
      return network_fault(node);
  }
}

void Run::store_fault(StoreFaults& store) {
  switch (kernel_.random(6)) {
    case 0:  // commits fail, or nobody learns that they did not
      meets("commits fail");
      store.refused_percent = static_cast<std::uint32_t>(kernel_.random(40));
      store.answer_lost_percent = static_cast<std::uint32_t>(kernel_.random(40));
      return;
    case 1:
      meets("the store stalls");
      store.stall_until_us = kernel_.now_us() + kernel_.between(100'000, 8 * kSecondUs);
      return;
    case 2:
      meets("reads fail");
      store.reads_fail_percent = static_cast<std::uint32_t>(kernel_.random(50));
      return;
    default:
      meets("the store recovers");
      store.refused_percent = store.answer_lost_percent = store.reads_fail_percent = 0;
      store.stall_until_us = 0;
  }
}

void Run::network_fault(std::uint32_t node) {
  switch (kernel_.random(7)) {
    case 0:
      meets("a node is cut off");
      network_.cut(node);
      kernel_.after(kernel_.between(10'000, 8 * kSecondUs), [this, node] {
        // One that the others count as dead, and that dies before they hear of it again.
        if (network_.is_cut(node) && kernel_.chance(20)) kill_node(node);
        network_.heal(node);
      });
      return;
    case 6:
      meets("a node is cut off from the bus alone");
      network_.cut_from_bus(node);
      kernel_.after(kernel_.between(10'000, 8 * kSecondUs), [this, node] {
        // What it said meanwhile nobody has heard.
        if (network_.is_cut_from_bus(node) && kernel_.chance(40)) return leave_node(node);
        network_.heal_bus(node);
      });
      return;
    case 1:
      meets("the bus restarts");
      return network_.restart_bus();
    case 2:
      meets("the bus repeats");
      network_.repeat_percent = static_cast<std::uint32_t>(kernel_.random(50));
      return;
    case 3:
      meets("the presence store forgets");
      return network_.lose_presence();
    case 4:
      meets("reads of presence fail");
      network_.presence_fails_percent = static_cast<std::uint32_t>(kernel_.random(60));
      return;
    default:
      meets("the bus is slow");
      network_.latency_us = kernel_.between(50, 20'000);
  }
}

void Run::kill_node(std::uint32_t number) {
  if (nodes_[number] == nullptr) return;
  meets("a node dies");
  if (network_.is_cut(number)) meets("a node dies that is cut off");
  end_node(number, kernel_.chance(70));
}

void Run::leave_node(std::uint32_t number) {
  if (nodes_[number] == nullptr || nodes_[number]->is_leaving()) return;
  meets("a node leaves");
  if (network_.is_cut_from_bus(number)) meets("a node leaves that is cut off from the bus");
  nodes_[number]->begin_to_leave();
  for (const auto& client : clients_)
    if (client->node() == number) client->node_drains();
  look_whether_it_left(number, lives_[number]);
}

void Run::look_whether_it_left(std::uint32_t number, std::uint64_t life) {
  kernel_.after(20'000, [this, number, life] {
    if (nodes_[number] == nullptr || lives_[number] != life) return;  // it has died meanwhile
    if (nodes_[number]->is_over()) return end_node(number, true);
    look_whether_it_left(number, life);
  });
}

void Run::end_node(std::uint32_t number, bool resets) {
  look_at(*nodes_[number]);
  kernel_.kill(number, resets);
  nodes_[number].reset();
  network_.died(number);
  kernel_.after(kernel_.between(100'000, 5 * kSecondUs), [this, number] {
    if (nodes_[number] == nullptr) start_node(number);
  });
}

// As if the server had said it so.
void Run::falsify(std::vector<std::string>& frames) {
  const auto is_message = [](const std::string& frame) {
    return frame.starts_with(R"({"type":"message.new")");
  };
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (!is_message(frames[i])) continue;
    if (plant_ == Plant::kSwapFrames) {
      if (i + 1 >= frames.size() || !is_message(frames[i + 1]) || !kernel_.chance(20)) continue;
      std::swap(frames[i], frames[i + 1]);
      ++i;
      continue;
    }
    if (!kernel_.chance(2)) continue;
    const auto at = frames.begin() + static_cast<std::ptrdiff_t>(i);
    if (plant_ == Plant::kLoseFrame) {
      frames.erase(at);
      return;
    }
    frames.insert(at, std::string(frames[i]));
    ++i;
  }
}

// As if the server had said something else of what did happen.
void Run::mistell(std::vector<std::string>& frames) {
  constexpr std::size_t kIdLength = 36;
  // An id is another one when its last digit is.
  const auto change_id = [](std::string& frame, std::string_view field) {
    const std::size_t at = frame.find(field);
    if (at == std::string::npos) return;
    char& digit = frame[at + field.size() + kIdLength - 1];
    digit = digit == '0' ? '1' : '0';
  };
  const auto is = [](const std::string& frame, std::string_view type) {
    return frame.starts_with(R"({"type":")" + std::string(type) + '"');
  };
  if (plant_ == Plant::kLoseAnswer) {
    std::erase_if(frames, [](const std::string& frame) {
      constexpr std::string_view kBegin = R"({"type":"message.sent","id":")";
      const std::size_t end = frame.find('"', kBegin.size());
      return frame.starts_with(kBegin) && end != std::string::npos && frame[end - 1] == '7';
    });
    return;
  }
  if (plant_ == Plant::kJoinAgain) {
    const auto joined = std::find_if(frames.begin(), frames.end(), [&](const std::string& frame) {
      return is(frame, "conversation.joined");
    });
    if (joined == frames.end()) return;
    constexpr std::string_view kId = R"("conversation":{"id":")";
    const std::string conversation = joined->substr(joined->find(kId) + kId.size(), kIdLength);
    std::vector<std::string> again;
    std::copy_if(joined, frames.end(), std::back_inserter(again), [&](const std::string& frame) {
      return frame.find(conversation) != std::string::npos;
    });
    frames.insert(frames.end(), again.begin(), again.end());
    return;
  }
  if (plant_ == Plant::kHideNotLive) {
    std::erase_if(frames,
                  [&](const std::string& frame) { return is(frame, "conversation.not_live"); });
    return;
  }
  for (std::string& frame : frames) {
    if (plant_ == Plant::kUntoldDuplicate) {
      constexpr std::string_view kSaid = R"(,"duplicate":true)";
      const std::size_t at = is(frame, "message.sent") ? frame.find(kSaid) : std::string::npos;
      if (at != std::string::npos) frame.erase(at, kSaid.size());
      continue;
    }
    if (!kernel_.chance(10)) continue;
    if (plant_ == Plant::kAnotherAck && is(frame, "message.sent"))
      change_id(frame, R"("message_id":")");
    if (plant_ == Plant::kAnotherActor &&
        (is(frame, "member.added") || is(frame, "member.removed") ||
         is(frame, "conversation.updated")))
      change_id(frame, R"("by":")");
    if (plant_ == Plant::kAnotherEdit && is(frame, "message.updated")) {
      constexpr std::string_view kContent = R"("content":")";
      const std::size_t at = frame.find(kContent);
      if (at != std::string::npos) frame.insert(at + kContent.size(), "more ");
    }
  }
}

void Run::hide_return(const chat::testing::Oracle::Client& client,
                      std::vector<std::string>& frames) {
  const auto is_back = [&](ConversationId conversation, Seq left_seq) {
    const auto state = store_.model.load_conversation(conversation);
    return state.ok() &&
           std::any_of(state->members.begin(), state->members.end(), [&](const auto& member) {
             return member.user == client.user && member.joined_seq >= left_seq;
           });
  };
  for (auto frame = frames.begin(); frame != frames.end();) {
    const auto heard = listener_.hear(*frame);
    const auto* removed = heard ? std::get_if<chat::MemberRemoved>(&heard->event) : nullptr;
    const auto* joined = heard ? std::get_if<chat::ConversationJoined>(&heard->event) : nullptr;
    if (removed != nullptr && heard->id.empty() && removed->user == client.user &&
        is_back(removed->conversation, removed->seq)) {
      frame = frames.erase(frame);
      continue;
    }
    if (joined != nullptr && heard->id.empty() && client.known.contains(joined->conversation.id)) {
      chat::JsonWriter page;
      chat::encode(chat::HistoryPage{.conversation = joined->conversation.id,
                                     .messages = {},
                                     .upto_seq = joined->conversation.last_seq,
                                     .has_more = false,
                                     .stale = false},
                   {}, page);
      *frame = page.text();
    }
    ++frame;
  }
}

void Run::plant() {
  switch (plant_) {
    case Plant::kAckBeforeCommit:
      store_.instead_of_apply = [this](const storage::Operation& operation,
                                       storage::Outcome& outcome) {
        const auto* append = std::get_if<storage::AppendMessage>(&operation.body);
        if (append == nullptr || !kernel_.chance(5)) return false;
        const auto state = store_.model.load_conversation(operation.conversation);
        outcome.status = storage::OutcomeStatus::kCommitted;
        outcome.seq = state.ok() ? state->last_seq + 1 : 1;
        outcome.no = 1;
        outcome.message = append->id;
        outcome.at_us = operation.at_us;
        return true;
      };
      return;
    case Plant::kForgetKeys:
      store_.instead_of_apply = [this](const storage::Operation& operation,
                                       storage::Outcome& outcome) {
        storage::Operation other = operation;
        auto* append = std::get_if<storage::AppendMessage>(&other.body);
        if (append == nullptr) return false;
        append->client_id += "-" + std::to_string(kernel_.random(1'000'000));
        outcome = store_.model.apply(other);
        if (outcome.status == storage::OutcomeStatus::kCommitted)
          store_.when_committed(operation, outcome);
        return true;
      };
      return;
    case Plant::kEarlyAnswer:
      store_.reports_refused_as_stored = true;
      return;
    case Plant::kLosePage:
      store_.falsify_page = [this](const storage::PageQuery& query, storage::Page& page) {
        if (query.order == storage::PageQuery::Order::kChangedAfter && kernel_.chance(20)) {
          page.upto_seq = page.messages.empty() ? page.upto_seq : page.messages.back().version;
          page.messages.clear();
        }
      };
      return;
    case Plant::kLoseFrame:
    case Plant::kRepeatFrame:
    case Plant::kSwapFrames:
      for (const auto& client : clients_) {
        client->falsify_frames = [this](std::vector<std::string>& frames) { falsify(frames); };
      }
      return;
    case Plant::kAnotherActor:
    case Plant::kAnotherEdit:
    case Plant::kAnotherAck:
    case Plant::kUntoldDuplicate:
    case Plant::kLoseAnswer:
    case Plant::kHideNotLive:
    case Plant::kJoinAgain:
      for (const auto& client : clients_) {
        client->falsify_frames = [this](std::vector<std::string>& frames) { mistell(frames); };
      }
      return;
    case Plant::kHideReturn:
      for (const auto& client : clients_) {
        client->falsify_frames = [this, who = client.get()](std::vector<std::string>& frames) {
          hide_return(*who, frames);
        };
      }
      return;
    case Plant::kAnotherRow:
      store_.falsify_page = [this](const storage::PageQuery& query, storage::Page& page) {
        if (query.order != storage::PageQuery::Order::kChangedAfter) return;
        for (chat::Message& row : page.messages) {
          if (kernel_.chance(10)) row.sender = UserId();
        }
      };
      return;
    case Plant::kSilentShortSend:
    case Plant::kLoseWritable:
      kernel_.set_wrong({.silent_short_sends = plant_ == Plant::kSilentShortSend,
                         .loses_writable = plant_ == Plant::kLoseWritable});
      return;
    case Plant::kForgetRead:
      store_.falsify_state = [](storage::ConversationState& state) {
        for (chat::Member& member : state.members) member.read_no = 0;
      };
      return;
    case Plant::kBusLosesSilently:
    case Plant::kForgetToSayLive:
    case Plant::kForgetLostPublish:
    case Plant::kMangleSeq:
    case Plant::kHidePresence:
    case Plant::kForgetToPutAgain:
    case Plant::kClaimSettled:
      network_.wrong = {.loses_silently = plant_ == Plant::kBusLosesSilently,
                        .forgets_to_say_live = plant_ == Plant::kForgetToSayLive,
                        .forgets_lost_publish = plant_ == Plant::kForgetLostPublish,
                        .mangles = plant_ == Plant::kMangleSeq,
                        .hides_presence = plant_ == Plant::kHidePresence,
                        .forgets_to_put_again = plant_ == Plant::kForgetToPutAgain,
                        .claims_to_be_settled = plant_ == Plant::kClaimSettled};
      return;
    case Plant::kHideNodesAtWork:
      store_.hides_nodes_at_work = true;
      return;
    case Plant::kNone:
      return;
  }
}

}  // namespace uproar::sim
