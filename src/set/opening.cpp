// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/opening.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "discovery/fingerprint.hpp"
#include "discovery/match.hpp"
#include "set/held_main.hpp"
#include "set/main_print.hpp"

namespace dmremap::set {

namespace {

Result<void> check_metadata(const metadata::Survey& survey, const Members& members,
                            const OpenOptions& options) {
  const auto refused = metadata::refusal(survey, members.spare_path);
  const bool served_anyway = options.read_only && survey.content.has_value() &&
                             !survey.newer_format &&
                             (options.stale_ok || survey.decision.writable());
  if (refused && !served_anyway) return tl::unexpected(*refused);
  if (survey.set_uuid != members.set_uuid) {
    return fail(ErrorCode::missing_device, "no longer holds the set it held a moment ago",
                members.spare_path, "start the set again");
  }
  return {};
}

Result<void> check_identity(Opening& opening, const OpenOptions& options) {
  const format::Identity& recorded = opening.content().identity;
  auto seen = discovery::take_fingerprint(*opening.main);
  if (!seen) return tl::unexpected(seen.error());
  opening.main_seen = std::move(*seen);
  const auto verdict = discovery::match(recorded.main, opening.main_seen);
  const std::string& main_path = opening.main->path();
  if (verdict.likeness != discovery::Likeness::same) {
    if (!verdict.overridable) {
      return fail(ErrorCode::wrong_main, "is not the main device of this set: " + verdict.reason,
                  main_path, "give the device the set was made with");
    }
    if (!options.accept_main_changed) {
      return fail(ErrorCode::main_changed, verdict.reason, main_path,
                  "if it is the right device, changed on purpose: --accept-main-changed");
    }
    opening.main_changed = true;
  }
  if (opening.spare->geometry().size < recorded.spare.size) {
    return fail(ErrorCode::device_too_small,
                fmt::format("the spare shrank from {} to {} sectors", recorded.spare.size.value,
                            opening.spare->geometry().size.value),
                opening.spare->path(), "give it back its size");
  }
  return {};
}

Result<void> check_print(Opening& opening, const OpenOptions& options) {
  if (!was_written_since_stop(*opening.main, opening.content())) return {};
  if (!options.accept_main_changed) {
    return fail(ErrorCode::main_changed,
                "was written to since the set was stopped, while sectors of it are elsewhere",
                opening.main->path(),
                "use it only through dm-remap; to go on all the same: --accept-main-changed");
  }
  opening.main_changed = true;
  return {};
}

}  // namespace

Result<Opening> open_devices(const Members& members, const OpenOptions& options) {
  const io::Access access = options.read_only ? io::Access::read_only : io::Access::read_write;
  Opening opening;
  auto spare = io::FileDevice::open(members.spare_path, {access, io::Holding::exclusive});
  if (!spare) return tl::unexpected(spare.error());
  opening.spare = std::move(*spare);
  auto main = hold_main(members.main_path, access);
  if (!main) return tl::unexpected(main.error());
  opening.main = std::move(*main);

  auto survey = metadata::survey(*opening.spare);
  if (!survey) return tl::unexpected(survey.error());
  opening.survey = std::move(*survey);
  if (auto fine = check_metadata(opening.survey, members, options); !fine) {
    return tl::unexpected(fine.error());
  }
  if (auto fine = check_identity(opening, options); !fine) return tl::unexpected(fine.error());
  if (auto fine = check_print(opening, options); !fine) return tl::unexpected(fine.error());
  return opening;
}

}  // namespace dmremap::set
