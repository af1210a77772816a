// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/scan_memory.hpp"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "format/body.hpp"

namespace dmremap::set {

namespace {

// More sections than this version and a few later ones have come from nowhere.
constexpr std::size_t kMostCarried = 4;

template <typename Sections>
auto find_scan(Sections& sections) {
  return std::ranges::find_if(sections, [](const format::UnknownSection& section) {
    return section.type == format::kScanSectionType && section.flags == 0 &&
           section.bytes.size() == format::kScanSectionBytes;
  });
}

}  // namespace

void reserve_scan_memory(format::Records& records, std::size_t entries) {
  if (has_scan_memory(records) || records.unknown.size() >= kMostCarried) return;
  std::vector<format::UnknownSection> with = records.unknown;
  with.push_back({format::kScanSectionType, 0, std::vector<std::byte>(format::kScanSectionBytes)});
  format::pack_scan_section({}, std::span(with.back().bytes));
  if (entries > format::table_capacity(with)) return;
  records.unknown = std::move(with);
}

bool has_scan_memory(const format::Records& records) {
  return find_scan(records.unknown) != records.unknown.end();
}

std::optional<format::ScanSection> stored_scan(const format::Records& records) {
  const auto found = find_scan(records.unknown);
  if (found == records.unknown.end()) return std::nullopt;
  return format::unpack_scan_section(found->bytes);
}

void store_scan(format::Records& records, const format::ScanSection& scan) {
  const auto found = find_scan(records.unknown);
  if (found == records.unknown.end()) return;
  std::vector<std::byte> bytes(format::kScanSectionBytes);
  format::pack_scan_section(scan, std::span(bytes));
  found->bytes = std::move(bytes);
}

}  // namespace dmremap::set
