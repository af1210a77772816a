// SPDX-License-Identifier: GPL-2.0-or-later
// What a disk with a volatile cache has taken and not yet written down: bytes by their place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace dmremap::lab {

// Not thread-safe. Offsets and lengths are bytes and need no alignment.
class WriteCache {
 public:
  using Blocks = std::map<std::uint64_t, std::vector<std::byte>>;  // by offset; they do not overlap

  // Takes the place of what it covers.
  void put(std::uint64_t offset, std::span<const std::byte> data);
  // Forgets the range: it has been written past the cache.
  void drop(std::uint64_t offset, std::uint64_t bytes);
  // Puts what it holds over data that was read at `offset`.
  void overlay(std::uint64_t offset, std::span<std::byte> data) const;

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] const Blocks& blocks() const { return blocks_; }
  void clear();

 private:
  Blocks blocks_;
  std::uint64_t bytes_ = 0;
};

}  // namespace dmremap::lab
