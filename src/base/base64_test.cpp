// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/base64.hpp"

#include <gtest/gtest.h>

namespace dmremap {
namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

TEST(Base64, TheExamplesOfTheRfc) {
  for (const auto& [plain, text] : {std::pair{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(to_base64(bytes_of(plain)), text);
    EXPECT_EQ(from_base64(text), bytes_of(plain)) << text;
  }
}

TEST(Base64, EveryByteAndLengthComesBack) {
  std::vector<std::byte> bytes;
  for (int i = 0; i < 600; ++i) {
    bytes.push_back(static_cast<std::byte>(i));
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  }
}

TEST(Base64, WhatIsNoneIsNone) {
  for (const char* wrong : {"Z", "Zg=", "Zg", "Z===", "====", "Zg==Zg==", " Zg=", "Zg= ", "Zm9\n",
                            "Zm9v\n", "Zm-v", "Zm9?", "Zm=v"}) {
    EXPECT_FALSE(from_base64(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace dmremap
