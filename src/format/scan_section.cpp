// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/scan_section.hpp"

#include "base/assert.hpp"
#include "base/endian.hpp"
#include "format/bytes.hpp"

namespace dmremap::format {

namespace {

constexpr std::size_t kFlags = 0;
constexpr std::size_t kRecordLength = 4;
constexpr std::size_t kRate = 8;
constexpr std::size_t kWindowFrom = 16;
constexpr std::size_t kWindowTo = 18;
constexpr std::size_t kZero = 20;
constexpr std::size_t kRecord = 56;
static_assert(kRecord + kScanRecordBytes == kScanSectionBytes);

constexpr std::uint32_t kPaused = 1;

}  // namespace

void pack_scan_section(const ScanSection& scan, std::span<std::byte> out) {
  DMREMAP_ASSERT(out.size() == kScanSectionBytes && scan.record.size() <= kScanRecordBytes);
  store_le(out, kFlags, scan.paused ? kPaused : std::uint32_t{0});
  store_le(out, kRecordLength, static_cast<std::uint32_t>(scan.record.size()));
  store_le(out, kRate, scan.rate);
  store_le(out, kWindowFrom, scan.window_from);
  store_le(out, kWindowTo, scan.window_to);
  put_bytes(out, kRecord, scan.record);
}

std::optional<ScanSection> unpack_scan_section(std::span<const std::byte> from) {
  if (from.size() != kScanSectionBytes) return std::nullopt;
  const auto flags = load_le<std::uint32_t>(from, kFlags);
  const std::size_t length = load_le<std::uint32_t>(from, kRecordLength);
  if (flags > kPaused || length > kScanRecordBytes ||
      !all_zero(from.subspan(kZero, kRecord - kZero)) ||
      !all_zero(from.subspan(kRecord + length))) {
    return std::nullopt;
  }
  ScanSection out;
  out.paused = flags == kPaused;
  out.rate = load_le<std::uint64_t>(from, kRate);
  out.window_from = load_le<std::uint16_t>(from, kWindowFrom);
  out.window_to = load_le<std::uint16_t>(from, kWindowTo);
  if (out.window_from >= kScanDayMinutes || out.window_to > kScanDayMinutes ||
      out.window_from == out.window_to) {
    return std::nullopt;
  }
  const auto record = from.subspan(kRecord, length);
  out.record.assign(record.begin(), record.end());
  return out;
}

}  // namespace dmremap::format
