// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/opening.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "discovery/main_choice.hpp"
#include "discovery/main_evidence.hpp"
#include "discovery/main_print.hpp"
#include "os/usage.hpp"
#include "set/held_main.hpp"

namespace dmremap::set {

Result<void> check_metadata(const metadata::Survey& survey, const std::string& spare_path,
                            const OpenOptions& options) {
  const auto refused = metadata::refusal(survey, spare_path);
  const bool served_anyway = options.read_only && survey.content.has_value() &&
                             !survey.newer_format &&
                             (options.stale_ok || survey.decision.writable());
  if (refused && !served_anyway) return tl::unexpected(*refused);
  return {};
}

namespace {

bool is_accepted(const io::FileDevice& main, const OpenOptions& options) {
  if (options.accept_main.empty()) return false;
  const auto said = os::storage_of(options.accept_main);
  return said && said == os::storage_of(main.path());
}

// A main of another geometry, which the user has accepted: its recorded size, and its recorded
// logical block, are served.
Result<void> fit_geometry(Opening& opening, const OpenOptions& options) {
  const format::Fingerprint& recorded = opening.content().identity.main;
  const io::Geometry now = opening.main->geometry();
  io::Geometry served = now;
  served.size = recorded.size;
  served.logical_block_bytes = recorded.logical_block_bytes;
  served.physical_block_bytes = std::max(served.logical_block_bytes, now.physical_block_bytes);
  if (now == served) return {};
  if (now.logical_block_bytes > recorded.logical_block_bytes) {
    return fail(ErrorCode::block_size,
                fmt::format("its logical block is {} bytes, recorded were {}: smaller requests "
                            "cannot be served",
                            now.logical_block_bytes, recorded.logical_block_bytes),
                opening.main->path(),
                fmt::format("attach it with `losetup --sector-size {}`, and give that device",
                            recorded.logical_block_bytes));
  }
  if (now.size < recorded.size && !options.read_only) {
    return fail(ErrorCode::main_resized,
                fmt::format("it shrank by {} sectors, from {} to {}: its end is not there",
                            (recorded.size - now.size).value, recorded.size.value, now.size.value),
                opening.main->path(),
                "give it back its size; with --read-only it is served, its end as errors");
  }
  opening.main->serve_as(served);
  return {};
}

Result<void> check_spare_size(const Opening& opening) {
  const SectorCount recorded = opening.content().identity.spare.size;
  const SectorCount size = opening.spare->geometry().size;
  if (size >= recorded) return {};
  return fail(ErrorCode::device_too_small,
              fmt::format("the spare shrank from {} to {} sectors", recorded.value, size.value),
              opening.spare->path(), "give it back its size");
}

Result<discovery::IdentityVerdict> check_identity(Opening& opening, const OpenOptions& options) {
  opening.main_recorded = discovery::recorded_main(opening.content());
  auto seen = discovery::gather_facts(*opening.main);
  if (!seen) return tl::unexpected(seen.error());
  opening.main_seen = std::move(*seen);
  const auto shared = discovery::shared_facts(discovery::names_of_disks());
  discovery::MainCandidate main{
      opening.main_seen, discovery::identify(opening.main_recorded, opening.main_seen, shared),
      true, is_accepted(*opening.main, options)};
  const discovery::MainConsent consent{main.accepted, options.accept_main_changed};
  if (auto fine = discovery::check_main(main, consent); !fine) return tl::unexpected(fine.error());
  opening.main_accepted = main.accepted;
  opening.main_changed = main.verdict.contents_changed.has_value();
  return main.verdict;
}

// A main that is known by its contents alone must have them still.
bool is_known_by_contents(const discovery::IdentityVerdict& verdict, const OpenOptions& options) {
  return verdict.by_consent && options.accept_main.empty();
}

Result<void> check_print(Opening& opening, const discovery::IdentityVerdict& verdict,
                         const OpenOptions& options) {
  const bool known_by_contents = is_known_by_contents(verdict, options);
  const auto compared =
      discovery::compare_print(*opening.main, opening.content(), known_by_contents);
  if (known_by_contents && compared == discovery::PrintNow::unknown) {
    return fail(
        ErrorCode::main_unproven,
        "cannot tell whether it is main: nothing of its own to know it by, and what it "
        "holds cannot be compared",
        opening.main->path(),
        "if it is the disk itself and no copy of it: --accept-main " + opening.main->path());
  }
  if (compared != discovery::PrintNow::differs) return {};
  if (!options.accept_main_changed) {
    return fail(ErrorCode::main_changed,
                "was written to since the set was stopped, while sectors of it are elsewhere",
                opening.main->path(),
                "use it only through dm-remap; to go on all the same: --accept-main-changed");
  }
  opening.main_changed = true;
  return {};
}

// A run that was killed in this boot, or stopped cleanly, left evidence of what main held. Where
// nothing lives elsewhere after a clean stop, others may use main.
Result<void> check_evidence(Opening& opening, const discovery::IdentityVerdict& verdict,
                            const OpenOptions& options) {
  const format::Content& content = opening.content();
  const discovery::LeftEvidence left =
      discovery::evidence_left(content, *opening.survey.decision.winner, options.memory_path);
  const auto compared = remap::compare_evidence(*opening.main, left.blocks);
  if (!compared.mismatch) {
    opening.evidence = left.blocks;
    return {};
  }
  const bool matters = left.of_killed_run || is_known_by_contents(verdict, options) ||
                       std::ranges::any_of(content.extents, discovery::is_elsewhere);
  if (!matters) return {};
  if (!options.accept_main_changed) {
    return fail(
        ErrorCode::main_changed,
        fmt::format("holds other data at sector {} than when the set {}",
                    compared.mismatch->first.value,
                    left.of_killed_run ? "was killed" : "was stopped"),
        opening.main->path(),
        "it was written to by others, or is a copy; to go on all the same: --accept-main-changed");
  }
  opening.main_changed = true;
  return {};
}

}  // namespace

Result<Opening> open_devices(const discovery::Members& members, const OpenOptions& options) {
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
  if (auto fine = check_metadata(opening.survey, members.spare_path, options); !fine) {
    return tl::unexpected(fine.error());
  }
  if (opening.survey.set_uuid != members.set_uuid) {
    return fail(ErrorCode::missing_device, "no longer holds the set it held a moment ago",
                members.spare_path, "start the set again");
  }
  const auto verdict = check_identity(opening, options);
  if (!verdict) return tl::unexpected(verdict.error());
  for (const auto& fine : {check_spare_size(opening), fit_geometry(opening, options)}) {
    if (!fine) return tl::unexpected(fine.error());
  }
  if (auto fine = check_print(opening, *verdict, options); !fine) {
    return tl::unexpected(fine.error());
  }
  if (auto fine = check_evidence(opening, *verdict, options); !fine) {
    return tl::unexpected(fine.error());
  }
  return opening;
}

}  // namespace dmremap::set
