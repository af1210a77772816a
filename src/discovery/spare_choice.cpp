// SPDX-License-Identifier: GPL-2.0-or-later
// The pure part of assembly.hpp.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "discovery/assembly.hpp"
#include "discovery/views.hpp"

namespace dmremap::discovery {

namespace {

std::string paths_of(const std::vector<SpareFact>& facts, const std::vector<std::size_t>& among) {
  std::vector<std::string> paths;
  paths.reserve(among.size());
  for (const std::size_t i : among) paths.push_back(facts[i].path);
  return fmt::format("{}", fmt::join(paths, " and "));
}

}  // namespace

Result<std::size_t> choose_spare(const std::vector<SpareFact>& facts, const std::string& where) {
  std::vector<std::size_t> all(facts.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const auto found =
      topmost_views(all, [&](std::size_t i) -> const StorageStack& { return facts[i].beneath; });
  if (found.empty()) {
    return fail(ErrorCode::missing_device, "no device with the metadata of this set was found",
                where, "name its devices: `dmremap start MAIN SPARE`");
  }
  if (found.size() == 1) return found.front();
  const SpareFact& first = facts[found.front()];
  const bool one_set = std::ranges::all_of(
      found, [&](std::size_t i) { return facts[i].set_uuid == first.set_uuid; });
  const std::string paths = paths_of(facts, found);
  if (one_set) {
    return fail(ErrorCode::ambiguous,
                fmt::format("{} hold the same set; one may be an older copy of the other", paths),
                where, "compare them with `dmremap examine`, and name the devices to use");
  }
  return fail(ErrorCode::ambiguous, fmt::format("{} hold different sets", paths), where,
              "name the devices of one set: `dmremap start MAIN SPARE`");
}

}  // namespace dmremap::discovery
