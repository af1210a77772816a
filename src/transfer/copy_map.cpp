// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/copy_map.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/parse.hpp"
#include "lists/text_lines.hpp"

namespace dmremap::transfer {

namespace {

constexpr std::string_view kHead = "# Mapfile. Created by dm-remap, copy of ";

}  // namespace

CopyMap::CopyMap(SectorCount size) : size_(size), runs_{{{0}, Status::untried}} {}

void CopyMap::split(Sector at) {
  if (at.value >= size_.value) return;
  const auto next = runs_.upper_bound(at);
  runs_.emplace(at, std::prev(next)->second);
}

void CopyMap::mark(SectorRange range, Status status) {
  range = range.intersect({{0}, size_});
  if (range.empty()) return;
  split(range.first);
  split(range.end());
  const auto first = runs_.find(range.first);
  runs_.erase(std::next(first), runs_.lower_bound(range.end()));
  first->second = status;
  // Neighbours of one status are one run.
  const auto next = std::next(first);
  if (next != runs_.end() && next->second == status) runs_.erase(next);
  if (first != runs_.begin() && std::prev(first)->second == status) runs_.erase(first);
}

std::vector<SectorRange> CopyMap::in(Status status) const {
  std::vector<SectorRange> out;
  for (auto at = runs_.begin(); at != runs_.end(); ++at) {
    const Sector end = std::next(at) == runs_.end() ? Sector{size_.value} : std::next(at)->first;
    if (at->second == status && at->first < end) out.push_back({at->first, end - at->first});
  }
  return out;
}

SectorCount CopyMap::count(Status status) const {
  SectorCount out;
  for (const SectorRange& range : in(status)) out = out + range.count;
  return out;
}

std::string CopyMap::print(const CopyStamp& stamp) const {
  std::vector<lists::MapfileArea> areas;
  for (auto at = runs_.begin(); at != runs_.end(); ++at) {
    const Sector end = std::next(at) == runs_.end() ? Sector{size_.value} : std::next(at)->first;
    areas.push_back({at->first.byte_offset(), (end - at->first).bytes(), at->second});
  }
  return lists::print_mapfile(
      areas, fmt::format("dm-remap, copy of {} {} {} {}", to_string(stamp.set_uuid),
                         to_string(stamp.run), stamp.writes, stamp.target));
}

std::optional<CopyStamp> stamp_of_mapfile(std::string_view text) {
  if (!text.starts_with(kHead)) return std::nullopt;
  text = text.substr(kHead.size());
  std::vector<std::string_view> words;
  text = text.substr(0, text.find('\n'));
  while (!text.empty()) {
    const std::size_t blank = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, blank));
    text = text.substr(std::min(blank + 1, text.size()));
  }
  if (words.size() != 4) return std::nullopt;
  const auto uuid = parse_uuid(words[0]);
  const auto run = parse_uuid(words[1]);
  const auto writes = parse_number(words[2]);
  if (!uuid || !run || !writes) return std::nullopt;
  return CopyStamp{*uuid, *run, *writes, std::string(words[3])};
}

Result<CopyMap> resume_map(std::string_view text, const std::string& name, SectorCount size) {
  const auto areas = lists::parse_mapfile(text, name);
  if (!areas) return failure_of(areas);
  CopyMap out(size);
  for (const lists::MapfileArea& area : *areas) {
    using Status = lists::MapfileArea::Status;
    const bool failed = area.status == Status::non_trimmed;
    if (!failed && area.status != Status::finished && area.status != Status::non_scraped) continue;
    const std::uint64_t first = align_up(area.first_byte, kSectorBytes) / kSectorBytes;
    const std::uint64_t end = (area.first_byte + area.bytes) / kSectorBytes;
    if (end > size.value) {
      return fail(ErrorCode::usage, "is of a larger disk", name, "give another --mapfile");
    }
    if (first >= end) continue;
    out.mark({{first}, {end - first}}, failed ? Status::non_trimmed : Status::non_scraped);
  }
  return out;
}

}  // namespace dmremap::transfer
