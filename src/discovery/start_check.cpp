// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/start_check.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "discovery/main_evidence.hpp"
#include "discovery/main_print.hpp"

namespace dmremap::discovery {

namespace {

Result<void> check_spare_size(const io::BlockDevice& spare, const format::Content& content) {
  const SectorCount recorded = content.identity.spare.size;
  const SectorCount size = spare.geometry().size;
  if (size >= recorded) return {};
  return fail(ErrorCode::device_too_small,
              fmt::format("the spare shrank from {} to {} sectors", recorded.value, size.value),
              spare.path(), "give it back its size");
}

// A main of another geometry, which the user has accepted: its recorded size, and its recorded
// logical block, are served.
Result<void> fit_geometry(io::FileDevice& main, const format::Fingerprint& recorded,
                          bool read_only) {
  const io::Geometry now = main.geometry();
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
                main.path(),
                fmt::format("attach it with `losetup --sector-size {}`, and give that device",
                            recorded.logical_block_bytes));
  }
  if (now.size < recorded.size && !read_only) {
    return fail(ErrorCode::main_resized,
                fmt::format("it shrank by {} sectors, from {} to {}: its end is not there",
                            (recorded.size - now.size).value, recorded.size.value, now.size.value),
                main.path(),
                "give it back its size; with --read-only it is served, its end as errors");
  }
  main.serve_as(served);
  return {};
}

// Whether it changed, which the user has accepted.
Result<bool> check_print(io::BlockDevice& main, const format::Content& content,
                         bool known_by_contents, const MainConsent& consent) {
  const PrintNow compared = compare_print(main, content, known_by_contents);
  if (known_by_contents && compared == PrintNow::unknown) {
    return fail(ErrorCode::main_unproven,
                "cannot tell whether it is main: nothing of its own to know it by, and what it "
                "holds cannot be compared",
                main.path(),
                "if it is the disk itself and no copy of it: --accept-main " + main.path());
  }
  if (compared != PrintNow::differs) return false;
  if (!consent.accepted_changed) {
    return fail(ErrorCode::main_changed,
                "was written to since the set was stopped, while sectors of it are elsewhere",
                main.path(),
                "use it only through dm-remap; to go on all the same: --accept-main-changed");
  }
  return true;
}

// A run that was killed in this boot, or stopped cleanly, left evidence of what main held.
Result<CheckedMain> check_evidence(io::BlockDevice& main, const metadata::Survey& survey,
                                   bool known_by_contents, const StartConditions& conditions) {
  const format::Content& content = *survey.content;
  CheckedMain out;
  if (!survey.decision.winner) return out;
  LeftEvidence left = evidence_left(content, *survey.decision.winner, conditions.memory_path);
  const auto compared = remap::compare_evidence(main, left.blocks);
  if (!compared.mismatch) {
    out.evidence = std::move(left.blocks);
    return out;
  }
  const bool matters =
      left.of_killed_run || known_by_contents || std::ranges::any_of(content.extents, is_elsewhere);
  if (!matters) return out;
  if (!conditions.consent.accepted_changed) {
    return fail(
        ErrorCode::main_changed,
        fmt::format("holds other data at sector {} than when the set {}",
                    compared.mismatch->first.value,
                    left.of_killed_run ? "was killed" : "was stopped"),
        main.path(),
        "it was written to by others, or is a copy; to go on all the same: --accept-main-changed");
  }
  out.changed = true;
  return out;
}

}  // namespace

Result<CheckedMain> check_devices(io::FileDevice& main, const MainCandidate& candidate,
                                  const io::BlockDevice& spare, const metadata::Survey& survey,
                                  const StartConditions& conditions) {
  const format::Content& content = *survey.content;
  if (auto fine = check_main(candidate, conditions.consent); !fine) {
    return failure_of(fine);
  }
  if (auto fine = check_spare_size(spare, content); !fine) return failure_of(fine);
  if (auto fine = fit_geometry(main, content.identity.main, conditions.read_only); !fine) {
    return failure_of(fine);
  }
  // A word for another device, or for one that is not there, says nothing of this one.
  const bool known_by_contents = candidate.verdict.by_consent && !conditions.consent.accepted;
  auto checked = check_contents(main, survey, known_by_contents, conditions);
  // The user has accepted that too, or check_main would not have let it pass.
  if (checked && candidate.verdict.contents_changed) checked->changed = true;
  return checked;
}

Result<CheckedMain> check_contents(io::BlockDevice& main, const metadata::Survey& survey,
                                   bool known_by_contents, const StartConditions& conditions) {
  const auto print_changed =
      check_print(main, *survey.content, known_by_contents, conditions.consent);
  if (!print_changed) return failure_of(print_changed);
  auto checked = check_evidence(main, survey, known_by_contents, conditions);
  if (checked && *print_changed) checked->changed = true;
  return checked;
}

}  // namespace dmremap::discovery
