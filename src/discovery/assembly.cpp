// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/assembly.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "discovery/candidates.hpp"
#include "io/file_device.hpp"
#include "os/path.hpp"

namespace dmremap::discovery {

namespace {

constexpr io::OpenMode kLook{io::Access::read_only, io::Holding::shared};

std::vector<os::Storage> beneath_path(const std::string& path) {
  const auto storage = os::storage_of(path);
  return storage ? os::beneath(*storage) : std::vector<os::Storage>{};
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
  if (!chosen) return failure_of(chosen);
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

// Gathers candidates for main, each device once.
class Candidates {
 public:
  Candidates(const Spare& spare, const MainSearch& search)
      : recorded_(recorded_main(*spare.survey.content)),
        shared_(shared_facts(names_of_disks())),
        spare_(beneath_path(spare.path)),
        search_(search),
        accepted_(search.accept_main.empty() ? std::nullopt : os::storage_of(search.accept_main)) {}

  void add(const std::string& path, bool named) {
    const auto storage = os::storage_of(path);
    if (!storage || is_known(*storage, named) || is_excluded(*storage)) return;
    auto facts = gather_facts(path);
    if (!facts) return;
    MainCandidate candidate;
    candidate.verdict = identify(recorded_, *facts, shared_);
    candidate.device = std::move(*facts);
    candidate.named = named;
    candidate.accepted = accepted_ == storage;
    found_.push_back(std::move(candidate));
  }

  [[nodiscard]] bool is_likely(const std::string& path) const {
    const auto storage = os::storage_of(path);
    if (!storage || is_excluded(*storage)) return false;
    return may_be_device(path, recorded_.fingerprint.size, recorded_.facts);
  }

  [[nodiscard]] std::vector<MainCandidate> take() { return std::move(found_); }

 private:
  bool is_known(const os::Storage& storage, bool named) {
    for (MainCandidate& one : found_) {
      if (one.device.beneath.empty() || one.device.beneath.front() != storage) continue;
      one.named = one.named || named;
      return true;
    }
    return false;
  }

  [[nodiscard]] bool is_excluded(const os::Storage& storage) const {
    const auto below = os::beneath(storage);
    const auto lies_below = [&](const os::Storage& other) {
      return std::ranges::find(below, other) != below.end();
    };
    if (std::ranges::any_of(search_.never, lies_below)) return true;
    return !spare_.empty() &&
           (lies_below(spare_.front()) || std::ranges::find(spare_, storage) != spare_.end());
  }

  RecordedMain recorded_;
  SharedFacts shared_;
  std::vector<os::Storage> spare_;
  const MainSearch& search_;
  std::optional<os::Storage> accepted_;
  std::vector<MainCandidate> found_;
};

}  // namespace

Result<metadata::Survey> survey_path(const std::string& path) {
  const auto device = io::FileDevice::open(path, kLook);
  if (!device) return failure_of(device);
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
    const std::string path = os::absolute(given);
    const auto device = io::FileDevice::open(path, kLook);
    if (!device) return failure_of(device);
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
    if (os::absolute(given) != spare->path) spare->others.push_back(os::absolute(given));
  }
  return spare;
}

Result<Spare> find_spare(const std::string& name, const Hints& hints) {
  const auto hint = hints.find(name);
  std::vector<std::string> paths = block_devices();
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

std::vector<MainCandidate> look_for_main(const Spare& spare, const MainSearch& search) {
  Candidates candidates(spare, search);
  if (!search.accept_main.empty()) candidates.add(search.accept_main, true);
  if (!spare.others.empty()) {
    for (const std::string& path : spare.others) candidates.add(path, true);
    return candidates.take();
  }
  candidates.add(search.hint_path, true);
  candidates.add(spare.identity().main.path_hint, true);
  for (const std::string& path : block_devices()) {
    if (candidates.is_likely(path)) candidates.add(path, false);
  }
  return candidates.take();
}

Result<Members> find_main(const Spare& spare, const MainSearch& search) {
  const auto candidates = look_for_main(spare, search);
  const auto chosen = choose_main(candidates, spare.identity().name);
  if (!chosen) return failure_of(chosen);
  return Members{spare.identity().name,
                 spare.identity().set_uuid,
                 candidates[*chosen].device.path,
                 {spare.path}};
}

}  // namespace dmremap::discovery
