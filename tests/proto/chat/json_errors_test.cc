// What a client is told about JSON that is refused, word by word and through both doors: the name
// of the field, what was expected, and what came. Compared as it is encoded, so that the words are
// those that go over the wire.

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/chat/client_event_decoder.h"
#include "proto/chat/server_event_encoder.h"
#include "tests/proto/chat/decoding.h"

namespace uproar::chat {
namespace {

using testing::JsonText;
using testing::kBob;
using testing::kConversation;
using testing::kMessage;
using testing::kNow;
using testing::repeated;
using testing::with_ids;

std::string encoded(const Error& error) {
  JsonWriter out;
  encode(ServerEvent(error), {}, out);
  return std::string(out.text());
}

std::string line(ErrorCode code, std::string_view text) {
  JsonWriter out;
  out.raw(R"({"type":"error","code":)");
  out.string(error_info(code).name);
  out.raw(R"(,"message":)");
  out.string(text);
  out.raw('}');
  return std::string(out.text());
}

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

struct Row {
  std::string input;
  ErrorCode code;
  std::string_view text;
};

using enum ErrorCode;

// Whatever the command is.
const Row kMessages[] = {
    {"", kBadJson, "the message is empty: expected a JSON object"},
    {" \n", kBadJson, "the message is empty: expected a JSON object"},
    {"[]", kBadJson, "the message: expected a JSON object, got an array"},
    {R"([{"type":"ping"}])", kBadJson, "the message: expected a JSON object, got an array"},
    {R"("ping")", kBadJson, "the message: expected a JSON object, got a string"},
    {"-7", kBadJson, "the message: expected a JSON object, got a number"},
    {"true", kBadJson, "the message: expected a JSON object, got true"},
    {"null", kBadJson, "the message: expected a JSON object, got null"},
    {"nul", kBadJson, "the message: expected JSON, got something else at byte 0"},
    {"ping", kBadJson, "the message: expected JSON, got something else at byte 0"},
    {"\xEF\xBB\xBF{}", kBadJson, "the message: expected JSON, got something else at byte 0"},
    {"{", kBadJson, "the message: expected JSON, got one that ends too early"},
    {R"({"type":"ping")", kBadJson, "the message: expected JSON, got one that ends too early"},
    {R"({"type":"pi)", kBadJson, "the message: expected JSON, got one that ends too early"},
    {"[1,", kBadJson, "the message: expected JSON, got one that ends too early"},
    {R"({"type":"ping",})", kBadJson, "the message: expected JSON, got something else at byte 15"},
    {R"({type:"ping"})", kBadJson, "the message: expected JSON, got something else at byte 1"},
    {R"({"type":"ping"} x)", kBadJson, "the message: expected JSON, got something else at byte 16"},
    {R"({"type":"ping","x":01})", kBadJson,
     "the message: expected JSON, got something else at byte 20"},
    {R"({"type":"ping","x":"\x"})", kBadJson,
     "the message: expected JSON, got something else at byte 21"},
    {"{\"type\":\"pi\nng\"}", kBadJson,
     "the message: expected JSON, got something else at byte 11"},
    {"{\"type\":\"ping\xff\"}", kBadJson,
     "the message: expected JSON, got bytes that are not UTF-8"},
    {R"({"\ud800":1,"type":"ping"})", kBadJson,
     "the message: expected Unicode text, got half of a surrogate pair"},
    {R"({"type":"\ud800"})", kBadJson, "type: expected Unicode text, got half of a surrogate pair"},
    {R"({"type":"ping","x":"\udc00"})", kBadJson,
     "an unknown field: expected Unicode text, got half of a surrogate pair"},
    {R"({"type":"ping","id":"\ud800\u0041"})", kBadJson,
     "id: expected Unicode text, got half of a surrogate pair"},
    // Deep and no JSON: no JSON is said first.
    {R"({"type":"ping","x":)" + nested(33) + R"(,"y":tru})", kBadJson,
     "the message: expected JSON, got something else at byte 90"},
    {R"({"x":)" + std::string(50'000, '['), kBadJson,
     "the message: expected JSON, got something else"},

    {"{}", kMissingField, "type: expected the name of a command, got nothing"},
    {R"({"type":null})", kMissingField, "type: expected the name of a command, got null"},
    {R"({"type":7})", kInvalidField, "type: expected the name of a command, got a number"},
    {R"({"type":"ping","type":"ping"})", kInvalidField, "type: given twice"},
    {R"({"type":"message.sned"})", kUnknownType,
     "type: expected the name of a command, got another string"},
    {R"({"type":"ping","id":{}})", kInvalidField,
     "id: expected a string of at most 62 bytes or a whole number of 64 bits, got an object"},
    {R"({"type":"ping","id":null})", kInvalidField,
     "id: expected a string of at most 62 bytes or a whole number of 64 bits, got null"},
    {R"({"type":"ping","id":1.5})", kInvalidField,
     "id: expected a string of at most 62 bytes or a whole number of 64 bits, got a number that is "
     "not whole"},
    {R"({"type":"ping","id":18446744073709551616})", kInvalidField,
     "id: expected a string of at most 62 bytes or a whole number of 64 bits, got a number that "
     "does not fit 64 bits"},
    {R"({"type":"ping","id":")" + std::string(63, 'x') + "\"}", kInvalidField,
     "id: expected a string of at most 62 bytes or a whole number of 64 bits, got 63 bytes"},
    {R"({"type":"ping","id":1,"id":2})", kInvalidField, "id: given twice"},
    {R"({"type":"ping","x":)" + nested(33) + "}", kInvalidField,
     "an unknown field: nested more than 32 deep"},
    {R"({"type":"ping","x":)" + nested(50'000) + "}", kInvalidField,
     "an unknown field: nested more than 32 deep"},
    {R"({"type":"ping","content":)" + nested(33) + "}", kInvalidField,
     "content: nested more than 32 deep"},
    {R"({"type":"ping","x":1e999})", kInvalidField,
     "an unknown field: expected numbers that fit 64 bits or a finite double, got a larger one"},
    {R"({"type":"ping","x":[18446744073709551616]})", kInvalidField,
     "an unknown field: expected numbers that fit 64 bits or a finite double, got a larger one"},
    {std::string(kMessageBytesMax + 1, ' '), kTooLarge,
     "the message: expected at most 131072 bytes, got 131073 bytes"},

    {R"({"type":"session.open"})", kMissingField,
     "token: expected a string of 1 to 8192 bytes, got nothing"},
    {R"({"type":"session.open","token":""})", kInvalidField,
     "token: expected a string of 1 to 8192 bytes, got an empty string"},
    {R"({"type":"session.open","token":"t","resume":1})", kInvalidField,
     "resume: expected true or false, got a number"},
    {R"({"type":"session.open","token":"t","resume":"true"})", kInvalidField,
     "resume: expected true or false, got a string"},

    {R"({"type":"message.edit","seq":1,"content":"x"})", kMissingField,
     "conversation_id: expected a UUID, got nothing"},
    {R"({"type":"message.edit","conversation_id":7,"seq":1,"content":"x"})", kInvalidField,
     "conversation_id: expected a UUID, got a number"},
    {R"({"type":"message.edit","conversation_id":"7","seq":1,"content":"x"})", kInvalidField,
     "conversation_id: expected a UUID, got another string"},
    {R"({"type":"message.edit","conversation_id":"00000000-0000-0000-0000-000000000000","seq":1})",
     kInvalidField, "conversation_id: expected a UUID, got the nil UUID"},
    {R"({"type":"message.edit","conversation_id":"$C","content":"x"})", kMissingField,
     "seq or message_id: expected one of them, got neither"},
    {R"({"type":"message.edit","conversation_id":"$C","message_id":[],"content":"x"})",
     kInvalidField, "message_id: expected a UUID, got an array"},
    {R"({"type":"message.edit","conversation_id":"$C","seq":1,"content":false})", kInvalidField,
     "content: expected a string of 1 to 16384 bytes, got false"},
    {R"({"type":"reaction.add","conversation_id":"$C","seq":1,"emoji":")" + std::string(33, 'x') +
         "\"}",
     kInvalidField, "emoji: expected a string of 1 to 32 bytes, got 33 bytes"},

    {R"({"type":"message.read","conversation_id":"$C"})", kMissingField,
     "seq: expected a whole number from 1 to 9007199254740991, got nothing"},
    {R"({"type":"message.read","conversation_id":"$C","seq":0})", kInvalidField,
     "seq: expected a whole number from 1 to 9007199254740991, got 0"},
    {R"({"type":"message.read","conversation_id":"$C","seq":-3})", kInvalidField,
     "seq: expected a whole number from 1 to 9007199254740991, got -3"},
    {R"({"type":"message.read","conversation_id":"$C","seq":-0})", kInvalidField,
     "seq: expected a whole number from 1 to 9007199254740991, got -0"},
    {R"({"type":"message.read","conversation_id":"$C","seq":1.0})", kInvalidField,
     "seq: expected a whole number from 1 to 9007199254740991, got a number that is not whole"},
    {R"({"type":"message.read","conversation_id":"$C","seq":1e3})", kInvalidField,
     "seq: expected a whole number from 1 to 9007199254740991, got a number that is not whole"},
    {R"({"type":"message.read","conversation_id":"$C","seq":9007199254740992})", kInvalidField,
     "seq: expected a whole number from 1 to 9007199254740991, got 9007199254740992"},
    {R"({"type":"message.read","conversation_id":"$C","seq":-9223372036854775808})", kInvalidField,
     "seq: expected a whole number from 1 to 9007199254740991, got -9223372036854775808"},
    {R"({"type":"message.read","conversation_id":"$C","seq":18446744073709551616})", kInvalidField,
     "seq: expected a whole number from 1 to 9007199254740991, got a number that does not fit 64 "
     "bits"},
    {R"({"type":"message.read","conversation_id":"$C","seq":1e999})", kInvalidField,
     "seq: expected a whole number from 1 to 9007199254740991, got a number that does not fit 64 "
     "bits"},
    {R"({"type":"message.read","conversation_id":"$C","seq":"5"})", kInvalidField,
     "seq: expected a whole number from 1 to 9007199254740991, got a string"},
    {R"({"type":"history","conversation_id":"$C","limit":201})", kInvalidField,
     "limit: expected a whole number from 1 to 200, got 201"},
    {R"({"type":"history","conversation_id":"$C","after_seq":-1})", kInvalidField,
     "after_seq: expected a whole number from 0 to 9007199254740991, got -1"},
    {R"({"type":"history","conversation_id":"$C","before_seq":2,"after_seq":1})", kInvalidField,
     "before_seq and after_seq: expected at most one of them, got both"},

    {R"({"type":"event.publish","conversation_id":"$C","data":1})", kMissingField,
     "name: expected a string of 1 to 64 bytes, got nothing"},
    {R"({"type":"event.publish","conversation_id":"$C","name":")" + std::string(65, 'n') + "\"}",
     kInvalidField, "name: expected a string of 1 to 64 bytes, got 65 bytes"},
    {R"({"type":"event.publish","conversation_id":"$C","name":"n","data":")" +
         std::string(8191, 'x') + "\"}",
     kTooLarge, "data: expected at most 8192 bytes of JSON, got 8193 bytes"},
    {R"({"type":"event.publish","conversation_id":"$C","name":"n","data":)" + nested(33) + "}",
     kInvalidField, "data: nested more than 32 deep"},
    {R"({"type":"event.publish","conversation_id":"$C","name":"n","data":[1e999]})", kInvalidField,
     "data: expected numbers that fit 64 bits or a finite double, got a larger one"},
    {R"({"type":"event.publish","conversation_id":"$C","name":"n","data":18446744073709551616})",
     kInvalidField, "data: expected numbers that fit 64 bits or a finite double, got a larger one"},
    {R"({"type":"event.publish","conversation_id":"$C","name":"n","data":["\ud800"]})", kBadJson,
     "data: expected Unicode text, got half of a surrogate pair"},

    {R"({"type":"presence.get"})", kMissingField,
     "user_ids: expected an array of UUIDs, got nothing"},
    {R"({"type":"presence.get","user_ids":"$A"})", kInvalidField,
     "user_ids: expected an array of UUIDs, got a string"},
    {R"({"type":"presence.get","user_ids":["ada"]})", kInvalidField,
     "user_ids: expected an array of UUIDs, got something else in it"},
    {R"({"type":"presence.get","user_ids":[)" + repeated("\"$A\"", 257) + "]}", kTooLarge,
     "user_ids: expected at most 256 UUIDs, got 257"},
    {R"({"type":"conversation.add","conversation_id":"$C","user_ids":[)" +
         repeated("\"$A\"", 1001) + "]}",
     kTooLarge, "user_ids: expected at most 1000 UUIDs, got 1001"},
    {R"({"type":"conversation.add","conversation_id":"$C","user_ids":[]})", kInvalidField,
     "user_ids: expected an array of UUIDs, got none"},
    {R"({"type":"conversation.add","conversation_id":"$C","user_id":"$B","role":"king"})",
     kInvalidField, "role: expected member, admin or owner, got another string"},
    {R"({"type":"conversation.create","kind":"room"})", kInvalidField,
     "kind: expected direct, group or channel, got another string"},
    {R"({"type":"conversation.create","name":")" + std::string(129, 'n') + "\"}", kInvalidField,
     "name: expected a string of at most 128 bytes, got 129 bytes"},
    {R"({"type":"conversation.create","members":[)" + repeated("\"$A\"", 1001) + "]}", kTooLarge,
     "members: expected at most 1000 UUIDs, got 1001"},
    {R"({"type":"conversation.rename","conversation_id":"$C","name":""})", kInvalidField,
     "name: expected a string of 1 to 128 bytes, got an empty string"},
    {R"({"type":"conversation.mute","conversation_id":"$C","until":"tomorrow"})", kInvalidField,
     "until: expected an RFC 3339 time after 1970, got another string"},
    {R"({"type":"conversation.mute","conversation_id":"$C","for_ms":0})", kInvalidField,
     "for_ms: expected a whole number from 1 to 315360000000, got 0"},
    {R"({"type":"conversation.mute","conversation_id":"$C","for_ms":1,"until":"2027-01-01T00:00:00Z"})",
     kInvalidField, "until and for_ms: expected at most one of them, got both"},
    {R"({"type":"sync","cursors":[]})", kInvalidField,
     "cursors: expected an object of conversation ids and seqs, got an array"},
    {R"({"type":"sync","cursors":{"$C":-1}})", kInvalidField,
     "cursors: expected an object of conversation ids and seqs, got something else in it"},
    {R"({"type":"sync","cursors":{)" + repeated("\"$C\":1", 1001) + "}}", kTooLarge,
     "cursors: expected at most 1000 conversations, got 1001"},
};

TEST(JsonErrors, SayOfAMessageWhatWasExpectedAndWhatCame) {
  for (const Row& row : kMessages) {
    SCOPED_TRACE(row.input.substr(0, 200));
    const auto result = testing::decode(with_ids(row.input));
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(encoded(result.error().error), line(row.code, row.text));
  }
}

// The fields of message.send, which both doors know: a message without its type is the body of the
// same request.
const Row kSends[] = {
    {R"("client_id":"k","content":"x")", kMissingField,
     "conversation_id or to: expected one of them, got neither"},
    {R"("to":"$B","conversation_id":"$C","client_id":"k","content":"x")", kInvalidField,
     "conversation_id and to: expected one of them, got both"},
    {R"("to":7,"client_id":"k","content":"x")", kInvalidField, "to: expected a UUID, got a number"},
    {R"("conversation_id":{},"client_id":"k","content":"x")", kInvalidField,
     "conversation_id: expected a UUID, got an object"},
    {R"("to":"$B","content":"x")", kMissingField,
     "client_id: expected a string of 1 to 64 bytes, got nothing"},
    {R"("to":"$B","client_id":null,"content":"x")", kMissingField,
     "client_id: expected a string of 1 to 64 bytes, got null"},
    {R"("to":"$B","client_id":7,"content":"x")", kInvalidField,
     "client_id: expected a string of 1 to 64 bytes, got a number"},
    {R"("to":"$B","client_id":"","content":"x")", kInvalidField,
     "client_id: expected a string of 1 to 64 bytes, got an empty string"},
    {R"("to":"$B","client_id":"a\u0000b","content":"x")", kInvalidField,
     "client_id: expected a string of 1 to 64 bytes, got U+0000 in it"},
    {R"("to":"$B","client_id":"a","content":"x","client_id":"a")", kInvalidField,
     "client_id: given twice"},
    {R"("to":"$B","client_id":null,"content":"x","client_id":"a")", kInvalidField,
     "client_id: given twice"},
    {R"("to":"$B","client_id":"k")", kMissingField,
     "content: expected a string of 1 to 16384 bytes, got nothing"},
    {R"("to":"$B","client_id":"k","content":1.5)", kInvalidField,
     "content: expected a string of 1 to 16384 bytes, got a number"},
    {R"("to":"$B","client_id":"k","content":")" + std::string(16385, 'x') + '"', kTooLarge,
     "content: expected a string of 1 to 16384 bytes, got 16385 bytes"},
    {R"("to":"$B","client_id":"k","content":"\ud800")", kBadJson,
     "content: expected Unicode text, got half of a surrogate pair"},
    {R"("to":"$B","client_id":"k","content":"x","kind":"system")", kInvalidField,
     "kind: expected text, image, video, audio, file or location, got another string"},
    {R"("to":"$B","client_id":"k","content":"x","reply_to":true)", kInvalidField,
     "reply_to: expected a whole number from 1 to 9007199254740991, got true"},
    {R"("to":"$B","client_id":"k","attachments":["a"])", kInvalidField,
     "attachments: expected an array of objects, got something else in it"},
    {R"("to":"$B","client_id":"k","attachments":[{"a":"\u0000"}])", kInvalidField,
     "attachments: expected an array of objects, got U+0000 in it"},
    {R"("to":"$B","client_id":"k","attachments":[)" + repeated("{}", 11) + "]", kTooLarge,
     "attachments: expected at most 10 objects, got 11"},
    {R"("to":"$B","client_id":"k","attachments":[{"a":")" + std::string(4090, 'x') + R"("}])",
     kTooLarge, "attachments: expected at most 4096 bytes of JSON, got 4100 bytes"},
    {R"("to":"$B","client_id":"k","content":"x","mentions":["$A",7])", kInvalidField,
     "mentions: expected an array of UUIDs, got something else in it"},
    {R"("to":"$B","client_id":"k","content":"x","mentions":[)" + repeated("\"$A\"", 51) + "]",
     kTooLarge, "mentions: expected at most 50 UUIDs, got 51"},
};

TEST(JsonErrors, AreTheSameThroughBothDoors) {
  ClientEventDecoder decoder;
  for (const Row& row : kSends) {
    SCOPED_TRACE(row.input.substr(0, 200));
    const auto said = testing::decode(with_ids(R"({"type":"message.send",)" + row.input + "}"));
    ASSERT_FALSE(said.ok());
    EXPECT_EQ(encoded(said.error().error), line(row.code, row.text));
    JsonText body(with_ids("{" + row.input + "}"));
    const auto posted = decoder.decode_fields(CommandType::kMessageSend, {}, body.bytes(), kNow);
    ASSERT_FALSE(posted.ok());
    EXPECT_EQ(encoded(posted.error().error), line(row.code, row.text));
  }
}

struct Request {
  CommandType type;
  RouteFields route;
  std::string_view body;
  ErrorCode code;
  std::string_view text;
};

TEST(JsonErrors, SayOfARequestWhatWasExpectedAndWhatCame) {
  using enum CommandType;
  constexpr std::string_view kEmpty = "the body is empty: expected a JSON object";
  const Request requests[] = {
      // Where something is required.
      {kMessageSend, {}, "", kBadJson, kEmpty},
      {kMessageSend, {.conversation_id = kConversation}, "", kBadJson, kEmpty},
      {kMessageEdit, {.conversation_id = kConversation, .message = "1"}, "", kBadJson, kEmpty},
      {kMessageRead, {.conversation_id = kConversation}, "", kBadJson, kEmpty},
      {kEventPublish, {.conversation_id = kConversation}, "", kBadJson, kEmpty},
      {kConversationRename, {.conversation_id = kConversation}, "", kBadJson, kEmpty},
      {kConversationAdd, {.conversation_id = kConversation}, "", kBadJson, kEmpty},
      {kConversationRole,
       {.conversation_id = kConversation, .user_id = kBob},
       "",
       kBadJson,
       kEmpty},
      {kPresenceGet, {}, "", kBadJson, kEmpty},
      {kSync, {}, "", kBadJson, kEmpty},
      {kSync, {}, " \r\n\t", kBadJson, kEmpty},
      // What the path says wrong goes before what the body does not say.
      {kMessageRead,
       {.conversation_id = "7"},
       "",
       kInvalidField,
       "conversation_id: expected a UUID, got another string"},
      {kSync,
       {},
       "{}",
       kMissingField,
       "cursors: expected an object of conversation ids and seqs, got nothing"},
      {kSync, {}, "[]", kBadJson, "the body: expected a JSON object, got an array"},
      {kSync,
       {},
       R"({"cursors":)",
       kBadJson,
       "the body: expected JSON, got one that ends too early"},
      {kSync, {}, "cursors=1", kBadJson, "the body: expected JSON, got something else at byte 0"},
      {kSync,
       {},
       "{\"x\":\"\xff\"}",
       kBadJson,
       "the body: expected JSON, got bytes that are not UTF-8"},
      {kSync, {}, R"({"cursors":{},"cursors":{}})", kInvalidField, "cursors: given twice"},
      {kTypingStart,
       {.conversation_id = kConversation},
       R"({"typing":"yes"})",
       kInvalidField,
       "typing: expected true or false, got a string"},
      {kUnreadFetch,
       {.limit = "-3"},
       "",
       kInvalidField,
       "limit: expected a whole number from 1 to 200, got -3"},
      {kUnreadFetch,
       {.limit = "201"},
       "",
       kInvalidField,
       "limit: expected a whole number from 1 to 200, got 201"},
      {kUnreadFetch,
       {.limit = ""},
       "",
       kInvalidField,
       "limit: expected a whole number from 1 to 200, got an empty string"},
      {kUnreadFetch,
       {.limit = "1e1"},
       "",
       kInvalidField,
       "limit: expected a whole number from 1 to 200, got another string"},
      {kUnreadFetch,
       {.limit = "\"\x01\xff"},
       "",
       kInvalidField,
       "limit: expected a whole number from 1 to 200, got another string"},
      {kUnreadFetch,
       {.limit = "99999999999999999999"},
       "",
       kInvalidField,
       "limit: expected a whole number from 1 to 200, got a number that does not fit 64 bits"},
      {kMessageDelete,
       {.conversation_id = kConversation, .message = "0"},
       "",
       kInvalidField,
       "seq: expected a whole number from 1 to 9007199254740991, got 0"},
      {kReactionAdd,
       {.conversation_id = kConversation, .message = kMessage, .emoji = "\x01"},
       "",
       kInvalidField,
       "emoji: expected text without control characters, got another string"},
  };
  ClientEventDecoder decoder;
  for (const Request& request : requests) {
    SCOPED_TRACE(request.body);
    JsonText body(with_ids(request.body));
    const auto result = decoder.decode_fields(request.type, request.route, body.bytes(), kNow);
    ASSERT_FALSE(result.ok()) << request.text;
    EXPECT_EQ(encoded(result.error().error), line(request.code, request.text));
  }
}

TEST(JsonErrors, LetBodiesBeEmptyWhereNothingIsRequired) {
  ClientEventDecoder decoder;
  for (const CommandType type : {CommandType::kConversationJoin, CommandType::kConversationLeave,
                                 CommandType::kConversationMute, CommandType::kTypingStart}) {
    EXPECT_TRUE(decoder.decode_fields(type, {.conversation_id = kConversation}, {}, kNow).ok());
  }
}

TEST(JsonErrors, SayOfAnAccountsBodyWhatWasExpectedAndWhatCame) {
  const Row rows[] = {
      {"", kBadJson, "the body is empty: expected a JSON object"},
      {"name=ada", kBadJson, "the body: expected JSON, got something else at byte 0"},
      {"[]", kBadJson, "the body: expected a JSON object, got an array"},
      {R"({"password":"x"})", kMissingField,
       "name: expected a string of 1 to 1024 bytes, got nothing"},
      {R"({"name":7,"password":"x"})", kInvalidField,
       "name: expected a string of 1 to 1024 bytes, got a number"},
      {R"({"name":"ada","name":"eve","password":"x"})", kInvalidField, "name: given twice"},
      {R"({"name":"ada","password":["x"]})", kInvalidField,
       "password: expected a string of 1 to 1024 bytes, got an array"},
      {R"({"name":"ada","password":")" + std::string(1025, 'x') + "\"}", kInvalidField,
       "password: expected a string of 1 to 1024 bytes, got 1025 bytes"},
  };
  ClientEventDecoder decoder;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.input.substr(0, 200));
    JsonText body(row.input);
    const auto login = decoder.decode_login(body.bytes());
    ASSERT_FALSE(login.ok());
    EXPECT_EQ(encoded(login.error()), line(row.code, row.text));
    const auto registration = decoder.decode_register(body.bytes());
    ASSERT_FALSE(registration.ok());
    EXPECT_EQ(encoded(registration.error()), line(row.code, row.text));
  }
  JsonText empty("");
  const auto refresh = decoder.decode_refresh(empty.bytes());
  ASSERT_FALSE(refresh.ok());
  EXPECT_EQ(encoded(refresh.error()), line(kBadJson, "the body is empty: expected a JSON object"));
}

TEST(JsonErrors, KeepTheirWordsWhileAnotherMessageIsRead) {  // an error may wait for its turn
  const auto first = testing::decode(R"({"type":"message.read","conversation_id":7})");
  ASSERT_FALSE(first.ok());
  const Error kept = first.error().error;
  EXPECT_FALSE(testing::decode(R"({"type":"message.read","conversation_id":[]})").ok());
  EXPECT_EQ(encoded(kept), line(kInvalidField, "conversation_id: expected a UUID, got a number"));
}

}  // namespace
}  // namespace uproar::chat
