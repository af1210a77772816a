// SPDX-License-Identifier: GPL-2.0-or-later
#include "fault_map.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace dmremap::lab {

Fault overlay(const Fault& old, const Fault& added) {
  Fault out = old;
  if (added.read_errno != 0) out.read_errno = added.read_errno;
  if (added.write_errno != 0) out.write_errno = added.write_errno;
  if (added.until_written) out.until_written = true;
  if (added.slow_ms != 0) out.slow_ms = added.slow_ms;
  if (added.flaky) out.flaky = added.flaky;

  const bool lacks_read = out.read_errno == 0;
  const bool needs_read = out.until_written || (out.flaky && out.write_errno == 0);
  if (needs_read && lacks_read) out.read_errno = EIO;
  return out;
}

Fault after_write(const Fault& fault) {
  if (!fault.until_written) return fault;
  Fault out = fault;
  out.read_errno = 0;
  out.until_written = false;
  if (out.write_errno == 0) out.flaky.reset();
  return out;
}

FaultMap::Pieces::const_iterator FaultMap::first_after(std::uint64_t sector) const {
  auto it = pieces_.upper_bound(sector);
  if (it != pieces_.begin() && std::prev(it)->second.end > sector) --it;
  return it;
}

void FaultMap::split_at(std::uint64_t sector) {
  const auto it = first_after(sector);
  if (it == pieces_.end() || it->first >= sector) return;
  const Piece upper = it->second;
  pieces_[it->first].end = sector;
  pieces_[sector] = upper;
}

void FaultMap::join(std::uint64_t first, std::uint64_t end) {
  auto it = pieces_.lower_bound(first);
  if (it != pieces_.begin()) --it;
  while (it != pieces_.end() && it->first <= end) {
    const auto next = std::next(it);
    if (next == pieces_.end()) return;
    if (it->second.end == next->first && it->second.fault == next->second.fault) {
      it->second.end = next->second.end;
      pieces_.erase(next);
    } else {
      it = next;
    }
  }
}

void FaultMap::add(SectorRange range, const Fault& fault) {
  if (range.empty() || fault.none()) return;
  const std::uint64_t end = range.end().value;
  split_at(range.first.value);
  split_at(end);
  const Fault alone = overlay(Fault{}, fault);
  std::uint64_t at = range.first.value;
  for (auto it = pieces_.lower_bound(at); at < end;) {
    if (it != pieces_.end() && it->first == at) {
      it->second.fault = overlay(it->second.fault, fault);
      at = it->second.end;
      ++it;
    } else {
      const std::uint64_t gap_end = it == pieces_.end() ? end : std::min(end, it->first);
      pieces_.emplace(at, Piece{gap_end, alone});
      at = gap_end;
    }
  }
  join(range.first.value, end);
}

void FaultMap::clear(SectorRange range) {
  if (range.empty()) return;
  split_at(range.first.value);
  split_at(range.end().value);
  pieces_.erase(pieces_.lower_bound(range.first.value), pieces_.lower_bound(range.end().value));
}

void FaultMap::written(SectorRange range) {
  if (range.empty()) return;
  const std::uint64_t end = range.end().value;
  split_at(range.first.value);
  split_at(end);
  for (auto it = pieces_.lower_bound(range.first.value); it != pieces_.end() && it->first < end;) {
    it->second.fault = after_write(it->second.fault);
    it = it->second.fault.none() ? pieces_.erase(it) : std::next(it);
  }
  join(range.first.value, end);
}

std::uint32_t FaultMap::delay_ms(SectorRange range) const {
  if (range.empty()) return 0;
  std::uint32_t slowest = 0;
  for (auto it = first_after(range.first.value);
       it != pieces_.end() && it->first < range.end().value; ++it) {
    slowest = std::max(slowest, it->second.fault.slow_ms);
  }
  return slowest;
}

std::optional<Failure> FaultMap::decide(SectorRange range, Access access, double draw) const {
  if (range.empty()) return std::nullopt;
  for (auto it = first_after(range.first.value);
       it != pieces_.end() && it->first < range.end().value; ++it) {
    const Fault& fault = it->second.fault;
    const int error = access == Access::read ? fault.read_errno : fault.write_errno;
    if (error != 0 && draw < fault.flaky.value_or(1.0)) {
      return Failure{error, {std::max(it->first, range.first.value)}};
    }
  }
  return std::nullopt;
}

std::vector<FaultRun> FaultMap::runs() const {
  std::vector<FaultRun> out;
  out.reserve(pieces_.size());
  for (const auto& [first, piece] : pieces_) {
    out.push_back({{{first}, {piece.end - first}}, piece.fault});
  }
  return out;
}

}  // namespace dmremap::lab
