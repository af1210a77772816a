// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/discover.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "discovery/candidates.hpp"
#include "discovery/start_check.hpp"
#include "io/file_device.hpp"
#include "os/path.hpp"

namespace dmremap::discovery {

namespace {

struct Seen {
  std::string path;
  metadata::Survey survey;
};

void add(std::vector<std::string>& paths, const std::string& path) {
  if (!path.empty() && std::ranges::find(paths, path) == paths.end()) paths.push_back(path);
}

// Mains are left out: each of their sectors that need not be read may be a minute saved.
std::vector<std::string> places_to_look(const Hints& hints) {
  std::vector<std::string> out = block_devices();
  for (const std::string& name : hints.names()) {
    const auto hint = hints.find(name);
    if (!hint) continue;
    std::erase(out, hint->main_path);
    std::error_code error;
    if (std::filesystem::exists(hint->spare_path, error)) add(out, hint->spare_path);
  }
  return out;
}

SpareFact fact_of(const Seen& seen) {
  SpareFact out;
  out.path = seen.path;
  if (seen.survey.content) out.name = seen.survey.content->identity.name;
  out.set_uuid = seen.survey.set_uuid.value_or(Uuid{});
  out.spare_uuid = seen.survey.spare_uuid.value_or(Uuid{});
  if (const auto storage = os::storage_of(seen.path)) out.beneath = os::beneath(*storage);
  return out;
}

// Main as a start would choose it; none: it could not, and why is told.
std::optional<MainCandidate> find_main_of(DiscoveredSet& set, const Spare& spare,
                                          const Hints& hints) {
  const auto hint = hints.find(set.name);
  auto candidates = look_for_main(spare, {hint ? hint->main_path : std::string(), {}, {}});
  const auto chosen = choose_main(candidates, set.name);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const MainCandidate& one = candidates[i];
    if (one.verdict.identity == Identity::different && !one.named) continue;
    set.mains.push_back({one.device.path, one.verdict, chosen && *chosen == i});
  }
  if (!chosen) {
    if (!set.problem) set.problem = chosen.error();
    return std::nullopt;
  }
  set.main = candidates[*chosen].device.path;
  return std::move(candidates[*chosen]);
}

// What a start finds on devices that it holds.
std::optional<Error> refused_at_start(const MainCandidate& main, const Spare& spare,
                                      const std::string& memory_path) {
  constexpr io::OpenMode kLook{io::Access::read_only, io::Holding::shared};
  const auto spare_device = io::FileDevice::open(spare.path, kLook);
  if (!spare_device) return spare_device.error();
  const auto main_device = io::FileDevice::open(main.device.path, kLook);
  if (!main_device) return main_device.error();
  const auto checked =
      check_devices(**main_device, main, **spare_device, spare.survey, {{}, false, memory_path});
  return checked ? std::nullopt : std::optional(checked.error());
}

// All of `seen` hold metadata of one set.
DiscoveredSet describe(std::vector<Seen> seen, const std::vector<std::string>& others,
                       const Hints& hints, const Runs& runs) {
  DiscoveredSet out;
  out.uuid = *seen.front().survey.set_uuid;
  std::vector<SpareFact> facts;
  for (const Seen& device : seen) {
    facts.push_back(fact_of(device));
    out.spares.push_back(device.path);
    if (out.name.empty()) out.name = facts.back().name;
  }
  out.running = runs.is_running(out.name, out.uuid);
  const auto chosen = choose_spare(facts, out.name);
  if (!chosen) {
    if (!out.running) out.problem = chosen.error();
    return out;
  }
  Spare spare{seen[*chosen].path, std::move(seen[*chosen].survey), others};
  out.spare = spare.path;
  if (out.running) {
    if (const auto hint = hints.find(out.name)) out.main = hint->main_path;
    return out;
  }
  out.problem = metadata::refusal(spare.survey, spare.path);
  if (!spare.survey.content) return out;
  const auto main = find_main_of(out, spare, hints);
  if (main && !out.problem) {
    out.problem = refused_at_start(*main, spare, runs.memory_path(out.name));
  }
  return out;
}

}  // namespace

Discovery discover(const std::vector<std::string>& paths, const Hints& hints, const Runs& runs) {
  Discovery out;
  std::vector<std::string> places;
  for (const std::string& path : paths) add(places, os::absolute(path));
  if (paths.empty()) places = places_to_look(hints);
  std::map<Uuid, std::vector<Seen>> sets;
  std::vector<std::string> blank;
  for (const std::string& path : places) {
    auto survey = survey_path(path);
    if (!survey) {
      // A main that does not read is what all this is for: it is one all the same, if it was named.
      if (!paths.empty()) blank.push_back(path);
      const bool hardly = survey.error().code == ErrorCode::io;
      if (!paths.empty() && !hardly) out.others.push_back(survey.error());
    } else if (survey->has_set()) {
      sets[*survey->set_uuid].push_back({path, std::move(*survey)});
    } else if (survey->newer_format) {
      out.others.push_back(metadata::refusal(*survey, path).value());
    } else {
      if (const auto traces = metadata::describe_traces(*survey)) {
        out.others.push_back(
            {ErrorCode::metadata_doubtful, *traces, path, "look with `dmremap examine`"});
      }
      blank.push_back(path);
    }
  }
  const std::vector<std::string> none;
  for (auto& [uuid, seen] : sets) {
    out.sets.push_back(describe(std::move(seen), paths.empty() ? none : blank, hints, runs));
  }
  std::ranges::stable_sort(out.sets, {}, &DiscoveredSet::name);
  return out;
}

}  // namespace dmremap::discovery
