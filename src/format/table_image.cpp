// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "format/body.hpp"

namespace dmremap::format {

namespace {

// Where an entry must be looked for: entries are disjoint, so this is unique.
std::uint64_t key_of(const Extent& extent) {
  return extent.state() == State::retired ? extent.spare().first.value | std::uint64_t{1} << 63U
                                          : extent.main().first.value;
}

}  // namespace

void TableImage::update(const std::vector<Extent>& extents, const std::vector<Extent>& retired) {
  std::unordered_map<std::uint64_t, const Extent*> wanted;
  wanted.reserve(extents.size() + retired.size());
  for (const auto* list : {&extents, &retired}) {
    for (const Extent& extent : *list) wanted.emplace(key_of(extent), &extent);
  }
  std::vector<std::size_t> unused;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Extent& entry = entries_[i];
    const auto found = entry.state() == State::good ? wanted.end() : wanted.find(key_of(entry));
    if (found == wanted.end()) {
      entry = Extent{};
      unused.push_back(i);
      continue;
    }
    entry = *found->second;  // the same key: changed in place
    wanted.erase(found);
  }
  // Added in the order of the lists, lowest places first: equal histories give equal images.
  std::size_t next = 0;
  for (const auto* list : {&extents, &retired}) {
    for (const Extent& extent : *list) {
      if (wanted.count(key_of(extent)) == 0) continue;
      if (next < unused.size()) {
        entries_[unused[next++]] = extent;
      } else {
        entries_.push_back(extent);
      }
    }
  }
  while (!entries_.empty() && entries_.back().state() == State::good) entries_.pop_back();
}

}  // namespace dmremap::format
