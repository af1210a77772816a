// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/disk_caption.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/size_text.hpp"

namespace dmremap::view {

namespace {

using format::State;

std::uint64_t count_of(const StateCounts& counts, State state) {
  return counts[severity_of(state)];
}

bool is_bad(State state) {
  return state == State::lost || state == State::gone;
}

}  // namespace

std::string position_text(Sector sector, SectorCount step) {
  static constexpr std::array kUnits{"KiB", "MiB", "GiB"};
  std::size_t unit = 0;
  std::uint64_t bytes = kKiB;
  for (; unit + 1 < kUnits.size() && step.bytes() >= bytes * 1024; ++unit) bytes *= 1024;
  const bool whole = step.bytes() % bytes == 0 && sector.byte_offset() % bytes == 0;
  const double value = static_cast<double>(sector.byte_offset()) / static_cast<double>(bytes);
  return fmt::format("{:.{}f} {}", value, whole ? 0 : 1, kUnits[unit]);
}

double SpareFill::share() const {
  if (capacity.value == 0) return 1;
  return static_cast<double>(used.value) / static_cast<double>(capacity.value);
}

bool MapFacts::has_loss() const {
  return failing.value > 0 ||
         std::ranges::any_of(extents, [](const auto& extent) { return is_bad(extent.state()); });
}

std::string loss_line(const MapFacts& facts) {
  const StateCounts counts = count_states(facts.extents, {{0}, facts.size});
  const std::uint64_t lost = count_of(counts, State::lost);
  const std::uint64_t gone = count_of(counts, State::gone);
  if (lost + gone == 0) return "nothing is lost";
  return fmt::format("{} ({}) cannot be read: {} lost, {} gone", counted(lost + gone, "sector"),
                     size_text({lost + gone}), lost, gone);
}

std::string failing_line(const MapFacts& facts) {
  const std::uint64_t failing = facts.failing.value;
  if (failing == 0) return {};
  return fmt::format("{} on the spare {} not read now", counted(failing, "sector"),
                     failing == 1 ? "does" : "do");
}

std::string disk_line(const MapFacts& facts) {
  const DiskFacts& disk = facts.disk;
  std::vector<std::string> parts;
  if (!disk.path.empty()) parts.push_back(disk.path);
  if (!disk.model.empty()) parts.push_back(disk.model);
  if (!disk.serial.empty()) parts.push_back("serial " + disk.serial);
  parts.push_back(size_text(facts.size));
  if (!disk.file_system.empty()) parts.push_back(disk.file_system);
  return fmt::format("disk: {}", fmt::join(parts, ", "));
}

std::string spare_line(const SpareFill& spare) {
  // 99.6 % is not full, and one sector is not nothing.
  const double percent = spare.share() * 100;
  const auto whole = percent > 50 ? std::floor(percent) : std::ceil(percent);
  return fmt::format("spare: {}{}{:.0f} % used ({} of {})", spare.path,
                     spare.path.empty() ? "" : ", ", whole, size_text(spare.used),
                     size_text(spare.capacity));
}

std::string region_line(const MapFacts& facts) {
  return fmt::format("sectors {}+{} ({} at {}) of {}", facts.shown.first.value,
                     facts.shown.count.value, size_text(facts.shown.count),
                     size_text({facts.shown.first.value}), size_text(facts.size));
}

std::string partition_line(const Partition& partition) {
  return fmt::format("partition {}: {}+{} ({} at {}){}{}", partition.number,
                     partition.range.first.value, partition.range.count.value,
                     size_text(partition.range.count), size_text({partition.range.first.value}),
                     partition.holds.empty() ? "" : ", ", partition.holds);
}

std::vector<BadRange> bad_ranges(std::span<const format::Extent> extents, SectorRange range) {
  std::vector<BadRange> out;
  for (const format::Extent& extent : extents) {
    const SectorRange part = extent.main().intersect(range);
    if (!is_bad(extent.state()) || part.empty()) continue;
    if (!out.empty() && out.back().state == extent.state() &&
        out.back().range.end() == part.first) {
      out.back().range.count = out.back().range.count + part.count;
    } else {
      out.push_back({extent.state(), part});
    }
  }
  return out;
}

std::string bad_range_line(const BadRange& bad) {
  return fmt::format("{}: {}+{} ({} at {})", name_of(bad.state), bad.range.first.value,
                     bad.range.count.value, size_text(bad.range.count),
                     size_text({bad.range.first.value}));
}

std::string cell_text(const Cells& cells, std::size_t cell) {
  const SectorRange range = cells.range_of(cell);
  std::vector<std::string> parts;
  for (std::size_t i = kStatesOfMain.size() - 1; i > 0; --i) {
    const std::uint64_t sectors = cells.counts[cell][i];
    if (sectors > 0) parts.push_back(fmt::format("{} {}", sectors, name_of(kStatesOfMain[i])));
  }
  if (parts.empty()) parts.emplace_back("good");
  return fmt::format("{}+{} at {}: {}", range.first.value, range.count.value,
                     size_text({range.first.value}), fmt::join(parts, ", "));
}

}  // namespace dmremap::view
