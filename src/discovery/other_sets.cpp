// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/other_sets.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "discovery/assembly.hpp"
#include "discovery/device_look.hpp"
#include "discovery/host_configuration.hpp"
#include "metadata/survey.hpp"

namespace dmremap::discovery {

namespace {

struct KnownSet {
  std::string name;
  Uuid uuid;
  std::string spare;  // where it is, or was last seen
  bool spare_found = false;
  RecordedMain main;
};

// The sets whose spares were found, then those that are only remembered by hints.
std::vector<KnownSet> known_sets(const Hints& known, const std::string& main_path) {
  std::vector<std::string> places = searched_places();
  for (const std::string& name : known.names()) {
    const auto hint = known.find(name);
    std::error_code error;
    if (hint && std::filesystem::exists(hint->spare_path, error)) {
      places.push_back(hint->spare_path);
    }
  }
  std::vector<KnownSet> out;
  std::set<Uuid> found;
  // The caller surveys this one itself. It is the disk that fails, so it is not read twice.
  std::erase(places, main_path);
  DeviceLook look;
  look.survey(places);
  for (const std::string& path : places) {
    const CandidateFacts& facts = look.facts().at(path);
    if (!facts.has_set() || !(*facts.survey)->content) continue;
    const format::Content& content = *(*facts.survey)->content;
    found.insert(content.identity.set_uuid);
    out.push_back(
        {content.identity.name, content.identity.set_uuid, path, true, recorded_main(content)});
  }
  for (const std::string& name : known.names()) {
    const auto hint = known.find(name);
    if (!hint || !hint->set_uuid || found.contains(*hint->set_uuid)) continue;
    out.push_back({name, *hint->set_uuid, hint->spare_path, false, hint->main});
  }
  return out;
}

bool is_at_its_place(const RecordedMain& recorded, const DeviceFacts& seen) {
  return std::ranges::any_of(seen.facts, [&](const format::Fact& fact) {
    return (fact.kind == format::FactKind::path || fact.kind == format::FactKind::port) &&
           std::ranges::find(recorded.facts, fact) != recorded.facts.end();
  });
}

// True if the device is proved to be the set's main, or if nothing speaks against it and it is
// where main was: a second set over it would put data at stake.
bool may_be_main(const KnownSet& set, const DeviceFacts& seen, const SharedFacts& shared) {
  const auto verdict = identify(set.main, seen, shared);
  if (verdict.identity == Identity::same) return true;
  return verdict.identity == Identity::unproven && !verdict.contents_changed && !verdict.resized &&
         is_at_its_place(set.main, seen);
}

}  // namespace

Result<void> check_in_no_set(io::FileDevice& main, const DeviceFacts& facts, const Hints& known,
                             const std::optional<Uuid>& discard, const std::string& overwritten) {
  // A failed survey is no error: a device with unreadable sectors is what sets are created for.
  const auto own = metadata::survey(main);
  if (own && own->has_set()) {
    const std::string name = own->content ? own->content->identity.name : std::string("?");
    return fail(ErrorCode::main_has_set,
                fmt::format("is the spare of the set {} ({})", name, to_string(*own->set_uuid)),
                main.path(), "give the failing disk; `dmremap release` ends that set");
  }
  const auto shared = shared_facts(names_of_disks());
  const auto new_spare = os::storage_of(overwritten);
  for (const KnownSet& set : known_sets(known, main.path())) {
    const bool is_given_up = set.uuid == discard || os::storage_of(set.spare) == new_spare;
    if (is_given_up || !may_be_main(set, facts, shared)) continue;
    const std::string uuid = to_string(set.uuid);
    return fail(
        ErrorCode::main_has_set,
        fmt::format("is the main device of the set {} ({}), whose spare {} {}", set.name, uuid,
                    set.spare_found ? "is" : "was last seen at", set.spare),
        main.path(),
        set.spare_found
            ? fmt::format("`dmremap start {}`, or end that set with `dmremap release {}`", set.name,
                          set.spare)
            : fmt::format("connect that spare; if it is dead, and what it held is lost anyway: "
                          "--discard-data {}",
                          uuid));
  }
  return {};
}

}  // namespace dmremap::discovery
