// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/start_check.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "discovery/main_evidence.hpp"
#include "discovery/main_print.hpp"

namespace dmremap::discovery {

namespace {

// On a spare that shrank, remapped sectors or copies of the metadata may be beyond its end.
Result<void> check_spare_size(const io::BlockDevice& spare, const format::Content& content) {
  const SectorCount recorded = format::usable_spare_size(content);
  const SectorCount size = spare.geometry().size;
  if (size >= recorded) return {};
  return fail(ErrorCode::device_too_small,
              fmt::format("the spare shrank from {} to {} sectors", recorded.value, size.value),
              spare.path(), "give it back its size");
}

// Makes a main with another geometry, which the user has accepted, look as it was recorded. The
// table and the file system on it refer to the recorded size and block, so these are served.
Result<void> fit_geometry(io::FileDevice& main, const format::Fingerprint& recorded,
                          bool read_only) {
  const io::Geometry now = main.geometry();
  io::Geometry served = now;
  served.size = recorded.size;
  served.logical_block_bytes = recorded.logical_block_bytes;
  served.physical_block_bytes = std::max(served.logical_block_bytes, now.physical_block_bytes);
  if (now == served) return {};
  // The user of the set may make requests as small as the recorded block, which main refuses.
  if (now.logical_block_bytes > recorded.logical_block_bytes) {
    return fail(ErrorCode::block_size,
                fmt::format("its logical block is {} bytes, recorded were {}: smaller requests "
                            "cannot be served",
                            now.logical_block_bytes, recorded.logical_block_bytes),
                main.path(),
                fmt::format("attach it with `losetup --sector-size {}`, and give that device",
                            recorded.logical_block_bytes));
  }
  // Writes to the end that is gone would all fail.
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

// Compares the print of main's superblock area. Returns true if it changed and the user has
// accepted that; a change that is not accepted is an error.
Result<bool> check_print(io::BlockDevice& main, const format::Content& content,
                         bool known_by_contents, const MainConsent& consent) {
  const PrintComparison compared = compare_print(main, content, known_by_contents);
  // Contents that cannot be compared are no reason to refuse a main that is known otherwise: a disk
  // that fails just there must still start. But they are all that this one is known by.
  if (known_by_contents && compared == PrintComparison::unknown) {
    return fail(ErrorCode::main_unproven,
                "cannot tell whether it is main: nothing of its own to know it by, and what it "
                "holds cannot be compared",
                main.path(),
                "if it is the disk itself and no copy of it: --accept-main " + main.path());
  }
  if (compared != PrintComparison::differs) return false;
  if (!consent.accepted_changed) {
    return fail(ErrorCode::main_changed,
                "was written to since the set was stopped, while sectors of it are elsewhere",
                main.path(),
                "use it only through dm-remap; to go on all the same: --accept-main-changed");
  }
  return true;
}

// Compares main with the evidence that the last run left, if it was stopped cleanly, or was killed
// in this boot.
Result<CheckedMain> check_evidence(io::BlockDevice& main, const metadata::Survey& survey,
                                   bool known_by_contents, const StartConditions& conditions) {
  const format::Content& content = *survey.content;
  CheckedMain out;
  if (!survey.decision.winner) return out;
  LastRunEvidence left =
      evidence_of_last_run(content, *survey.decision.winner, conditions.memory_path);
  const auto compared = remap::compare_evidence(main, left.blocks);
  if (!compared.mismatch) {
    out.evidence = std::move(left.blocks);
    return out;
  }
  // After a clean stop, others may have used a main of which no sector is elsewhere: nothing that
  // the set has elsewhere can contradict what they wrote. The old evidence is dropped then.
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
  // `accepted` is true only if the user named this very device; a consent for another one does not
  // count.
  const bool known_by_contents = candidate.verdict.by_consent && !conditions.consent.accepted;
  auto checked = check_contents(main, survey, known_by_contents, conditions);
  // The user has accepted this change too, or check_main would have refused it.
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
