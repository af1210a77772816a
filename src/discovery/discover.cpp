// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/discover.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "discovery/host_configuration.hpp"
#include "discovery/main_candidates.hpp"
#include "discovery/start_check.hpp"
#include "io/file_device.hpp"
#include "os/path.hpp"

namespace dmremap::discovery {

namespace {

void add(std::vector<std::string>& paths, const std::string& path) {
  if (!path.empty() && std::ranges::find(paths, path) == paths.end()) paths.push_back(path);
}

// The mains that are remembered are left out where their names show that they still are there: each
// sector of them that need not be read may save a minute.
std::vector<std::string> places_to_look(const Hints& hints) {
  std::vector<std::string> out = searched_places();
  for (const std::string& name : hints.names()) {
    const auto hint = hints.find(name);
    if (!hint) continue;
    if (appearance_at(hint->main_path, hint->main) == Appearance::main) {
      std::erase(out, hint->main_path);
    }
    std::error_code error;
    if (std::filesystem::exists(hint->spare_path, error)) add(out, hint->spare_path);
  }
  return out;
}

// Chooses main as a start would. If that fails, the problem of the set says why.
std::optional<MainCandidate> find_main_of(DiscoveredSet& set, const Spare& spare,
                                          const Hints& hints, DeviceLook& look) {
  const auto hint = hints.find(set.name);
  auto candidates = look_for_main(spare, {hint ? hint->main_path : std::string(), {}}, look);
  const auto chosen = choose_main(candidates, set.name);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const MainCandidate& one = candidates[i];
    if (one.verdict.identity == Identity::different && !one.named) continue;
    set.mains.push_back({one.device.path, one.verdict, chosen && *chosen == i});
  }
  if (!chosen) {
    const auto silent = look.silent();
    const bool may_be_there = silent && chosen.error().code == ErrorCode::missing_device;
    set.lacks_answer = !set.problem && may_be_there;
    if (!set.problem) set.problem = may_be_there ? *silent : chosen.error();
    return std::nullopt;
  }
  set.main = candidates[*chosen].device.path;
  return std::move(candidates[*chosen]);
}

// Makes the checks that a start makes on devices that it holds.
std::optional<Error> refused_at_start(const MainCandidate& main, const Spare& spare,
                                      DeviceLook& look, const std::string& memory_path) {
  look.open({main.device.path, spare.path});
  for (const std::string& path : {main.device.path, spare.path}) {
    if (look.device(path) == nullptr) return look.facts().at(path).unopened;
  }
  io::FileDevice& main_device = *look.device(main.device.path);
  const io::Geometry seen = main_device.geometry();
  const auto checked = check_devices(main_device, main, *look.device(spare.path), spare.survey,
                                     {{}, false, memory_path});
  // Another set may look at the same device later.
  main_device.serve_as(seen);
  return checked ? std::nullopt : std::optional(checked.error());
}

// All of `holders` hold metadata of one set.
DiscoveredSet describe(const std::vector<const CandidateFacts*>& holders,
                       const std::vector<std::string>& others, const Hints& hints,
                       const RunLookup& runs, DeviceLook& look) {
  DiscoveredSet out;
  std::vector<SpareFact> facts;
  for (const CandidateFacts* device : holders) {
    facts.push_back(spare_fact(*device));
    out.uuid = facts.back().set_uuid;
    out.spares.push_back(device->path);
    if (out.name.empty()) out.name = facts.back().name;
  }
  out.running = runs.is_running(out.name, out.uuid);
  const auto chosen = choose_spare(facts, out.name);
  if (!chosen) {
    if (!out.running) out.problem = chosen.error();
    return out;
  }
  const Spare spare{holders[*chosen]->path, **holders[*chosen]->survey, others};
  out.spare = spare.path;
  if (out.running) {
    if (const auto hint = hints.find(out.name)) out.main = hint->main_path;
    return out;
  }
  out.problem = metadata::refusal(spare.survey, spare.path);
  if (!spare.survey.content) return out;
  const auto main = find_main_of(out, spare, hints, look);
  if (main && !out.problem) {
    out.problem = refused_at_start(*main, spare, look, runs.memory_path(out.name));
  }
  return out;
}

}  // namespace

Discovery discover(const std::vector<std::string>& paths, const Hints& hints, const RunLookup& runs,
                   std::chrono::nanoseconds patience) {
  Discovery out;
  std::vector<std::string> places;
  for (const std::string& path : paths) add(places, os::absolute(path));
  if (paths.empty()) places = places_to_look(hints);
  DeviceLook look(patience);
  look.survey(places);
  std::map<Uuid, std::vector<const CandidateFacts*>> sets;
  std::vector<std::string> blank;
  for (const std::string& path : places) {
    const CandidateFacts& facts = look.facts().at(path);
    if (const auto failed = facts.unsurveyed()) {
      // Unreadable sectors are no error here: a device that was named may be the failing main.
      if (!paths.empty()) blank.push_back(path);
      const bool hardly = failed->code == ErrorCode::io;
      if (!facts.silent && !paths.empty() && !hardly) out.others.push_back(*failed);
    } else if (const metadata::Survey& survey = **facts.survey; survey.has_set()) {
      sets[*survey.set_uuid].push_back(&facts);
    } else if (survey.newer_format) {
      out.others.push_back(metadata::refusal(survey, path).value());
    } else {
      if (const auto traces = metadata::describe_traces(survey)) {
        out.others.push_back(
            {ErrorCode::metadata_doubtful, *traces, path, "look with `dmremap examine`"});
      }
      blank.push_back(path);
    }
  }
  std::vector<std::string> spares;
  for (const auto& [uuid, holders] : sets) {
    for (const CandidateFacts* spare : holders) spares.push_back(spare->path);
  }
  look.keep_open_only(spares);
  const std::vector<std::string> none;
  for (const auto& [uuid, holders] : sets) {
    out.sets.push_back(describe(holders, paths.empty() ? none : blank, hints, runs, look));
  }
  std::ranges::stable_sort(out.sets, {}, &DiscoveredSet::name);
  for (const auto& [path, facts] : look.facts()) {
    if (!facts.silent) continue;
    Error error = *facts.unopened;
    error.code = ErrorCode::timeout;
    error.what += ", and what lies on it is not known";
    out.silent.push_back(std::move(error));
  }
  return out;
}

}  // namespace dmremap::discovery
