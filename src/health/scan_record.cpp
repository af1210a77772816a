// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/scan_record.hpp"

#include <algorithm>
#include <array>

#include "base/endian.hpp"
#include "health/scan_clock.hpp"
#include "health/scan_layout.hpp"

namespace dmremap::health {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeadBytes = 72;
constexpr std::size_t kPlaceBytes = 16;
constexpr std::byte kSurroundingsDue{1};

// In the begin of the pass. A program that does not know these bits sees a begin in the future, and
// takes it for now.
constexpr std::size_t kPassBeganAt = 48;
constexpr std::uint64_t kAskedFor = std::uint64_t{1} << 63U;
constexpr std::uint64_t kAtFullSpeed = std::uint64_t{1} << 62U;

// The numbers of the head after version and count, 8 bytes each.
constexpr std::array kNumbers{
    &ScanRecord::passes,
    &ScanRecord::step,
    &ScanRecord::elapsed_s,
    &ScanRecord::wall_s,
    &ScanRecord::pass_began_s,
    &ScanRecord::last_trouble_s,
    &ScanRecord::last_complete_wall_s,
};

std::uint64_t bits_of(PassWish wish) {
  switch (wish) {
    case PassWish::none:
      return 0;
    case PassWish::paced:
      return kAskedFor;
    case PassWish::full_speed:
      return kAskedFor | kAtFullSpeed;
  }
  return 0;
}

PassWish wish_of(std::uint64_t pass_began_s) {
  if ((pass_began_s & kAskedFor) == 0) return PassWish::none;
  return (pass_began_s & kAtFullSpeed) == 0 ? PassWish::paced : PassWish::full_speed;
}

}  // namespace

std::vector<std::byte> encode_scan_record(const ScanRecord& record) {
  const std::size_t places = std::min(record.places.size(), kRecheckPlacesMax);
  std::vector<std::byte> bytes(kHeadBytes + kPlaceBytes * places);
  store_le<std::uint32_t>(bytes, 0, kVersion);
  store_le(bytes, 4, static_cast<std::uint32_t>(places));
  store_le(bytes, 8, record.size.value);
  std::size_t at = 16;
  for (const auto number : kNumbers) {
    store_le(bytes, at, record.*number);
    at += 8;
  }
  store_le(bytes, kPassBeganAt, record.pass_began_s | bits_of(record.wish));
  for (std::size_t i = 0; i < places; ++i) {
    const RecheckPlace& place = record.places[i];
    const std::size_t to = kHeadBytes + kPlaceBytes * i;
    store_le(bytes, to, place.segment);
    bytes[to + 4] = std::byte{place.rechecks};
    bytes[to + 5] = place.surroundings_due ? kSurroundingsDue : std::byte{0};
    store_le(bytes, to + 8, place.due_s);
  }
  return bytes;
}

ScanRecord decode_scan_record(std::span<const std::byte> bytes, SectorCount size) {
  ScanRecord record;
  record.size = size;
  if (bytes.size() < kHeadBytes || load_le<std::uint32_t>(bytes, 0) != kVersion) return record;
  const std::size_t places = load_le<std::uint32_t>(bytes, 4);
  if (places > kRecheckPlacesMax || bytes.size() < kHeadBytes + kPlaceBytes * places) return record;

  ScanRecord stored;
  stored.size = SectorCount{load_le<std::uint64_t>(bytes, 8)};
  std::size_t at = 16;
  for (const auto number : kNumbers) {
    stored.*number = load_le<std::uint64_t>(bytes, at);
    at += 8;
  }
  if (stored.elapsed_s > ScanClock::kLongestS) return record;

  stored.wish = wish_of(stored.pass_began_s);
  if (stored.wish != PassWish::none) stored.pass_began_s &= ~(kAskedFor | kAtFullSpeed);
  const ScanLayout layout(size);
  // What is at most now is in the past. A pass that began in the future begins now.
  stored.pass_began_s = std::min(stored.pass_began_s, stored.elapsed_s);
  stored.last_trouble_s = std::min(stored.last_trouble_s, stored.elapsed_s);
  if (stored.size != size || stored.step > layout.steps()) {
    stored.step = 0;
    stored.pass_began_s = stored.elapsed_s;
  }
  // A pass that is over is not asked for any more.
  if (stored.step == layout.steps()) stored.wish = PassWish::none;
  stored.size = size;
  std::vector<RecheckPlace> listed;
  for (std::size_t i = 0; i < places; ++i) {
    const std::size_t from = kHeadBytes + kPlaceBytes * i;
    listed.push_back({load_le<std::uint32_t>(bytes, from), load_le<std::uint8_t>(bytes, from + 4),
                      (bytes[from + 5] & kSurroundingsDue) != std::byte{0},
                      load_le<std::uint64_t>(bytes, from + 8)});
  }
  stored.places = RecheckList(listed, layout.segments(), stored.elapsed_s).places();
  return stored;
}

}  // namespace dmremap::health
