// SPDX-License-Identifier: GPL-2.0-or-later
// The pure part of assembly.hpp.
#include <algorithm>

#include <fmt/format.h>

#include "set/assembly.hpp"

namespace dmremap::set {

namespace {

// Whether `upper` is another view of `lower`, or the same device under another name.
template <typename Fact>
bool lies_on(const Fact& upper, const Fact& lower) {
  return !lower.beneath.empty() &&
         std::ranges::find(upper.beneath, lower.beneath.front()) != upper.beneath.end();
}

// Of several views of one device only the topmost stays; of equal ones the first.
template <typename Fact>
std::vector<std::size_t> distinct(const std::vector<Fact>& facts,
                                  const std::vector<std::size_t>& among) {
  std::vector<std::size_t> out;
  for (const std::size_t i : among) {
    const bool covered = std::ranges::any_of(among, [&](std::size_t j) {
      if (i == j || !lies_on(facts[j], facts[i])) return false;
      return !lies_on(facts[i], facts[j]) || j < i;
    });
    if (!covered) out.push_back(i);
  }
  return out;
}

template <typename Fact>
std::string paths_of(const std::vector<Fact>& facts, const std::vector<std::size_t>& among) {
  std::vector<std::string> paths;
  paths.reserve(among.size());
  for (const std::size_t i : among) paths.push_back(facts[i].path);
  return fmt::format("{}", fmt::join(paths, " and "));
}

template <typename Fact, typename Condition>
std::vector<std::size_t> those(const std::vector<Fact>& facts, Condition condition) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (condition(facts[i])) out.push_back(i);
  }
  return out;
}

}  // namespace

Result<std::size_t> choose_spare(const std::vector<SpareFact>& facts, const std::string& where) {
  const auto found = distinct(facts, those(facts, [](const SpareFact&) { return true; }));
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

namespace {

// Nothing tells them apart, and one of them holds older data.
tl::unexpected<Error> several(const std::vector<MainFact>& facts,
                              const std::vector<std::size_t>& found, const std::string& where) {
  return fail(ErrorCode::ambiguous,
              fmt::format("{} both look like the main device", paths_of(facts, found)), where,
              "disconnect the copy, or name the devices: `dmremap start MAIN SPARE`");
}

}  // namespace

Result<std::size_t> choose_main(const std::vector<MainFact>& facts, const std::string& where) {
  using discovery::Likeness;
  const auto same = [](const MainFact& f) { return f.verdict.likeness == Likeness::same; };
  const auto confirmed = distinct(
      facts, those(facts, [&](const MainFact& f) { return same(f) && f.verdict.confirmed; }));
  if (confirmed.size() == 1) return confirmed.front();
  if (confirmed.size() > 1) return several(facts, confirmed, where);
  const auto possible =
      distinct(facts, those(facts, [&](const MainFact& f) { return same(f) && f.by_path; }));
  if (possible.size() == 1) return possible.front();
  if (possible.size() > 1) return several(facts, possible, where);
  const auto changed = distinct(
      facts, those(facts, [](const MainFact& f) { return f.by_path && f.verdict.overridable; }));
  if (changed.size() == 1) return changed.front();
  if (changed.size() > 1) return several(facts, changed, where);

  const auto wrong = those(facts, [](const MainFact& f) { return f.by_path; });
  if (!wrong.empty()) {
    const MainFact& fact = facts[wrong.front()];
    return fail(ErrorCode::wrong_main, "is not the main device of this set: " + fact.verdict.reason,
                fact.path, "give the device the set was made with");
  }
  return fail(ErrorCode::missing_device, "the main device was not found", where,
              "connect it, or name the devices: `dmremap start MAIN SPARE`");
}

}  // namespace dmremap::set
