// SPDX-License-Identifier: GPL-2.0-or-later
// What a running set commits of itself before it serves anything, and at its end.
#include <future>

#include <fmt/format.h>

#include "base/thread_name.hpp"
#include "discovery/device_facts.hpp"
#include "discovery/main_print.hpp"
#include "metadata/offline.hpp"
#include "os/run_first.hpp"
#include "set/kept_sections.hpp"
#include "set/running_set.hpp"
#include "set/set_event.hpp"

namespace dmremap::set {

void RunningSet::prepare_activation() {
  format::Health& health = content_.health;
  const bool clean = health.clean || health.starts == 0;
  // The print and the copy describe main at the last stop, and the first write makes them false. So
  // the activation drops them: whatever a crash leaves, the next start does not rely on them.
  health.clean = false;
  health.main_print = {};
  content_.copy.reset();
  content_.evidence = remap::to_format(evidence_);
  ++health.starts;
  record_facts(content_);
  const std::size_t entries = content_.extents.size() + content_.retired.size();
  if (boot_wait_s_) (void)choose_policy(content_, entries, {*boot_wait_s_});
  reserve_kept_sections(content_, entries);
  // What lies on a spare is the set's own. It is not probed: a boot would wait for a megabyte.
  if (const auto seen = discovery::gather_facts(*metadata_spare().device(), discovery::Contents{},
                                                discovery::DeviceUse::alone)) {
    content_.identity.spare = merged(content_.identity.spare, seen->fingerprint);
    content_.facts->spare = seen->facts;
  }
  if (main_accepted_) {
    recorder_.on_event(
        make_event(format::EventKind::start, Severity::warning, "main was taken on a user's word"));
  }
  if (main_changed_) {
    recorder_.on_event(
        make_event(format::EventKind::start, Severity::warning, "a changed main was accepted"));
  }
  if (const auto mended = metadata::damaged_slots(survey_); !mended.empty()) {
    recorder_.on_event(make_event(format::EventKind::repair, Severity::warning,
                                  fmt::format("metadata slots mended: {}", mended.size())));
  }
  if (!clean) {
    recorder_.on_event(
        make_event(format::EventKind::died, Severity::warning, "killed, or power failed"));
  }
  recorder_.on_event(make_event(format::EventKind::start,
                                clean ? Severity::info : Severity::warning,
                                clean ? "" : "the last run ended uncleanly"));
  events_.fill_health(health);
}

// A crash before this commit leaves the set as the last run left it; a crash after it leaves a set
// that the next start takes for one that was killed.
Result<void> RunningSet::activate(Random& random, const std::function<void()>& meanwhile) {
  auto commits = std::async(std::launch::async, [&, is_first = os::RunFirst::is_on()] {
    const os::RunFirst first(is_first);
    name_this_thread("activation");
    return metadata::Store::activate(metadata_spare().door(), survey_, content_, random, clock_);
  });
  if (meanwhile) meanwhile();
  auto store = commits.get();
  if (!store) return failure_of(store);
  store_ = std::move(*store);
  return {};
}

Result<void> RunningSet::record_stop(bool flushed) {
  // No commit may follow the one below: a sector that it relocated would be missing in the copy
  // that is recorded as complete.
  engine_->end_background();
  // If main does not answer or was not flushed, its print says nothing about what it will hold.
  const bool clean = flushed && !engine_->conditions().tripped;
  discovery::MainPrint print;
  if (clean) {
    if (const auto seen = discovery::gather_facts(*main_.device())) update_recorded_main(*seen);
    print = discovery::print_of(*main_.device(), engine_->extents());
    // A print over unreadable sectors would differ once they read again, although nothing was
    // written to main.
    if (!print.whole) print.print = {};
  }
  recorder_.on_event(make_event(format::EventKind::stop, clean ? Severity::info : Severity::warning,
                                clean      ? ""
                                : unsaved_ ? "cached writes were lost at stop"
                                           : "main did not take the last flush"));
  // Taken before the commit: it asks the engine.
  std::optional<format::DiskHistorySection> disk;
  if (disk_health_) disk = disk_health_->memory();
  // A crash before this commit leaves a set that was not stopped cleanly. The copy is judged by the
  // table of this very commit, for a sector that a job relocated before it is not in the copy.
  return engine_->commit_record([=, this](format::Records& content, const table::Table& table) {
    const auto lacks = clean ? sectors_lacking_in_copy(table) : std::nullopt;
    if (lacks) {
      content.copy = format::CopyRecord{store_->next_sequence(), clock_.wall_ns(), *lacks};
    }
    record_facts(content);
    if (scanner_) store(content, scanner_->memory());
    if (disk) store(content, *disk);
    content.health.clean = clean;
    content.health.main_print = print.print;
  });
}

}  // namespace dmremap::set
