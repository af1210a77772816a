// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/assembly.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "discovery/candidates.hpp"
#include "discovery/fingerprint.hpp"
#include "io/file_device.hpp"

namespace dmremap::set {

namespace {

constexpr io::OpenMode kLook{io::Access::read_only, io::Holding::shared};

std::string absolute(const std::string& path) {
  std::error_code error;
  const auto made = std::filesystem::absolute(path, error);
  return error ? path : made.lexically_normal().string();
}

std::vector<io::Storage> beneath_path(const std::string& path) {
  const auto storage = io::storage_of(path);
  return storage ? io::beneath(*storage) : std::vector<io::Storage>{};
}

struct Found {
  SpareFact fact;
  metadata::Survey survey;
};

Found found_at(const std::string& path, metadata::Survey survey) {
  Found out;
  out.fact.path = path;
  if (survey.content) out.fact.name = survey.content->identity.name;
  out.fact.set_uuid = survey.set_uuid.value_or(Uuid{});
  out.fact.spare_uuid = survey.spare_uuid.value_or(Uuid{});
  out.fact.beneath = beneath_path(path);
  out.survey = std::move(survey);
  return out;
}

Result<Spare> take_chosen(std::vector<Found>& found, const std::string& where) {
  std::vector<SpareFact> facts;
  facts.reserve(found.size());
  for (const Found& f : found) facts.push_back(f.fact);
  const auto chosen = choose_spare(facts, where);
  if (!chosen) return tl::unexpected(chosen.error());
  Found& taken = found[*chosen];
  // Without a winner there is nothing to look at, let alone to serve.
  if (!taken.survey.content) {
    if (auto refused = metadata::refusal(taken.survey, taken.fact.path)) {
      return tl::unexpected(*refused);
    }
  }
  return Spare{taken.fact.path, std::move(taken.survey), {}};
}

// Why none of the devices is a spare, as precisely as it can be said.
Error no_spare_among(const std::vector<std::pair<std::string, metadata::Survey>>& blank) {
  for (const auto& [path, survey] : blank) {
    if (survey.newer_format) return metadata::refusal(survey, path).value();
  }
  for (const auto& [path, survey] : blank) {
    if (!survey.traces) continue;
    return Error{ErrorCode::metadata_doubtful, "holds damaged or unreadable dm-remap metadata",
                 path, "look with `dmremap examine`; nothing was written"};
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

std::optional<MainFact> fact_about(const std::string& path, const format::Fingerprint& recorded,
                                   bool by_path) {
  const auto device = io::FileDevice::open(path, kLook);
  if (!device) return std::nullopt;
  const auto seen = discovery::take_fingerprint(**device);
  if (!seen) return std::nullopt;
  return MainFact{path, discovery::match(recorded, *seen), by_path, beneath_path(path)};
}

void add_fact(std::vector<MainFact>& facts, const std::string& path,
              const format::Fingerprint& recorded, bool by_path) {
  const bool there = std::ranges::any_of(facts, [&](const MainFact& f) { return f.path == path; });
  if (path.empty() || there) return;
  if (auto fact = fact_about(path, recorded, by_path)) facts.push_back(std::move(*fact));
}

// Whether a device of this size is worth a closer look.
bool has_size(const std::string& path, SectorCount size) {
  const auto device = io::FileDevice::open(path, kLook);
  return device && (*device)->geometry().size == size;
}

}  // namespace

Result<metadata::Survey> survey_path(const std::string& path) {
  const auto device = io::FileDevice::open(path, kLook);
  if (!device) return tl::unexpected(device.error());
  return metadata::survey(**device);
}

Result<Spare> find_spare(const std::vector<std::string>& paths) {
  if (paths.size() > 2) {
    return fail(ErrorCode::usage, "a set has one main and one spare device", paths.back(),
                "name at most two devices");
  }
  std::vector<Found> found;
  std::vector<std::pair<std::string, metadata::Survey>> blank;
  std::optional<Error> unread;
  for (const std::string& given : paths) {
    const std::string path = absolute(given);
    const auto device = io::FileDevice::open(path, kLook);
    if (!device) return tl::unexpected(device.error());
    auto survey = metadata::survey(**device);
    if (!survey) {
      // A main device whose sectors do not read is what all this is for.
      unread = survey.error();
      blank.emplace_back(path, metadata::Survey{});
    } else if (survey->has_set()) {
      found.push_back(found_at(path, std::move(*survey)));
    } else {
      blank.emplace_back(path, std::move(*survey));
    }
  }
  if (found.empty()) {
    return tl::unexpected(unread && blank.size() == 1 ? *unread : no_spare_among(blank));
  }
  auto spare = take_chosen(found, fmt::format("{}", fmt::join(paths, ", ")));
  if (!spare) return spare;
  for (const std::string& given : paths) {
    if (absolute(given) != spare->path) spare->others.push_back(absolute(given));
  }
  return spare;
}

Result<Spare> find_spare(const std::string& name, const Hints& hints) {
  const auto hint = hints.find(name);
  std::vector<std::string> paths = discovery::block_devices();
  if (hint && std::ranges::find(paths, hint->spare_path) == paths.end()) {
    paths.insert(paths.begin(), hint->spare_path);
  }
  std::vector<Found> found;
  for (const std::string& path : paths) {
    // The failing disk: every sector that need not be read is a minute saved.
    if (hint && path == hint->main_path) continue;
    auto survey = survey_path(path);
    if (!survey || !survey->has_set()) continue;
    Found candidate = found_at(path, std::move(*survey));
    if (candidate.fact.name == name) found.push_back(std::move(candidate));
  }
  return take_chosen(found, name);
}

std::vector<MainFact> look_for_main(const Spare& spare, const std::string& hint_path) {
  const format::Fingerprint& recorded = spare.identity().main;
  std::vector<MainFact> facts;
  if (!spare.others.empty()) {
    for (const std::string& path : spare.others) add_fact(facts, path, recorded, true);
  } else {
    add_fact(facts, hint_path, recorded, true);
    add_fact(facts, recorded.path_hint, recorded, true);
    for (const std::string& path : discovery::block_devices()) {
      if (path != spare.path && has_size(path, recorded.size)) {
        add_fact(facts, path, recorded, false);
      }
    }
  }
  return facts;
}

Result<Members> find_main(const Spare& spare, const std::string& hint_path) {
  const auto facts = look_for_main(spare, hint_path);
  const auto chosen = choose_main(facts, spare.identity().name);
  if (!chosen) return tl::unexpected(chosen.error());
  return Members{spare.identity().name, spare.identity().set_uuid, facts[*chosen].path, spare.path};
}

}  // namespace dmremap::set
