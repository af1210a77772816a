// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/opening.hpp"

#include <utility>

#include "discovery/device_look.hpp"
#include "discovery/main_choice.hpp"
#include "discovery/start_check.hpp"
#include "os/usage.hpp"
#include "set/held_main.hpp"

namespace dmremap::set {

Result<void> check_metadata(const metadata::Survey& survey, const std::string& spare_path,
                            const OpenOptions& options) {
  // Nothing is written with --read-only, so a set may be looked at whose metadata a writing start
  // refuses. A doubtful or forked one may serve old data: that the user must ask for by --stale-ok.
  const auto refused = metadata::refusal(survey, spare_path);
  const bool served_anyway = options.read_only && survey.content.has_value() &&
                             !survey.newer_format &&
                             (options.stale_ok || survey.decision.writable());
  if (refused && !served_anyway) return tl::unexpected(*refused);
  return {};
}

namespace {

// A device node may have got another disk since it was looked at, and a path another file.
Result<void> check_instance(const io::FileDevice& held,
                            const std::optional<discovery::DeviceInstance>& seen) {
  if (!seen) return {};
  const auto now = discovery::instance_of(held);
  if (!now) return failure_of(now);
  if (*now == *seen) return {};
  return tl::unexpected(discovery::replaced_device(held.path(), "start the set again"));
}

// True if the user named this very device with --accept-main. The user may have given another name
// of it, so the storage is compared and not the path.
bool is_accepted(const io::FileDevice& main, const OpenOptions& options) {
  if (options.accept_main.empty()) return false;
  const auto said = os::storage_of(options.accept_main);
  return said && said == os::storage_of(main.path());
}

// Gathers what main shows now and compares it with what is recorded. Whether that is enough for a
// start is decided by discovery::check_devices.
Result<discovery::MainCandidate> look_at_main(Opening& opening, const OpenOptions& options) {
  opening.main_recorded = discovery::recorded_main(opening.content());
  auto seen = discovery::gather_facts(*opening.main, discovery::DeviceUse::alone);
  if (!seen) return failure_of(seen);
  opening.main_seen = std::move(*seen);
  opening.shared = discovery::shared_facts(discovery::names_of_disks());
  return discovery::MainCandidate{
      opening.main_seen,
      discovery::identify(opening.main_recorded, opening.main_seen, opening.shared), true,
      is_accepted(*opening.main, options)};
}

Result<void> check_devices(Opening& opening, const OpenOptions& options) {
  const auto main = look_at_main(opening, options);
  if (!main) return failure_of(main);
  const discovery::StartConditions conditions{
      {main->accepted, options.accept_main_changed}, options.read_only, options.memory_path};
  auto checked = discovery::check_devices(*opening.main, *main, *opening.spares.front(),
                                          opening.survey, conditions);
  if (!checked) return failure_of(checked);
  opening.main_accepted = main->accepted;
  opening.main_changed = checked->changed;
  opening.evidence = std::move(checked->evidence);
  return {};
}

}  // namespace

Result<Opening> open_devices(const discovery::Members& members, const OpenOptions& options) {
  const io::Access access = options.read_only ? io::Access::read_only : io::Access::read_write;
  Opening opening;
  // Both devices are held before the spare is surveyed, so that what the survey finds stays true.
  for (const discovery::Member& member : members.spares) {
    auto spare = io::FileDevice::open(member.path, {access, io::Holding::exclusive});
    if (!spare) return failure_of(spare);
    if (auto same = check_instance(**spare, member.seen); !same) return failure_of(same);
    opening.spares.push_back(std::move(*spare));
  }
  auto main = hold_main(members.main.path, options.main_read_only ? io::Access::read_only : access,
                        options.main_holder == nullptr ? "" : options.main_holder->node());
  if (!main) return failure_of(main);
  opening.main = std::move(*main);
  if (auto same = check_instance(*opening.main, members.main.seen); !same) return failure_of(same);

  const std::string& metadata_path = members.spares.front().path;
  auto survey = metadata::survey(*opening.spares.front());
  if (!survey) return failure_of(survey);
  opening.survey = std::move(*survey);
  if (auto fine = check_metadata(opening.survey, metadata_path, options); !fine) {
    return failure_of(fine);
  }
  // The device is the same one, but its metadata may have been written anew before it was held.
  if (opening.survey.set_uuid != members.set_uuid) {
    return fail(ErrorCode::missing_device, "no longer holds the set it held a moment ago",
                metadata_path, "start the set again");
  }
  if (auto fine = check_devices(opening, options); !fine) return failure_of(fine);
  return opening;
}

}  // namespace dmremap::set
