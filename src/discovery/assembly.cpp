// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/assembly.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "discovery/host_configuration.hpp"
#include "discovery/last_known.hpp"
#include "discovery/main_candidates.hpp"
#include "discovery/uuid_prefix.hpp"
#include "io/file_device.hpp"
#include "os/path.hpp"

namespace dmremap::discovery {

namespace {

constexpr io::OpenMode kLook{io::Access::read_only, io::Holding::shared};

void keep_open_only(DeviceLook& look, const std::vector<const CandidateFacts*>& devices) {
  std::vector<std::string> paths;
  paths.reserve(devices.size());
  for (const CandidateFacts* device : devices) paths.push_back(device->path);
  look.keep_open_only(paths);
}

// Chooses the spare among the devices with metadata.
Result<Spare> chosen_spare(const std::vector<const CandidateFacts*>& holders,
                           const std::string& where) {
  std::vector<SpareFact> facts;
  facts.reserve(holders.size());
  for (const CandidateFacts* one : holders) facts.push_back(spare_fact(*one));
  const auto chosen = choose_spare(facts, where);
  if (!chosen) return failure_of(chosen);
  const CandidateFacts& taken = *holders[*chosen];
  const metadata::Survey& survey = **taken.survey;
  // Without any whole commit there is no identity to look for main by. A doubtful set that has one
  // is returned: whether it may be served is decided later.
  if (!survey.content) {
    if (auto refused = metadata::refusal(survey, taken.path)) return tl::unexpected(*refused);
  }
  return Spare{taken.path, survey, {}};
}

// The error for devices none of which holds a set. The most precise reason goes first: a newer
// format, then traces of metadata, then none at all.
Error no_spare_among(const std::vector<std::pair<std::string, metadata::Survey>>& blank) {
  for (const auto& [path, survey] : blank) {
    if (survey.newer_format) return metadata::refusal(survey, path).value();
  }
  for (const auto& [path, survey] : blank) {
    const auto traces = metadata::describe_traces(survey);
    if (!traces) continue;
    return Error{ErrorCode::metadata_doubtful, *traces, path,
                 "look with `dmremap examine`; nothing was written"};
  }
  std::vector<std::string> paths;
  paths.reserve(blank.size());
  for (const auto& [path, survey] : blank) paths.push_back(path);
  return Error{ErrorCode::missing_device, "no dm-remap metadata: the spare of a set is missing",
               fmt::format("{}", fmt::join(paths, ", ")),
               "name the spare too; if it is one of these, check its cable and its size (`dmremap "
               "create` is "
               "for new sets only)"};
}

// The error for a device that was looked for by what is recorded of it, with what is known of it
// and of the place where it was.
Error with_last_known(Error error, const std::string& path, const format::Fingerprint& device,
                      const CandidateMap& seen) {
  const auto now = seen.find(path);
  const std::string known =
      last_known_in_words(path, device, now == seen.end() ? nullptr : &now->second);
  // Of devices that may be main it is said what they show, and not where main was.
  const bool is_of_another = error.code == ErrorCode::main_unproven;
  if (!known.empty()) error.what += (is_of_another ? "; main " : "; it ") + known;
  return error;
}

using HoldersOfSet = std::vector<const CandidateFacts*>;

// Those of the devices that hold the set with this name or UUID; without one, those whose set has a
// UUID that begins so.
HoldersOfSet holders_of_set(const std::vector<std::string>& paths, const std::string& name,
                            DeviceLook& look) {
  look.survey(paths);
  const auto uuid = parse_uuid(name);
  HoldersOfSet out;
  HoldersOfSet by_first_digits;
  for (const std::string& path : paths) {
    const CandidateFacts& facts = look.facts().at(path);
    if (!facts.has_set()) continue;
    const SpareFact spare = spare_fact(facts);
    if (spare.name == name || (uuid && spare.set_uuid == *uuid)) out.push_back(&facts);
    if (is_uuid_prefix(name, spare.set_uuid)) by_first_digits.push_back(&facts);
  }
  return out.empty() ? by_first_digits : out;
}

// The places where main may be, in the order in which it is looked for. If the user named devices,
// main is looked for among these alone.
std::vector<MainPlace> places_of_main(const Spare& spare, const MainSearch& search) {
  std::vector<MainPlace> out;
  const auto add = [&](const std::string& path, bool named) {
    if (!path.empty()) out.push_back({os::absolute(path), named});
  };
  add(search.accept_main, true);
  for (const std::string& path : spare.others) add(path, true);
  if (!spare.others.empty()) return out;
  add(search.hint_path, true);
  add(spare.identity().main.path_hint, true);
  for (const std::string& path : searched_places()) add(path, false);
  return out;
}

}  // namespace

Result<metadata::Survey> survey_path(const std::string& path) {
  const auto device = io::FileDevice::open(path, kLook);
  if (!device) return failure_of(device);
  return metadata::survey(**device);
}

SpareFact spare_fact(const CandidateFacts& facts) {
  const metadata::Survey& survey = **facts.survey;
  SpareFact out;
  out.path = facts.path;
  if (survey.content) out.name = survey.content->identity.name;
  out.set_uuid = survey.set_uuid.value_or(Uuid{});
  out.spare_uuid = survey.spare_uuid.value_or(Uuid{});
  out.beneath = facts.beneath;
  return out;
}

Result<Spare> find_spare(const std::vector<std::string>& given, DeviceLook& look) {
  if (given.size() > 2) {
    return fail(ErrorCode::usage, "a set has one main and one spare device", given.back(),
                "name at most two devices");
  }
  std::vector<std::string> paths;
  paths.reserve(given.size());
  for (const std::string& path : given) paths.push_back(os::absolute(path));
  look.survey(paths);
  std::vector<const CandidateFacts*> holders;
  std::vector<std::pair<std::string, metadata::Survey>> blank;
  std::optional<Error> unread;
  for (const std::string& path : paths) {
    const CandidateFacts& facts = look.facts().at(path);
    // The user named these very devices, so that one which cannot be opened ends the search.
    if (facts.unopened) return tl::unexpected(*facts.unopened);
    if (facts.has_set()) {
      holders.push_back(&facts);
    } else if (*facts.survey) {
      blank.emplace_back(path, **facts.survey);
    } else {
      // Unreadable sectors are no error here: this may be the failing main for which the set
      // exists.
      unread = facts.survey->error();
      blank.emplace_back(path, metadata::Survey{});
    }
  }
  if (holders.empty()) {
    return tl::unexpected(unread && blank.size() == 1 ? *unread : no_spare_among(blank));
  }
  auto spare = chosen_spare(holders, fmt::format("{}", fmt::join(given, ", ")));
  if (!spare) return spare;
  for (const std::string& path : paths) {
    if (path != spare->path) spare->others.push_back(path);
  }
  return spare;
}

Result<Spare> find_spare(const std::string& name, const Hints& hints, DeviceLook& look) {
  const auto hint = hints.find(hints.name_of(name));
  std::vector<std::string> paths = searched_places();
  if (hint && std::ranges::find(paths, hint->spare_path) == paths.end()) {
    paths.insert(paths.begin(), hint->spare_path);
  }
  // Main is the disk that fails: each sector of it that need not be read may save a minute. But
  // another disk, and this spare above all, may have taken its node.
  const Appearance at_main =
      hint ? appearance_at(hint->main_path, hint->main) : Appearance::another;
  const bool leaves_out = at_main != Appearance::another && std::erase(paths, hint->main_path) != 0;
  HoldersOfSet holders = holders_of_set(paths, name, look);
  if (holders.empty() && leaves_out && at_main == Appearance::unknown) {
    holders = holders_of_set({hint->main_path}, name, look);
  }
  keep_open_only(look, holders);
  if (holders.empty()) {
    if (const auto silent = look.silent()) return tl::unexpected(*silent);
  }
  auto spare = chosen_spare(holders, name);
  if (spare || !hint || spare.error().code != ErrorCode::missing_device) return spare;
  return tl::unexpected(
      with_last_known(spare.error(), hint->spare_path, hint->spare, look.facts()));
}

std::vector<MainCandidate> look_for_main(const Spare& spare, const MainSearch& search,
                                         DeviceLook& look) {
  // All devices are opened, but only those that may be main by size, name or the user's word are
  // read: a failing disk may take a minute for each sector.
  const auto places = places_of_main(spare, search);
  std::vector<std::string> paths{spare.path};
  for (const MainPlace& place : places) paths.push_back(place.path);
  look.measure(paths);
  const WantedMain wanted{
      recorded_main(*spare.survey.content), look.facts().at(spare.path).beneath,
      search.accept_main.empty() ? std::string() : os::absolute(search.accept_main)};
  const auto to_identify = mains_to_identify(places, look.facts(), wanted);
  std::vector<std::string> wanted_open = to_identify;
  wanted_open.push_back(spare.path);
  look.keep_open_only(wanted_open);
  look.identify(to_identify);
  return main_candidates(places, look.facts(), wanted, shared_facts(names_of_disks()));
}

Result<Members> find_main(const Spare& spare, const MainSearch& search, DeviceLook& look) {
  const auto candidates = look_for_main(spare, search, look);
  const auto chosen = choose_main(candidates, spare.identity().name);
  if (!chosen) {
    const bool is_missing = chosen.error().code == ErrorCode::missing_device;
    if (!is_missing && chosen.error().code != ErrorCode::main_unproven) return failure_of(chosen);
    if (const auto silent = look.silent(); silent && is_missing) return tl::unexpected(*silent);
    const format::Fingerprint& main = spare.identity().main;
    return tl::unexpected(with_last_known(
        chosen.error(), os::absolute(search.hint_path.empty() ? main.path_hint : search.hint_path),
        main, look.facts()));
  }
  // The instances go with the paths, so that a start notices a device that was replaced meanwhile.
  const std::string& main_path = candidates[*chosen].device.path;
  return Members{spare.identity().name,
                 spare.identity().set_uuid,
                 {main_path, look.facts().at(main_path).instance},
                 {{spare.path, look.facts().at(spare.path).instance}}};
}

}  // namespace dmremap::discovery
