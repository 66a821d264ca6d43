#include "proto/chat/ids.h"

#include <gtest/gtest.h>

#include "tests/proto/chat/json_text.h"

namespace uproar::chat {
namespace {

using testing::ada;
using testing::bob;

TEST(DirectConversationId, IsTheSameFromBothSides) {
  EXPECT_EQ(direct_conversation_id(ada(), bob()), direct_conversation_id(bob(), ada()));
  EXPECT_NE(direct_conversation_id(ada(), bob()), direct_conversation_id(ada(), ada()));
}

TEST(DirectConversationId,
     NeverChanges) {  // computed apart from this code: sha256("d" || lower id || higher id)
  EXPECT_EQ(direct_conversation_id(bob(), ada()).text(), "8ee6ab50-989c-898c-8459-94a645d03c73");
}

TEST(CreatedConversationId, NeverChanges) {  // sha256("c" || creator || client_id)
  EXPECT_EQ(created_conversation_id(ada(), "k1").text(), "453396e9-4386-887a-833b-7842bf28a3db");
}

TEST(CreatedConversationId, BelongsToItsCreatorAndKey) {
  EXPECT_EQ(created_conversation_id(ada(), "k"), created_conversation_id(ada(), "k"));
  EXPECT_NE(created_conversation_id(ada(), "k"), created_conversation_id(bob(), "k"));
  EXPECT_NE(created_conversation_id(ada(), "k"), created_conversation_id(ada(), "l"));
}

TEST(DerivedIds, CannotBeMistakenForEachOther) {
  char other[16];
  bob().uuid().write_bytes(other);
  EXPECT_NE(created_conversation_id(ada(), {other, 16}), direct_conversation_id(ada(), bob()));
}

}  // namespace
}  // namespace uproar::chat
