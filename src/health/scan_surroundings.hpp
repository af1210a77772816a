// SPDX-License-Identifier: GPL-2.0-or-later
// The segments around places of trouble, each to be read once in a pass. In a study of 1.53 M disks
// a second error lay within 10 MB of the first with probability 0.5 (Bairavasundaram, SIGMETRICS
// 2007). Pure; of bounded size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace dmremap::health {

class Surroundings {
 public:
  // The segments from `first` to before `end` that were not added in this pass yet are to be read.
  // Beyond kIntervalsMax separate stretches nothing more is added: the pass will come to them.
  void add(std::uint32_t first, std::uint32_t end);
  // The segment is being read anyway.
  void mark_read(std::uint32_t segment);

  // The next one to be read; taken, it is not named again.
  [[nodiscard]] std::optional<std::uint32_t> take();
  [[nodiscard]] bool empty() const { return pending_.empty(); }
  // Read, or about to be, on account of trouble: the pass need not read it once more.
  [[nodiscard]] bool added(std::uint32_t segment) const;

  // Only what is still to be read is remembered.
  void begin_pass();

  static constexpr std::size_t kIntervalsMax = 256;

 private:
  struct Interval {
    std::uint32_t first = 0;
    std::uint32_t end = 0;
  };
  // The first one that ends after this segment.
  [[nodiscard]] std::vector<Interval>::const_iterator from(std::uint32_t segment) const;
  void insert(Interval interval);

  std::vector<Interval> added_;    // in order, disjoint, not adjoining
  std::vector<Interval> pending_;  // in the order of reading, disjoint
};

}  // namespace dmremap::health
