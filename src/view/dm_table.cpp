// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/dm_table.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace dmremap::view {

namespace {

using table::Place;
using table::Stretch;

bool continues(const Stretch& before, const Stretch& next) {
  if (before.place != next.place) return false;
  return next.place != Place::spare || next.spare == before.spare + before.range.count;
}

void append(std::vector<Stretch>& targets, const Stretch& next) {
  if (next.range.empty()) return;
  if (!targets.empty() && continues(targets.back(), next)) {
    targets.back().range.count = targets.back().range.count + next.range.count;
  } else {
    targets.push_back(next);
  }
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

// The kernel splits the arguments of a target at white space; a backslash keeps what follows it.
Result<std::string> quoted(const std::string& path) {
  if (std::ranges::any_of(path, is_control)) {
    return fail(ErrorCode::usage, "this path cannot stand in a table", path,
                "name the device by a link without control characters");
  }
  std::string out;
  for (const char c : path) {
    if (c == ' ' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::vector<Stretch> dm_targets(std::span<const format::Extent> extents, SectorCount size) {
  std::vector<Stretch> out;
  Sector at;
  for (const format::Extent& extent : extents) {
    const SectorRange range = extent.main();
    append(out, {{at, range.first - at}, Place::main, {}});
    const Place place = table::place_of(extent.state());
    append(out, {range, place, place == Place::spare ? extent.spare().first : SpareAddress{}});
    at = range.end();
  }
  append(out, {{at, Sector{size.value} - at}, Place::main, {}});
  return out;
}

const std::string& device_of(const Stretch& stretch, const DmDevices& devices) {
  return stretch.place == Place::spare ? devices.spares.at(position_of(stretch.spare.index))
                                       : devices.main;
}

Sector sector_of(const Stretch& stretch) {
  return stretch.place == Place::spare ? stretch.spare.sector : stretch.range.first;
}

Result<std::string> print_dm_table(std::span<const Stretch> targets, const DmDevices& devices) {
  const auto main = quoted(devices.main);
  if (!main) return failure_of(main);
  DmDevices named{*main, {}};
  for (const std::string& path : devices.spares) {
    auto spare = quoted(path);
    if (!spare) return failure_of(spare);
    named.spares.push_back(std::move(*spare));
  }
  std::string out;
  for (const Stretch& target : targets) {
    out += fmt::format("{} {} ", target.range.first.value, target.range.count.value);
    out += target.place == Place::nowhere
               ? "error\n"
               : fmt::format("linear {} {}\n", device_of(target, named), sector_of(target).value);
  }
  return out;
}

}  // namespace dmremap::view
