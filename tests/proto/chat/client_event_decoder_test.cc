// What holds for every command: the order of fields, ids, unknown types, text that is no JSON, bounds.

#include "proto/chat/client_event_decoder.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/proto/chat/decoding.h"

namespace uproar::chat {
namespace {

using testing::bob;
using testing::decoded;
using testing::expect_error;
using testing::repeated;
using testing::with_ids;

TEST(Decoder, TakesFieldsInAnyOrderAndIgnoresUnknownOnes) {
  const auto send = decoded<MessageSend>(
      R"( { "x" : {"type":"ping","deep":[[[{}]]]} , "content":"c","y":null,"client_id":"k" ,"to":"$B","z":1e5, "type" : "message.send" } )");
  EXPECT_EQ(send.content, "c");
  EXPECT_EQ(send.to, bob());
}

TEST(Decoder, ReadsEscapedFieldNames) {
  decoded<Ping>(R"({"t\u0079pe":"pi\u006eg"})");
}

TEST(Decoder, RefusesAFieldOfTheCommandThatIsGivenTwice) {  // two readers would differ on it
  for (const char* text : {R"({"type":"conversation.list","limit":1,"limit":1})",
                           R"({"type":"conversation.list","limit":"x","limit":2})",
                           R"({"type":"conversation.list","limit":null,"limit":2})",
                           R"({"type":"conversation.list","limit":2,"limit":null})",
                           R"({"type":"conversation.list","limit":1,"limit":2,"limit":3})",
                           R"({"type":"conversation.list","limit":1,"lim\u0069t":2})"}) {
    expect_error(text, ErrorCode::kInvalidField, "limit: given twice");
  }
  expect_error(R"({"type":"ping","type":"ping"})", ErrorCode::kInvalidField, "type: given twice");
  expect_error(R"({"type":"ping","id":1,"id":1})", ErrorCode::kInvalidField, "id: given twice");
  // Fields that the command does not look at are ignored, however often they come.
  decoded<Ping>(R"({"type":"ping","limit":1,"limit":2,"x":1,"x":2})");
}

TEST(Decoder, TakesNullAsAbsent) {
  EXPECT_EQ(
      decoded<MessageSend>(
          R"({"type":"message.send","to":"$B","conversation_id":null,"client_id":"k","content":"x",)"
          R"("reply_to":null,"mentions":null,"attachments":null,"kind":null})")
          .reply_to,
      0U);
  expect_error(R"({"type":"message.send","to":"$B","client_id":null,"content":"x"})",
               ErrorCode::kMissingField, "client_id");
  expect_error(R"({"type":null})", ErrorCode::kMissingField, "type");
}

TEST(Decoder, IgnoresFieldsOfOtherCommandsWhateverTheyHold) {
  decoded<Ping>(
      R"({"type":"ping","seq":"x","cursors":7,"members":[1],"content":{},"limit":-1,"attachments":"a"})");
}

TEST(Decoder, EchoesTheIdVerbatim) {
  for (const char* id :
       {R"("r1")", "7", "-7", "0", "18446744073709551615", R"("\u0041\n\"")", R"("")",
        R"("12345678901234567890123456789012345678901234567890123456789012")"}) {
    const auto result = testing::decode(R"({"id": )" + std::string(id) + R"( ,"type":"ping"})");
    ASSERT_TRUE(result.ok()) << id;
    EXPECT_EQ(result->id, id);
  }
  EXPECT_EQ(testing::decode(R"({"type":"ping"})")->id, "");
}

TEST(Decoder, RefusesOtherIds) {
  for (const char* id : {"null", "true", "1.5", "1e3", "[]", "{}", "[1]", "18446744073709551616",
                         R"("123456789012345678901234567890123456789012345678901234567890123")"}) {
    expect_error(R"({"type":"ping","id":)" + std::string(id) + "}", ErrorCode::kInvalidField, "id");
  }
  for (const char* id : {R"("\ud800")", R"("\x")"}) {
    expect_error(R"({"type":"ping","id":)" + std::string(id) + "}", ErrorCode::kBadJson);
  }
}

TEST(Decoder, TellsTheIdWithTheError) {
  for (const char* text :
       {R"({"id":"r1","type":"no.such"})", R"({"type":"history","id":"r1"})", R"({"id":"r1"})",
        R"({"id":"r1","type":"ping","x":tru})", R"({"id":"r1","type":5})"}) {
    const auto result = testing::decode(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().id, R"("r1")") << text;
  }
}

TEST(Decoder, TellsTheIdAlsoWhenAnotherStringIsNoText) {
  for (const char* text : {R"({"type":"message.send","content":"\ud800","id":7})",
                           R"({"id":7,"type":"message.send","content":"\udc00x"})",
                           R"({"type":"event.publish","data":["\ud800"],"id":7})",
                           R"({"\ud800":1,"type":"ping","id":7})", R"({"x":01,"id":7})"}) {
    const auto result = testing::decode(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().error.code, ErrorCode::kBadJson) << text;
    EXPECT_EQ(result.error().id, "7") << text;
  }
}

TEST(Decoder, TakesNoStringForTheNameOfAField) {
  for (const char* text :
       {R"({"type":"ping","a":"x":false})", R"({"type":"ping","a":"x":false,"y":[]},"b":1})",
        R"({"type":"ping","id":"x":1,"y":[]},"b":1})"}) {
    expect_error(text, ErrorCode::kBadJson);
  }
}

TEST(Decoder, RefusesUnknownTypes) {
  for (const char* type : {"", "message", "message.sent", "PING", "ping ", "call.start"}) {
    expect_error(R"({"type":")" + std::string(type) + R"("})", ErrorCode::kUnknownType);
  }
  expect_error("{}", ErrorCode::kMissingField, "type");
  expect_error(R"({"type":7})", ErrorCode::kInvalidField, "type");
}

TEST(Decoder, RefusesWhatIsNoJsonObject) {
  const std::string texts[] = {"",
                               " ",
                               "null",
                               "7",
                               "\"ping\"",
                               "[]",
                               "[{\"type\":\"ping\"}]",
                               "{",
                               "}",
                               "{\"type\":\"ping\"",
                               "{\"type\":\"ping\"}}",
                               "{\"type\":\"ping\"}{}",
                               "{\"type\":\"ping\"} x",
                               "{\"type\":\"ping\"},",
                               "{\"type\":\"ping\",}",
                               "{type:\"ping\"}",
                               "{'type':'ping'}",
                               "{\"type\" \"ping\"}",
                               "{\"type\":\"ping\" \"a\":1}",
                               "{\"type\":\"pi\nng\"}",
                               "{\"type\":\"ping\\\"}",
                               "{\"type\":\"\\x\"}",
                               "{\"type\":\"\\ud800\"}",
                               "{\"type\":\"\\udc00\"}",
                               "{\"type\":\"\\ud800\\u0041\"}",
                               "{\"type\":\"ping\xff\"}",
                               "{\"type\":\"ping\xed\xa0\x80\"}",
                               "{\"type\":\"ping\xc0\xaf\"}",
                               "\xef\xbb\xbf{\"type\":\"ping\"}",
                               "{\"\\ud800\":1,\"type\":\"ping\"}",
                               "// x\n{\"type\":\"ping\"}",
                               std::string("{\"type\":\"ping\"}\0", 16),
                               std::string("\0", 1),
                               "{\"type\":\"ping\",\"\xff\":1}"};
  for (const std::string& text : texts) expect_error(text, ErrorCode::kBadJson);
}

TEST(Decoder, LooksInsideFieldsThatItIgnores) {  // a message is taken exactly when it is JSON
  for (const char* value : {"tru", "01", "[1,]", "{\"a\"}", "[1 2]", "\"\\x\"", "[\"\\ud800\"]",
                            "{\"a\":}", "1.", "nul", "[}", "-", "{\"a\":1,}"}) {
    expect_error(R"({"type":"ping","x":)" + std::string(value) + "}", ErrorCode::kBadJson);
    expect_error(R"({"type":"ping","seq":)" + std::string(value) + "}", ErrorCode::kBadJson);
    expect_error(R"({"type":"event.publish","conversation_id":"$C","name":"n","data":)" +
                     std::string(value) + "}",
                 ErrorCode::kBadJson);
  }
}

TEST(Decoder, RefusesNumbersThatDoNotFit) {
  for (const char* value : {"1e999", "-1e999", "18446744073709551616", "-9223372036854775809"}) {
    const std::string number(value);
    for (const std::string& text :
         {R"({"type":"ping","x":)" + number + "}", R"({"type":"ping","x":[{"y":)" + number + "}]}",
          R"({"type":"message.read","conversation_id":"$C","seq":)" + number + "}",
          R"({"type":"event.publish","conversation_id":"$C","name":"n","data":)" + number + "}"}) {
      expect_error(text, ErrorCode::kInvalidField);
    }
  }
}

TEST(Decoder, BoundsDepth) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  decoded<Ping>(R"({"type":"ping","x":)" + nested(kJsonDepthMax) + "}");
  expect_error(R"({"type":"ping","x":)" + nested(kJsonDepthMax + 1) + "}", ErrorCode::kInvalidField,
               "nested more than 32 deep");
  expect_error(R"({"type":"ping","x":)" + nested(50'000) + "}", ErrorCode::kInvalidField,
               "nested more than 32 deep");
  expect_error(std::string(100'000, '['), ErrorCode::kBadJson);
  expect_error(repeated(R"({"a":)", 20'000, ""), ErrorCode::kBadJson);
}

TEST(Decoder, GivesTheSameVerdictOnEveryCut) {  // no prefix of a command is a command
  const std::string text = with_ids(
      R"({"type":"message.send","id":"r","to":"$B","client_id":"k","content":"a\"b","attachments":[{"a":[1,true]}],"mentions":["$A"]})");
  ASSERT_TRUE(testing::decode(text).ok());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto result = testing::decode(text.substr(0, i));
    ASSERT_FALSE(result.ok()) << i;
    EXPECT_EQ(result.error().error.code, ErrorCode::kBadJson) << i;
  }
}

TEST(Decoder, RefusesMessagesAboveTheLimit) {
  const std::string ping = R"({"type":"ping"})";
  const std::string most = ping + std::string(kMessageBytesMax - ping.size(), ' ');
  EXPECT_TRUE(testing::decode(most).ok());
  const auto result = testing::decode(most + " ");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().error.code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace uproar::chat
