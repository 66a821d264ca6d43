// Thousands of random operations go to the memory store and to each durable backend alike; every outcome and, now and
// then, every answer about everything must be the same. The mix makes collisions likely: few users, few conversations,
// reused client ids, references to what does not exist. One of the backends is moved from SQLite to PostgreSQL half way:
// row by row it is what it was, and goes on as if nothing had happened.

#include <map>
#include <random>

#include "tests/storage/contract.h"

namespace uproar::storage {
namespace {

class Differential : public testing::TestWithParam<std::tuple<BackendKind, int>> {
 protected:
  Differential()
      : random(static_cast<std::uint64_t>(std::get<1>(GetParam()))),
        truth_backend(make_memory_backend()),
        backend(std::get<0>(GetParam()).make()),
        truth(std::make_unique<Caller>(truth_backend->store())),
        tried(std::make_unique<Caller>(backend->store())) {}

  std::uint64_t below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random);
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  UserId any_user() { return user(1 + below(8)); }  // 7 and 8 do not exist at first
  // 1 to 6 are used by all; the others are mostly missing, or made by one operation and seldom met again.
  ConversationId any_conversation() {
    return conversation(one_in(10) ? 7 + below(50) : 1 + below(6));
  }
  Seq any_seq() {
    return one_in(20) ? below(5) * 1'000'000'000'000 : 1 + below(60 + operations / 20);
  }
  chat::MessageRef any_ref() {
    if (one_in(3)) return {.seq = 0, .id = make_id<MessageId>(1 + below(operations + 2))};
    return {.seq = any_seq(), .id = {}};
  }
  chat::Role any_role() { return static_cast<chat::Role>(below(3)); }

  decltype(Operation::body) any_body() {
    switch (below(24)) {
      case 0: {
        CreateConversation create{.kind = static_cast<chat::ConversationKind>(below(3)),
                                  .name = "n"};
        for (std::uint64_t i = 0, n = 1 + below(4); i < n; ++i) {
          create.members.push_back(
              {.user = one_in(8) ? user(99) : user(1 + below(6)), .role = any_role()});
        }
        return create;
      }
      case 1:
      case 2:
        return EditMessage{.message = any_ref(), .content = "edit " + std::to_string(operations)};
      case 3:
        return DeleteMessage{.message = any_ref(), .as_moderator = one_in(3)};
      case 4:
      case 5:
      case 6:
        return ChangeReaction{.message = any_ref(),
                              .emoji = std::string(1, static_cast<char>('a' + below(3))),
                              .add = !one_in(3)};
      case 7:
      case 8:
        return AddMember{.user = any_user(), .role = any_role()};
      case 9:
        return RemoveMember{.user = any_user()};
      case 10:
        return SetRole{.user = any_user(), .role = any_role()};
      case 11:
        return one_in(2)
                   ? decltype(Operation::body)(Rename{.name = "name" + std::to_string(below(9))})
                   : decltype(Operation::body)(
                         SetMute{.until_us = static_cast<std::int64_t>(below(99))});
      case 12:
      case 13:
      case 14:
      case 15:
      case 16:
        return AdvanceMark{.kind = static_cast<chat::MarkKind>(below(2)), .seq = any_seq()};
      default: {
        AppendMessage append{.id = make_id<MessageId>(operations + 1)};
        if (one_in(100)) append.id = make_id<MessageId>(1 + below(operations + 1));
        if (!one_in(4)) append.client_id = "key" + std::to_string(below(200));
        append.content = "text" + std::to_string(below(3));
        append.type = one_in(5) ? chat::MessageType::kImage : chat::MessageType::kText;
        if (one_in(5)) append.attachments = R"([{"id":1}])";
        if (one_in(6)) append.reply_to = any_seq();
        for (std::uint64_t i = 0, n = one_in(6) ? below(3) : 0; i < n; ++i)
          append.mentions.push_back(any_user());
        return append;
      }
    }
  }

  // Speaks of a message that was sent at least, half the time as its sender.
  void aim(Operation& operation, const Operation& at) {
    const chat::MessageRef ref{.seq = 0, .id = std::get<AppendMessage>(at.body).id};
    if (auto* edit = std::get_if<EditMessage>(&operation.body)) {
      edit->message = ref;
    } else if (auto* deletion = std::get_if<DeleteMessage>(&operation.body)) {
      deletion->message = ref;
    } else if (auto* reaction = std::get_if<ChangeReaction>(&operation.body)) {
      reaction->message = ref;
    } else {
      return;
    }
    operation.conversation = at.conversation;
    if (one_in(2)) operation.actor = at.actor;
  }

  void compare_batch() {
    std::vector<Operation> batch;
    for (std::uint64_t i = 0, n = 1 + below(one_in(4) ? 40 : 4); i < n; ++i) {
      ++operations;
      if (!appended.empty() &&
          one_in(10)) {  // somebody tries again, or with another body, or under a known id
        Operation again = appended[below(appended.size())];
        again.ticket = operations;
        auto& append = std::get<AppendMessage>(again.body);
        if (one_in(3)) {
          append.client_id.clear();
        } else {
          append.id = make_id<MessageId>(operations);
          if (one_in(4)) append.mentions.push_back(user(3));
        }
        batch.push_back(std::move(again));
        continue;
      }
      batch.push_back({.ticket = operations,
                       .conversation = any_conversation(),
                       .actor = any_user(),
                       .at_us = static_cast<std::int64_t>(1'000 + operations * 3 - below(3)),
                       .body = any_body()});
      if (std::holds_alternative<AppendMessage>(batch.back().body))
        appended.push_back(batch.back());
      if (!appended.empty() && !one_in(3)) aim(batch.back(), appended[below(appended.size())]);
    }
    const std::vector<Outcome> expected = truth->commit(batch);
    const std::vector<Outcome> actual = tried->commit(batch);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      ASSERT_EQ(describe(actual[i]), describe(expected[i]))
          << "operation kind " << batch[i].body.index();
      ends[{batch[i].body.index(), expected[i].status}] += 1;
    }
  }

  template <class T, class Describe>
  void same(const Result<T, StoreError>& actual, const Result<T, StoreError>& expected,
            Describe show) {
    ASSERT_EQ(actual.ok(), expected.ok());
    if (!actual.ok()) {
      ASSERT_EQ(actual.error(), expected.error());
    } else {
      ASSERT_EQ(show(actual.value()), show(expected.value()));
    }
  }

  static std::string show_page(const Page& page) {
    std::string out = "upto " + std::to_string(page.upto_seq) + (page.has_more ? " more" : " end");
    for (const chat::Message& message : page.messages) out += "\n" + describe(message);
    return out;
  }
  static std::string show_log(const LogPage& page) {
    std::string out = "above " + std::to_string(page.floor) + " to " +
                      std::to_string(page.last_seq) + (page.has_more ? " more" : " end");
    for (const LogEntry& entry : page.entries) out += "\n" + describe(entry);
    return out;
  }
  static std::string show_views(const std::vector<chat::ConversationView>& views) {
    std::string out;
    for (const chat::ConversationView& view : views) out += describe(view) + "\n";
    return out;
  }

  void compare_everything() {
    for (std::uint64_t c = 1; c <= 6; ++c) {
      same(tried->load(conversation(c)), truth->load(conversation(c)),
           [](const ConversationState& state) {
             std::string out = state.name + " " + std::to_string(state.last_seq) + " " +
                               std::to_string(state.last_no);
             for (const chat::Member& m : state.members) {
               out += " " + m.user.text().substr(34) + ":" + std::to_string(m.joined_seq) + "," +
                      std::to_string(m.delivered_seq) + "," + std::to_string(m.read_seq) + "," +
                      std::to_string(m.read_no);
             }
             return out;
           });
      const LogQuery whole{.conversation = conversation(c), .limit = 500};
      same(tried->log(whole), truth->log(whole), show_log);
      const LogQuery part{.conversation = conversation(c),
                          .after = any_seq(),
                          .limit = static_cast<std::uint32_t>(1 + below(20)),
                          .bytes_max = one_in(2) ? 0 : below(5'000)};
      same(tried->log(part), truth->log(part), show_log);
      using Order = PageQuery::Order;
      for (const Order order : {Order::kBefore, Order::kAfter, Order::kChangedAfter}) {
        const PageQuery all{.conversation = conversation(c), .order = order, .limit = 500};
        same(tried->page(all), truth->page(all), show_page);
        const PageQuery some{.conversation = conversation(c),
                             .order = order,
                             .bound = any_seq(),
                             .seq_floor = one_in(2) ? 0 : any_seq(),
                             .limit = static_cast<std::uint32_t>(1 + below(20))};
        same(tried->page(some), truth->page(some), show_page);
      }
    }
    for (std::uint64_t u = 1; u <= 8; ++u) {
      same(tried->unread(user(u)), truth->unread(user(u)), show_views);
      const auto members_max = static_cast<std::uint32_t>(below(6));
      ListQuery query{
          .user = user(u), .after = {}, .limit = static_cast<std::uint32_t>(1 + below(7))};
      query.members_shown_max = members_max;
      if (one_in(2)) query.after = any_conversation();
      same(tried->list(query), truth->list(query), [](const ConversationList& list) {
        return (list.has_more ? "more\n" : "end\n") + show_views(list.conversations);
      });
      const auto limit = static_cast<std::uint32_t>(1 + below(6));
      same(tried->audience(user(u), limit, limit, 3), truth->audience(user(u), limit, limit, 3),
           [](const Audience& audience) {
             std::string out;
             for (const Membership& m : audience.conversations) {
               out += m.conversation.text() + " " + std::to_string(m.last_seq) + " " +
                      std::to_string(m.joined_seq) + "\n";
             }
             for (const UserId& peer : audience.peers) out += peer.text() + "\n";
             return out;
           });
    }
  }

  std::mt19937_64 random;
  std::unique_ptr<Backend> truth_backend;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Caller> truth;
  std::unique_ptr<Caller> tried;
  std::uint64_t operations = 0;
  std::vector<Operation> appended;
  std::map<std::pair<std::size_t, OutcomeStatus>, int> ends;
};

TEST_P(Differential, DoesWhatTheReferenceDoes) {
  for (std::uint64_t u = 1; u <= 6; ++u) {
    for (Caller* caller : {truth.get(), tried.get()}) {
      ASSERT_TRUE(caller->create_user({.id = user(u), .name = "User" + std::to_string(u)}).ok());
    }
  }
  for (int round = 0; round < 12; ++round) {
    for (int batch = 0; batch < 25; ++batch) {
      ASSERT_NO_FATAL_FAILURE(compare_batch()) << "round " << round;
    }
    if (round == 6) {  // what was kept is what was answered
      tried.reset();
      backend->reopen();
      tried = std::make_unique<Caller>(backend->store());
      for (Caller* caller : {truth.get(), tried.get()})
        ASSERT_TRUE(caller->ensure_user(user(7), "USER1", 9).ok());
    }
    ASSERT_NO_FATAL_FAILURE(compare_everything()) << "round " << round;
  }
  // The mix was worth the while: every kind of operation got through and was refused.
  EXPECT_GT(operations, 1000U);
  for (std::size_t kind = 0; kind < std::variant_size_v<decltype(Operation::body)>; ++kind) {
    EXPECT_GT((ends[{kind, OutcomeStatus::kCommitted}]), 0) << "operation kind " << kind;
    EXPECT_GT((ends[{kind, OutcomeStatus::kNotFound}]), 0) << "operation kind " << kind;
  }
  EXPECT_GT((ends[{1, OutcomeStatus::kDuplicate}]), 0);
  EXPECT_GT((ends[{1, OutcomeStatus::kKeyReused}]), 0);
  EXPECT_GT((ends[{1, OutcomeStatus::kConflict}]), 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Differential,
                         testing::Combine(testing::Values(kBackends[1], kBackends[2],
                                                          kMovingBackend),
                                          testing::Range(1, 11)),
                         [](const auto& run) {
                           return std::string(std::get<0>(run.param).name) + "_" +
                                  std::to_string(std::get<1>(run.param));
                         });

}  // namespace
}  // namespace uproar::storage
