// Against the definition, at every phase, alignment and length around the vector widths.

#include "proto/ws/unmask.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace uproar::ws {
namespace {

Mask mask_of(const std::uint8_t (&bytes)[4]) {
  Mask mask;
  std::memcpy(&mask, bytes, 4);
  return mask;
}

constexpr std::uint8_t kKey[4] = {0x37, 0xFA, 0x21, 0x3D};

TEST(Unmask, XorsEachByteWithItsMaskByteAtEveryAlignmentAndLength) {
  for (std::size_t offset = 0; offset < 33; ++offset) {
    for (std::size_t length = 0; length <= 150; ++length) {
      std::vector<std::byte> block(offset + length + 40, std::byte{0xA5});
      for (std::size_t i = 0; i < length; ++i) block[offset + i] = static_cast<std::byte>(i * 7);
      unmask(std::span(block).subspan(offset, length), mask_of(kKey));
      for (std::size_t i = 0; i < block.size(); ++i) {
        const bool inside = i >= offset && i < offset + length;
        const auto expected =
            inside ? static_cast<std::byte>(((i - offset) * 7) ^ kKey[(i - offset) % 4])
                   : std::byte{0xA5};
        ASSERT_EQ(block[i], expected)
            << "offset " << offset << ", length " << length << ", at " << i;
      }
    }
  }
}

TEST(Unmask, GivesTheSameInPiecesWhenTheMaskIsAdvanced) {
  std::vector<std::byte> whole(133);
  for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<std::byte>(i);
  const std::vector<std::byte> original = whole;
  unmask(whole, mask_of(kKey));
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    std::vector<std::byte> pieces = original;
    unmask(std::span(pieces).first(cut), mask_of(kKey));
    unmask(std::span(pieces).subspan(cut), advance_mask(mask_of(kKey), cut));
    ASSERT_EQ(pieces, whole) << "cut at " << cut;
  }
}

TEST(Unmask, UndoesItself) {
  std::vector<std::byte> bytes(77, std::byte{0x5A});
  unmask(bytes, mask_of(kKey));
  EXPECT_NE(bytes, std::vector<std::byte>(77, std::byte{0x5A}));
  unmask(bytes, mask_of(kKey));
  EXPECT_EQ(bytes, std::vector<std::byte>(77, std::byte{0x5A}));
}

}  // namespace
}  // namespace uproar::ws
