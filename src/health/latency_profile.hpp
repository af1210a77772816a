// SPDX-License-Identifier: GPL-2.0-or-later
// How long reads take across the disk, as a value: for each of up to 96 equal parts what a read
// takes as a rule, and the slowest one of the last pass of the scan. Heads, zones and worn areas
// differ, and an area that becomes slow shows before it fails. It packs into at most
// kLatencyProfileMaxBytes, the payload of an optional section.
//
// Reads of the scan are of a piece (scan_layout.hpp) or of several at once. What is typical is told
// for a piece: of a longer read each piece has its share. What is slowest is told for a piece too,
// but a drive that hesitates does so once: all pieces of a read but one are taken to be typical.
//
// - Reads are taken in batches, and a batch counts by its median, so that one read that was held up
//   moves nothing. A part with fewer than kLatencyReadsLeast reads is not read yet.
// - The first batch of a pass replaces what the pass before left, and each later one moves it by a
//   quarter of the way, so nothing of an old pass is left.
// - The slowest read is that of the pass that runs and of the one before it: what was seen does not
//   vanish when a pass begins, and is forgotten when a whole one was without it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/units.hpp"

namespace dmremap::health {

inline constexpr std::size_t kLatencyPartsMost = 96;
inline constexpr std::size_t kLatencyReadsLeast = 3;
inline constexpr std::size_t kLatencyProfileMaxBytes = 16 + 3 * kLatencyPartsMost;

struct LatencyPart {
  SectorRange sectors;
  // Microseconds for a piece; both are empty if the part is not read yet.
  std::optional<double> typical_us;
  std::optional<double> slowest_us;

  bool operator==(const LatencyPart&) const = default;
};

class LatencyProfile {
 public:
  // Of a disk of this size. Its parts are whole segments of the scan, at least four each, but for
  // disks that have no more.
  explicit LatencyProfile(SectorCount size = {});

  // A read that succeeded and was answered by the disk alone, of sectors of one segment. Others are
  // left out.
  void add(SectorRange read, double took_us);
  // A pass of the scan is over.
  void end_pass();

  [[nodiscard]] SectorCount size() const { return size_; }
  // All of the disk, in its order; empty of a disk of size 0.
  [[nodiscard]] std::vector<LatencyPart> parts() const;

 private:
  friend std::vector<std::byte> pack_latency_profile(const LatencyProfile& profile);
  friend LatencyProfile unpack_latency_profile(std::span<const std::byte> from, SectorCount size);

  struct Read {
    double took_us = 0;
    double pieces = 1;
  };
  // Latencies are codes (latency_code), at least 1; 0: there is none.
  struct Part {
    std::uint8_t typical = 0;
    std::uint8_t slowest = 0;         // of the pass that runs
    std::uint8_t slowest_before = 0;  // of the last pass that read it to its end
    bool typical_of_this_pass = false;
    std::vector<Read> batch{};  // fewer than make a batch
  };

  [[nodiscard]] std::uint64_t segments() const;
  [[nodiscard]] SectorRange sectors_of(std::size_t part) const;
  // Of the reads of the batch, if that is typical for a piece.
  static void note_slowest(Part& part, double typical_us);
  static void settle(Part& part);
  [[nodiscard]] static Part as_seen(const Part& part);

  SectorCount size_;
  std::vector<Part> parts_;
};

// At most kLatencyProfileMaxBytes. Reads that do not make a batch yet are left out.
[[nodiscard]] std::vector<std::byte> pack_latency_profile(const LatencyProfile& profile);
// Any bytes give a profile of a disk of this size: one that was not read yet, if they are none of
// it, because it grew or shrank for example. What is read next counts to the pass that was running.
[[nodiscard]] LatencyProfile unpack_latency_profile(std::span<const std::byte> from,
                                                    SectorCount size);
// Of the disk that the bytes are about.
[[nodiscard]] LatencyProfile unpack_latency_profile(std::span<const std::byte> from);

}  // namespace dmremap::health
