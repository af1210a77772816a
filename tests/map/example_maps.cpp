// SPDX-License-Identifier: GPL-2.0-or-later
#include "map/example_maps.hpp"

#include <algorithm>

namespace dmremap::view::examples {

namespace {

using format::Extent;
using format::State;

constexpr std::uint64_t kTwoTerabytes = 3'907'029'168;
constexpr std::uint64_t kEightTebibytes = std::uint64_t{1} << 34U;

// Sectors of one state, divided into extents as large as one can be.
void add(std::vector<Extent>& out, State state, std::uint64_t first, std::uint64_t count) {
  while (count > 0) {
    const std::uint64_t part = std::min(count, format::kMaxExtentSectors);
    const SectorRange range{{first}, {part}};
    if (state == State::remapped) {
      out.emplace_back(state, range, SpareAddress{kFirstSpare, {3072 + out.size()}});
    } else {
      out.emplace_back(state, range);
    }
    first += part;
    count -= part;
  }
}

ExampleMap healthy() {
  ExampleMap out;
  out.facts.name = "backup";
  out.facts.uuid = "431a65fc-7484-46c4-bade-24f6ad223042";
  out.facts.state = "healthy";
  out.facts.verdict = "verdict: good (score 100 of 100): nothing speaks against it";
  out.facts.time = "2026-11-29T21:00:00Z";
  out.facts.disk = {.path = "/dev/sdb",
                    .model = "WDC WD20EARX-00PASB0",
                    .serial = "WD-WCAZAJ827116",
                    .file_system = "ext4 \"backup\"",
                    .partitions = {}};
  out.facts.spares = {{"/dev/disk/by-id/usb-SanDisk_Ultra_4C5300-part1", {0}, {122'880}}};
  out.facts.size = {kTwoTerabytes};
  out.facts.shown = {{0}, {kTwoTerabytes}};
  return out;
}

ExampleMap every_state() {
  ExampleMap out = healthy();
  auto& extents = out.extents;
  for (std::uint64_t i = 0; i < 24; ++i)
    add(extents, State::remapped, 410'000'000 + i * 870'000, 8);
  add(extents, State::lost, 431'204'408, 8);
  add(extents, State::remapped, 1'000'000'000, 40'000'000);
  add(extents, State::lost, 1'040'000'000, 3);
  add(extents, State::remapped, 1'040'000'003, 30'000'000);
  add(extents, State::suspect, 1'500'000'128, 8);
  add(extents, State::suspect, 1'510'000'128, 3'000'000);
  add(extents, State::lost, 1'850'402'112, 2);
  add(extents, State::lost, 1'900'000'000, 24'000'000);
  add(extents, State::gone, 1'924'000'000, 1);
  add(extents, State::gone, 2'703'112'960, 1);
  add(extents, State::gone, 2'800'000'000, 5'000'000);
  add(extents, State::lost, 3'580'201'024, 12);
  out.facts.state = "degraded, data-lost, spare-low";
  out.facts.verdict =
      "verdict: replace-soon (score 31 of 100): blocks lost or remapped: 40, on 3 of the last 30 "
      "days";
  out.facts.failing = {8};
  out.facts.spares.front().used = {108'544};
  out.facts.disk.file_system.clear();
  out.facts.disk.partitions = {{1, {{2048}, {1'048'576}}, "vfat \"EFI\""},
                               {2, {{1'050'624}, {1'200'000'000}}, "ext4 \"root\""},
                               {3, {{1'201'050'624}, {2'705'976'320}}, "xfs \"media\""}};
  return out;
}

ExampleMap mostly_dead() {
  ExampleMap out = healthy();
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; at + 90'000'000 < kTwoTerabytes; ++i) {
    const std::uint64_t good = (i * 7 % 5) * 1'900'000 + 100;
    const std::uint64_t remapped = i % 3 == 0 ? 40'000 : 0;
    const std::uint64_t gone = i % 4 == 0 ? 700'000 : 0;
    const std::uint64_t lost = 30'000'000 + (i * 13 % 7) * 5'000'000;
    at += good;
    add(out.extents, State::remapped, at, remapped);
    at += remapped;
    add(out.extents, State::gone, at, gone);
    at += gone;
    add(out.extents, State::lost, at, lost);
    at += lost;
  }
  out.facts.state = "degraded, data-lost, spare-full";
  out.facts.verdict =
      "verdict: replace-now (score 0 of 100): the spare is full: what goes bad now is lost";
  out.facts.spares.front().used = out.facts.spares.front().capacity;
  return out;
}

// 5000 places of 21 sectors: 52 MiB of 8 TiB.
ExampleMap scattered() {
  ExampleMap out = healthy();
  out.facts.size = {kEightTebibytes};
  out.facts.shown = {{0}, {kEightTebibytes}};
  for (std::uint64_t i = 0; i < 5'000; ++i) {
    const std::uint64_t within = (i * 2'654'435'761U >> 5U) % 3'000'000;
    const State state = i % 40 == 0 ? State::gone : i % 4 == 0 ? State::remapped : State::lost;
    add(out.extents, state, i * (kEightTebibytes / 5'000) + within, 21);
  }
  out.facts.state = "degraded, data-lost";
  out.facts.spares.front().used = {26'250};
  return out;
}

ExampleMap region() {
  ExampleMap out = every_state();
  out.facts.shown = {{1'030'000'000}, {900'000'000}};
  return out;
}

ExampleMap hostile() {
  ExampleMap out = every_state();
  const std::string text = "<script>\x1b[31m\xff\xe2\x80\xae&\"' \xc3\xa4\n]]>";
  MapFacts& facts = out.facts;
  facts.name = facts.state = facts.verdict = facts.time = facts.uuid = text;
  facts.disk.path = facts.disk.model = facts.disk.serial = facts.disk.file_system = text;
  for (SpareFill& spare : facts.spares) spare.path = text;
  for (Partition& partition : facts.disk.partitions) partition.holds = text;
  for (int i = 0; i < 7; ++i) facts.verdict += facts.verdict;
  return out;
}

}  // namespace

MapFacts ExampleMap::drawn() const {
  MapFacts out = facts;
  out.extents = extents;
  return out;
}

std::vector<std::string> names() {
  return {"healthy", "every-state", "mostly-dead", "scattered", "region", "hostile"};
}

ExampleMap by_name(const std::string& name) {
  if (name == "every-state") return every_state();
  if (name == "mostly-dead") return mostly_dead();
  if (name == "scattered") return scattered();
  if (name == "region") return region();
  if (name == "hostile") return hostile();
  return healthy();
}

}  // namespace dmremap::view::examples
