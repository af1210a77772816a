// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/kept_sections.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "format/body.hpp"

namespace dmremap::set {

namespace {

// More sections than this version and a few later ones have come from nowhere.
constexpr std::size_t kMostCarried = 6;

struct Kept {
  std::uint16_t type;
  std::size_t bytes;
};
constexpr Kept kScan{format::kScanSectionType, format::kScanSectionBytes};
constexpr Kept kDiskHistory{format::kDiskHistorySectionType, format::kDiskHistorySectionBytes};
constexpr Kept kPolicy{format::kPolicySectionType, format::kPolicySectionBytes};
constexpr Kept kLatency{format::kLatencySectionType, format::kLatencySectionBytes};

template <typename Sections>
auto find(Sections& sections, Kept kept) {
  return std::ranges::find_if(sections, [kept](const format::UnknownSection& section) {
    return section.type == kept.type && section.flags == 0 && section.bytes.size() == kept.bytes;
  });
}

bool has(const format::Records& records, Kept kept) {
  return find(records.unknown, kept) != records.unknown.end();
}

template <typename Section>
void reserve(format::Records& records, std::size_t entries, Kept kept,
             void (*pack)(const Section&, std::span<std::byte>)) {
  if (has(records, kept) || records.unknown.size() >= kMostCarried) return;
  std::vector<format::UnknownSection> with = records.unknown;
  with.push_back({kept.type, 0, std::vector<std::byte>(kept.bytes)});
  pack({}, std::span(with.back().bytes));
  if (entries > format::table_capacity(with, records.grown_spare.has_value())) return;
  records.unknown = std::move(with);
}

template <typename Section>
void store_in(format::Records& records, const Section& section, Kept kept,
              void (*pack)(const Section&, std::span<std::byte>)) {
  const auto found = find(records.unknown, kept);
  if (found == records.unknown.end()) return;
  std::vector<std::byte> bytes(kept.bytes);
  pack(section, std::span(bytes));
  found->bytes = std::move(bytes);
}

}  // namespace

void reserve_kept_sections(format::Records& records, std::size_t entries) {
  reserve(records, entries, kScan, format::pack_scan_section);
  reserve(records, entries, kDiskHistory, format::pack_disk_history);
  reserve(records, entries, kLatency, format::pack_latency_section);
}

bool has_scan(const format::Records& records) {
  return has(records, kScan);
}

bool has_disk_history(const format::Records& records) {
  return has(records, kDiskHistory);
}

std::optional<format::ScanSection> stored_scan(const format::Records& records) {
  const auto found = find(records.unknown, kScan);
  if (found == records.unknown.end()) return std::nullopt;
  return format::unpack_scan_section(found->bytes);
}

std::optional<format::DiskHistorySection> stored_disk_history(const format::Records& records) {
  const auto found = find(records.unknown, kDiskHistory);
  if (found == records.unknown.end()) return std::nullopt;
  return format::unpack_disk_history(found->bytes);
}

std::optional<format::LatencySection> stored_latency(const format::Records& records) {
  const auto found = find(records.unknown, kLatency);
  if (found == records.unknown.end()) return std::nullopt;
  return format::unpack_latency_section(found->bytes);
}

void store(format::Records& records, const format::ScanSection& scan) {
  store_in(records, scan, kScan, format::pack_scan_section);
}

void store(format::Records& records, const format::DiskHistorySection& disk) {
  store_in(records, disk, kDiskHistory, format::pack_disk_history);
}

void store(format::Records& records, const format::LatencySection& latency) {
  store_in(records, latency, kLatency, format::pack_latency_section);
}

void store(format::Records& records, const ScanMemory& memory) {
  store(records, memory.scan);
  store(records, memory.latency);
}

format::PolicySection policy_of(const format::Records& records) {
  const auto found = find(records.unknown, kPolicy);
  if (found == records.unknown.end()) return {};
  return format::unpack_policy_section(found->bytes).value_or(format::PolicySection{});
}

bool choose_policy(format::Records& records, std::size_t entries,
                   const format::PolicySection& policy) {
  if (policy == policy_of(records)) return true;
  reserve(records, entries, kPolicy, format::pack_policy_section);
  store_in(records, policy, kPolicy, format::pack_policy_section);
  return policy == policy_of(records);
}

}  // namespace dmremap::set
