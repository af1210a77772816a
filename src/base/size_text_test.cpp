// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/size_text.hpp"

#include <gtest/gtest.h>

namespace dmremap {
namespace {

TEST(SizeText, OneDecimalUnlessItIsZero) {
  EXPECT_EQ(size_text({0}), "0 B");
  EXPECT_EQ(size_text({1}), "512 B");
  EXPECT_EQ(size_text({3}), "1.5 KiB");
  EXPECT_EQ(size_text({2048}), "1 MiB");
  EXPECT_EQ(size_text({std::uint64_t{1} << 33U}), "4 TiB");
  EXPECT_EQ(size_text({std::uint64_t{1} << 40U}), "512 TiB");
}

TEST(Counted, OneIsNotMany) {
  EXPECT_EQ(counted(0, "sector"), "0 sectors");
  EXPECT_EQ(counted(1, "sector"), "1 sector");
  EXPECT_EQ(counted(2, "slot"), "2 slots");
}

}  // namespace
}  // namespace dmremap
