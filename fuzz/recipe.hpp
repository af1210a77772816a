// SPDX-License-Identifier: GPL-2.0-or-later
// What a fuzzer's input means: a few choices, then patches to bytes that were right before. So a
// small input says what is peculiar about a large structure, and most mutations say something else.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace dmremap::fuzz {

// Reads zeros past its end, so that every input means something.
class Recipe {
 public:
  Recipe(const std::uint8_t* data, std::size_t size)
      : rest_(std::as_bytes(std::span(data, size))) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::span<const std::byte> rest() const { return rest_; }

  unsigned u8() {
    if (rest_.empty()) return 0;
    const auto value = std::to_integer<unsigned>(rest_.front());
    rest_ = rest_.subspan(1);
    return value;
  }
  unsigned u16() {
    const unsigned low = u8();
    return low | u8() << 8U;
  }
  unsigned u24() {
    const unsigned low = u16();
    return low | u8() << 16U;
  }
  std::span<const std::byte> bytes(std::size_t count) {
    const auto out = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(out.size());
    return out;
  }

  // One patch: offset (3 bytes), length (1), bytes.
  void patch(std::span<std::byte> target) {
    const std::size_t offset = u24() % target.size();
    const auto over = bytes(u8());
    std::copy_n(over.begin(), std::min(over.size(), target.size() - offset),
                target.subspan(offset).begin());
  }
  // The rest of the recipe is patches.
  void patch_all(std::span<std::byte> target) {
    while (!empty()) patch(target);
  }

 private:
  std::span<const std::byte> rest_;
};

// What must hold whatever the bytes are.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: broken promise: %s\n", what);
  std::abort();
}

}  // namespace dmremap::fuzz
