// SPDX-License-Identifier: GPL-2.0-or-later
#include "write_cache.hpp"

#include <algorithm>

namespace dmremap::lab {

void WriteCache::drop(std::uint64_t offset, std::uint64_t bytes) {
  const std::uint64_t end = offset + bytes;
  auto at = blocks_.upper_bound(offset);
  if (at != blocks_.begin()) --at;
  while (at != blocks_.end() && at->first < end) {
    const std::uint64_t first = at->first;
    const std::vector<std::byte> block = std::move(at->second);
    const std::uint64_t last = first + block.size();
    at = blocks_.erase(at);
    bytes_ -= block.size();
    // What sticks out on either side stays.
    const auto keep = [&](std::uint64_t from, std::uint64_t to) {
      const auto begin = block.begin() + static_cast<std::ptrdiff_t>(from - first);
      const auto past = block.begin() + static_cast<std::ptrdiff_t>(to - first);
      at = std::next(blocks_.insert_or_assign(from, std::vector(begin, past)).first);
      bytes_ += to - from;
    };
    if (last <= offset) {
      keep(first, last);
      continue;
    }
    if (first < offset) keep(first, offset);
    if (last > end) keep(end, last);
  }
}

void WriteCache::put(std::uint64_t offset, std::span<const std::byte> data) {
  if (data.empty()) return;
  drop(offset, data.size());
  blocks_.insert_or_assign(offset, std::vector(data.begin(), data.end()));
  bytes_ += data.size();
}

void WriteCache::overlay(std::uint64_t offset, std::span<std::byte> data) const {
  const std::uint64_t end = offset + data.size();
  auto at = blocks_.upper_bound(offset);
  if (at != blocks_.begin()) --at;
  for (; at != blocks_.end() && at->first < end; ++at) {
    const std::uint64_t from = std::max(offset, at->first);
    const std::uint64_t to = std::min(end, at->first + at->second.size());
    if (from >= to) continue;
    std::copy_n(at->second.begin() + static_cast<std::ptrdiff_t>(from - at->first), to - from,
                data.begin() + static_cast<std::ptrdiff_t>(from - offset));
  }
}

void WriteCache::clear() {
  blocks_.clear();
  bytes_ = 0;
}

}  // namespace dmremap::lab
