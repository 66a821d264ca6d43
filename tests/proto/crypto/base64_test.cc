#include "proto/crypto/base64.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/crypto/digest.h"
#include "proto/crypto/limits.h"

namespace uproar::crypto {
namespace {

struct Vector {
  std::string_view bytes;
  std::string_view base64;
  std::string_view base64url;
};
constexpr Vector kVectors[] = {
    // RFC 4648 §10, and the characters in which the alphabets differ
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/", "-_-_"},
    {std::string_view("\0\0", 2), "AAA=", "AAA"},
};

TEST(Base64, EncodesAndDecodesThePublishedVectors) {
  for (const Vector& v : kVectors) {
    EXPECT_EQ(base64_encode(as_bytes(v.bytes)), v.base64);
    EXPECT_EQ(base64_decode(v.base64), v.bytes) << v.base64;
    EXPECT_EQ(base64url_encode(as_bytes(v.bytes)), v.base64url);
    EXPECT_EQ(base64url_decode(v.base64url), v.bytes) << v.base64url;
  }
}

TEST(Base64, RefusesEverythingButTheOneStrictForm) {
  for (const std::string_view text : {"Z",         "Zg",    "Zg=",
                                      "Zg===",     "=",     "==",
                                      "====",      "Z===",  "Zh==" /* unused bits */,
                                      "Zm9=",      " Zg==", "Zg== ",
                                      "Zg==\n",    "Z g=",  "Zg==Zg==",
                                      "=Zg=",      "Zg=v",  "Zm9v\n",
                                      "-_-_",      "Zm9.",  "Zm9v====",
                                      "Zm\xc3\xa4"}) {
    EXPECT_EQ(base64_decode(text), std::nullopt) << text;
  }
  EXPECT_EQ(base64_decode(std::string_view("Zm9\0", 4)), std::nullopt);
}

TEST(Base64Url, RefusesPaddingForeignCharactersAndUnusedBits) {
  for (const std::string_view text :
       {"Z", "Zg==", "Zg=", "=", "Zh", "Zm9", "+/+/", "Zm9v ", "\nZm9v", "Zm9vZ", "Zm9."}) {
    EXPECT_EQ(base64url_decode(text), std::nullopt) << text;
  }
}

TEST(Base64, RoundTripsEveryLengthAndEveryByteValue) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(base64_decode(base64_encode(as_bytes(bytes))), bytes);
    EXPECT_EQ(base64url_decode(base64url_encode(as_bytes(bytes))), bytes);
    bytes += static_cast<char>(i * 7);
  }
}

TEST(Base64, IsBoundedInBothDirections) {
  const std::string largest(kBase64BytesMax, 'x');
  EXPECT_EQ(base64_decode(base64_encode(as_bytes(largest))), largest);
  EXPECT_EQ(base64_decode(std::string(kBase64TextBytesMax + 4, 'A')), std::nullopt);
  EXPECT_EQ(base64url_decode(std::string(kBase64TextBytesMax + 4, 'A')), std::nullopt);
}

TEST(Base64, GivesTheAcceptKeyOfRfc6455) {  // §1.3
  EXPECT_EQ(base64_encode(sha1(as_bytes("dGhlIHNhbXBsZSBub25jZQ=="
                                        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

}  // namespace
}  // namespace uproar::crypto
