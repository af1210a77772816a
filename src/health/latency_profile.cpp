// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/latency_profile.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/endian.hpp"
#include "base/parse.hpp"
#include "health/history.hpp"
#include "health/scan_layout.hpp"

namespace dmremap::health {

namespace {

// Odd, so that the median is one of the reads.
constexpr std::size_t kBatch = 15;
constexpr std::uint64_t kSegmentsLeast = 4;

std::uint8_t code_of(double us) {
  return static_cast<std::uint8_t>(std::clamp<std::uint64_t>(latency_code(us), 1, 255));
}

// The lower one of two in the middle: what holds a read up only ever makes it longer.
double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// A quarter of the way, at least one step of it.
std::uint8_t moved_towards(std::uint8_t from, std::uint8_t to) {
  const int way = to - from;
  const int step = (std::abs(way) + 3) / 4;
  return static_cast<std::uint8_t>(way < 0 ? from - step : from + step);
}

}  // namespace

LatencyProfile::LatencyProfile(SectorCount size)
    : size_{std::min(size.value, kAddressLimitSectors)} {
  if (size_.value == 0) return;
  parts_.resize(std::clamp<std::uint64_t>(segments() / kSegmentsLeast, 1, kLatencyPartsMost));
}

std::uint64_t LatencyProfile::segments() const {
  return (size_.value + kScanSegment.value - 1) / kScanSegment.value;
}

SectorRange LatencyProfile::sectors_of(std::size_t part) const {
  const auto begin = [this](std::uint64_t number) {
    return Sector{std::min(number * segments() / parts_.size() * kScanSegment.value, size_.value)};
  };
  return {begin(part), begin(part + 1) - begin(part)};
}

void LatencyProfile::add(SectorRange read, double took_us) {
  const bool on_disk = !read.empty() && read.first.value < size_.value &&
                       read.count <= size_ - SectorCount{read.first.value};
  if (!on_disk || !std::isfinite(took_us)) return;
  // The last part that does not begin behind the read's segment.
  const std::uint64_t segment = read.first.value / kScanSegment.value;
  Part& part = parts_[((segment + 1) * parts_.size() - 1) / segments()];
  const double pieces =
      static_cast<double>(read.count.value) / static_cast<double>(kScanPiece.value);
  part.batch.push_back({std::max(took_us, 1.0), std::max(pieces, 1.0)});
  if (part.batch.size() == kBatch) settle(part);
}

void LatencyProfile::note_slowest(Part& part, double typical_us) {
  for (const Read& read : part.batch) {
    const double slow_us = read.took_us - (read.pieces - 1) * typical_us;
    part.slowest = std::max(part.slowest, code_of(slow_us));
  }
}

void LatencyProfile::settle(Part& part) {
  std::vector<double> shares;
  for (const Read& read : part.batch) shares.push_back(read.took_us / read.pieces);
  const double typical_us = median(shares);
  note_slowest(part, typical_us);
  part.batch.clear();
  const std::uint8_t typical = code_of(typical_us);
  part.typical = part.typical_of_this_pass ? moved_towards(part.typical, typical) : typical;
  part.typical_of_this_pass = true;
}

void LatencyProfile::end_pass() {
  for (Part& part : parts_) {
    if (part.batch.size() >= kLatencyReadsLeast) {
      settle(part);
    } else if (part.typical != 0) {
      note_slowest(part, latency_us(part.typical));
      part.batch.clear();
    }
    // What is left over of a part that is not read yet waits for the next pass.
    part.typical_of_this_pass = false;
    // A part that was not read is as it was the last time.
    if (part.slowest != 0) part.slowest_before = std::exchange(part.slowest, std::uint8_t{0});
  }
}

// A batch that is not full is looked at before its time where nothing else is known, and for slow
// reads, which would be seen late otherwise.
LatencyProfile::Part LatencyProfile::as_seen(const Part& part) {
  Part out = part;
  if (part.typical != 0) {
    note_slowest(out, latency_us(part.typical));
  } else if (part.batch.size() >= kLatencyReadsLeast) {
    settle(out);
  }
  return out;
}

std::vector<LatencyPart> LatencyProfile::parts() const {
  std::vector<LatencyPart> out;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part part = as_seen(parts_[i]);
    LatencyPart one{sectors_of(i), std::nullopt, std::nullopt};
    if (part.typical != 0) {
      one.typical_us = latency_us(part.typical);
      one.slowest_us = latency_us(std::max({part.typical, part.slowest, part.slowest_before}));
    }
    out.push_back(one);
  }
  return out;
}

// --- bytes ---

namespace {

// version u8 = 1, number of parts u8, six zeros, size of the disk in sectors u64; then of each part
// the codes of what is typical, of the slowest read of the pass that runs, and of the one before.
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kCountAt = 1;
constexpr std::size_t kSizeAt = 8;
constexpr std::size_t kHeadBytes = 16;
constexpr std::size_t kPartBytes = 3;
static_assert(kHeadBytes + kPartBytes * kLatencyPartsMost == kLatencyProfileMaxBytes);

}  // namespace

std::vector<std::byte> pack_latency_profile(const LatencyProfile& profile) {
  std::vector<std::byte> out(kHeadBytes + kPartBytes * profile.parts_.size());
  store_le(out, 0, kVersion);
  store_le(out, kCountAt, static_cast<std::uint8_t>(profile.parts_.size()));
  store_le(out, kSizeAt, profile.size_.value);
  std::size_t at = kHeadBytes;
  for (const auto& stored : profile.parts_) {
    const auto part = LatencyProfile::as_seen(stored);
    for (const std::uint8_t code : {part.typical, part.slowest, part.slowest_before}) {
      out[at++] = std::byte{code};
    }
  }
  return out;
}

LatencyProfile unpack_latency_profile(std::span<const std::byte> from, SectorCount size) {
  LatencyProfile out(size);
  const std::size_t count = out.parts_.size();
  if (from.size() < kHeadBytes + kPartBytes * count || load_le<std::uint8_t>(from, 0) != kVersion ||
      load_le<std::uint8_t>(from, kCountAt) != count ||
      load_le<std::uint64_t>(from, kSizeAt) != out.size_.value) {
    return out;
  }
  std::size_t at = kHeadBytes;
  for (auto& part : out.parts_) {
    for (std::uint8_t* code : {&part.typical, &part.slowest, &part.slowest_before}) {
      *code = std::to_integer<std::uint8_t>(from[at++]);
    }
  }
  return out;
}

LatencyProfile unpack_latency_profile(std::span<const std::byte> from) {
  if (from.size() < kHeadBytes) return LatencyProfile();
  return unpack_latency_profile(from, {load_le<std::uint64_t>(from, kSizeAt)});
}

}  // namespace dmremap::health
