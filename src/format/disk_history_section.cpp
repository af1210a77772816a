// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/disk_history_section.hpp"

#include <utility>

#include "base/assert.hpp"
#include "base/endian.hpp"
#include "format/bytes.hpp"

namespace dmremap::format {

namespace {

constexpr std::size_t kFlags = 0;
constexpr std::size_t kHistoryLength = 4;
constexpr std::size_t kAnswered = 8;
constexpr std::size_t kCleanPassDay = 16;
constexpr std::size_t kZero = 20;
constexpr std::size_t kSerial = 24;
constexpr std::size_t kMoreZero = kSerial + kDriveSerialBytes;
constexpr std::size_t kHistory = 128;
static_assert(kHistory + kDiskHistoryBytes == kDiskHistorySectionBytes);

constexpr std::uint32_t kNeverAsk = 1;

}  // namespace

void pack_disk_history(const DiskHistorySection& disk, std::span<std::byte> out) {
  DMREMAP_ASSERT(out.size() == kDiskHistorySectionBytes &&
                 disk.history.size() <= kDiskHistoryBytes);
  store_le(out, kFlags, disk.never_ask_drive ? kNeverAsk : std::uint32_t{0});
  store_le(out, kHistoryLength, static_cast<std::uint32_t>(disk.history.size()));
  store_le(out, kAnswered, disk.drive_answered_s);
  store_le(out, kCleanPassDay, disk.clean_pass_day);
  put_padded(out, kSerial, kDriveSerialBytes, disk.drive_serial);
  put_bytes(out, kHistory, disk.history);
}

std::optional<DiskHistorySection> unpack_disk_history(std::span<const std::byte> from) {
  if (from.size() != kDiskHistorySectionBytes) return std::nullopt;
  const auto flags = load_le<std::uint32_t>(from, kFlags);
  const std::size_t length = load_le<std::uint32_t>(from, kHistoryLength);
  auto serial = get_padded(from, kSerial, kDriveSerialBytes);
  if (flags > kNeverAsk || length > kDiskHistoryBytes || !serial ||
      !all_zero(from.subspan(kZero, kSerial - kZero)) ||
      !all_zero(from.subspan(kMoreZero, kHistory - kMoreZero)) ||
      !all_zero(from.subspan(kHistory + length))) {
    return std::nullopt;
  }
  DiskHistorySection out;
  out.never_ask_drive = flags == kNeverAsk;
  out.drive_answered_s = load_le<std::uint64_t>(from, kAnswered);
  out.clean_pass_day = load_le<std::uint32_t>(from, kCleanPassDay);
  out.drive_serial = std::move(*serial);
  const auto history = from.subspan(kHistory, length);
  out.history.assign(history.begin(), history.end());
  return out;
}

}  // namespace dmremap::format
