// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/running_set.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/log.hpp"
#include "discovery/device_facts.hpp"
#include "metadata/offline.hpp"
#include "set/kept_sections.hpp"
#include "set/opening.hpp"
#include "table/route.hpp"

namespace dmremap::set {

namespace {

// The facts by which main is recognised from now on: the recorded ones, those that it shows today,
// and what the user's consent adds.
discovery::RecordedMain recorded_now(const Opening& opening) {
  format::Content content;
  content.identity.main = merged(opening.main_recorded.fingerprint, opening.main_seen.fingerprint);
  content.facts = discovery::merge_main_facts(opening.main_recorded, opening.main_seen,
                                              opening.main_accepted, opening.shared);
  return discovery::recorded_main(content);
}

}  // namespace

RunningSet::RunningSet(Opening opening, const OpenOptions& options, Clock& clock)
    : content_(std::move(*opening.survey.content)),
      survey_(std::move(opening.survey)),
      main_(std::move(opening.main),
            options.read_only || options.main_read_only ? io::Access::read_only
                                                        : io::Access::read_write,
            recorded_now(opening), own_, options.main_holder),
      events_(clock, content_.health),
      recorder_(events_, content_.identity.name, content_.health),
      evidence_(std::move(opening.evidence)),
      memory_path_(options.memory_path),
      taken_over_(options.taken_over),
      main_accepted_(opening.main_accepted),
      main_changed_(opening.main_changed),
      read_only_(options.read_only),
      main_read_only_(options.main_read_only),
      quiet_(options.quiet),
      boot_wait_s_(options.boot_wait_s),
      direct_(options.direct),
      clock_(clock) {
  if (!read_only_) {
    const format::Configuration& policy = content_.configuration;
    drive_timeouts_ = std::make_unique<DriveTimeouts>(
        DriveTimeouts::Parts{options.set_drive_timeouts, options.timeouts_path,
                             policy.request_deadline_ms, policy.read_retries + 1});
  }
  // It was moved to content_; of the survey only what it says about the copies is needed later.
  survey_.content.reset();
  const format::Identity& identity = content_.identity;
  for (std::unique_ptr<io::FileDevice>& device : opening.spares) {
    HeldSpare::Parts parts;
    parts.device = std::move(device);
    parts.access = read_only_ ? io::Access::read_only : io::Access::read_write;
    parts.record = {identity.set_uuid, identity.spare_uuid, identity.spare.size, 512, !read_only_};
    parts.known_commits = [this] { return known_commits(); };
    parts.main = &main_;
    parts.own = &own_;
    spares_.push_back(std::make_unique<HeldSpare>(std::move(parts)));
  }
}

RunningSet::~RunningSet() {
  // The watches and the scanner call the engine, so their threads must end before it does. Without
  // a clean stop on record, the next start finds the set as a killed run leaves it.
  if (disk_health_) disk_health_->stop();
  device_watch_.reset();
  recorder_.carry_with({});
  disk_health_.reset();
  scanner_.reset();
  if (engine_ && !stopped_) engine_->stop();
}

Result<void> RunningSet::begin(Random& random, const std::function<void()>& meanwhile) {
  run_ = random.uuid();
  const metadata::CopyCount surveyed = count_copies(survey_);
  copies_ = surveyed;
  // Taken before prepare_activation() clears `clean`. A set that never ran counts as stopped
  // cleanly.
  const bool main_settled = content_.health.clean || content_.health.starts == 0;
  if (!read_only_) {
    prepare_activation();
    if (auto active = activate(random, meanwhile); !active) return active;
  } else if (meanwhile) {
    meanwhile();
  }
  remap::EngineParts parts;
  parts.main = main_.device().get();
  for (const auto& spare : spares_) {
    parts.spares.push_back(&spare->door());
    parts.spare_reopeners.push_back(spare.get());
  }
  parts.store = store_.get();
  parts.observer = &recorder_;
  parts.reopener = &main_;
  parts.clock = &clock_;
  parts.evidence = evidence_;
  parts.main_settled = main_settled;
  parts.main_read_only = main_read_only_;
  parts.direct = direct_;
  parts.recheck_rounds = drive_timeouts_.get();
  // A clean stop with the device left in place has flushed all that was acknowledged.
  if (taken_over_) {
    parts.left = main_settled ? remap::UnflushedLeft{false, false, {}} : left_by_killed_run();
  }
  // The engine enters its evidence there while it starts.
  make_memory();
  if (memory_) parts.memory = memory_->memory();
  auto engine = remap::Engine::start(parts, content_);
  if (!engine) return failure_of(engine);
  engine_ = std::move(*engine);
  // A crash before this leaves the file of the run before. It says nothing false, for nothing has
  // been written to main since, and the next start ignores it: its term is not the activation's.
  if (memory_) {
    if (auto published = memory_->publish(); !published) {
      log(Severity::warning, published.error().message());
    }
  }
  recorder_.count_with(*engine_);
  // What the metadata itself shows held before this run, so that it is no news.
  const std::vector<ConditionReport> known = stopped_conditions(content_, survey_);
  // The engine has the table from now on; this copy would only grow stale.
  content_.extents.clear();
  content_.extents.shrink_to_fit();
  if (store_ && !quiet_) {
    make_scanner();
    make_disk_health();
  }
  device_watch_ = std::make_unique<DeviceWatch>(
      DeviceWatch::Parts{
          [this] { return news_of(watched(*main_.device()), watched(*metadata_spare().device())); },
          [this] { return status(); }, engine_.get(), &recorder_},
      known);
  return {};
}

metadata::KnownCommits RunningSet::known_commits() const {
  // A set that writes nothing serves what it found.
  return store_ ? store_->known_commits() : metadata::KnownCommits{*survey_.decision.winner};
}

Status RunningSet::status() const {
  Status out;
  out.name = content_.identity.name;
  out.uuid = content_.identity.set_uuid;
  out.run = run_;
  out.doubtful = !survey_.decision.writable();
  if (out.doubtful) out.reason = survey_.reason;
  const metadata::CommitName commit = known_commits().last;
  out.sequence = commit.sequence;
  out.term = commit.term;
  out.size = engine_->geometry().size;
  out.table = engine_->table_counts();
  out.io = engine_->counts();
  out.copies = store_ ? store_->copies() : copies_;
  out.main_path = main_.device()->path();
  out.spares = spares();
  // The metadata counts the runs before this one, the engine counts this one.
  out.main_read_errors = content_.health.main_read_errors + out.io.main_read_errors;
  out.main_write_errors = content_.health.main_write_errors + out.io.main_write_errors;
  if (scanner_) out.scan = scanner_->status();
  if (disk_health_) {
    out.health = disk_health_->status();
  } else if (const auto stored = stored_disk_history(content_)) {
    out.health = health_of_stopped(*stored, out.table, content_.identity.main);
  }
  remap::Conditions conditions = engine_->conditions();
  if (read_only_) {
    conditions.read_only = true;
    if (conditions.read_only_reason.empty()) conditions.read_only_reason = "started read-only";
  }
  HostView host;
  {
    const std::lock_guard lock(export_mutex_);
    host.export_trouble = export_trouble_;
  }
  judge(out, conditions, true, host);
  return out;
}

void RunningSet::note_export_trouble(std::string trouble) {
  const std::lock_guard lock(export_mutex_);
  export_trouble_ = std::move(trouble);
}

Result<Moment> RunningSet::settle() {
  const auto writes = engine_->settled_writes();
  if (!writes) {
    return fail(ErrorCode::device_in_use, "a write to it does not end", name(),
                "end all use of it, and look at its events");
  }
  if (scanner_) scanner_->note_copy(true);
  return Moment{run_, *writes};
}

Result<void> RunningSet::note_copy(VerifiedCopy copy) {
  if (read_only_ || engine_->conditions().read_only) {
    return fail(ErrorCode::read_only, "is read-only: the copy cannot be recorded", name());
  }
  if (scanner_) scanner_->note_copy(false);
  const std::lock_guard lock(copy_mutex_);
  // Checked now for the user's sake; record_stop() checks again by the table that it commits.
  if (!is_current(copy, table::Table(engine_->extents(), {}))) {
    return fail(ErrorCode::copy_outdated, "was written to while it was copied", name(),
                "end all use of it, and copy it again");
  }
  copy_ = std::move(copy);
  return {};
}

void RunningSet::end_background() {
  if (disk_health_) disk_health_->stop();
  if (drive_timeouts_) drive_timeouts_->restore();
  if (scanner_) scanner_->stop();
  device_watch_->stop();
}

void RunningSet::begin_background() {
  engine_->begin_background();
  device_watch_->go_on();
  if (scanner_) scanner_->go_on();
  if (drive_timeouts_) drive_timeouts_->go_on();
  if (disk_health_) disk_health_->go_on();
}

Result<void> RunningSet::record_clean() {
  // The watches end first: the record of the stop has the last word on main's facts, and its event
  // comes after those of all conditions.
  end_background();
  Result<void> outcome;
  if (unsaved_) outcome = tl::unexpected(*unsaved_);
  // A set is recorded as clean only if all that was acknowledged is durable. A read-only set has
  // written nothing that a failed flush could lose.
  if (!engine_->flush().ok() && !read_only_) {
    const std::string reason = engine_->conditions().reason;
    outcome = fail(ErrorCode::io, "the last flush failed" + (reason.empty() ? "" : ": " + reason),
                   name(), "look at the events; check the file system");
  }
  if (store_) {
    const auto recorded = record_stop(outcome.has_value());
    if (!recorded && outcome) outcome = recorded;
    // The last seals of a commit are not flushed by the commit itself. It is durable on a quorum of
    // copies without them, so that an error here does not matter.
    (void)metadata_spare().door().flush();
  }
  return outcome;
}

Result<void> RunningSet::stop() {
  Result<void> outcome = record_clean();
  engine_->stop();
  const remap::TableCounts counts = engine_->table_counts();
  elsewhere_ = counts.remapped + counts.gone;
  stopped_ = true;
  // After a clean stop the evidence is in the metadata. After any other stop the file stays, and
  // the next start compares main with it, as it does after a killed run.
  if (memory_ && outcome) memory_->remove();
  return outcome;
}

// Without this memory a killed run leaves no evidence, and the next start has less to compare main
// with. That is no reason to refuse a start, so failures are only logged.
void RunningSet::make_memory() {
  if (!store_ || memory_path_.empty()) return;
  if (!discovery::lies_in_memory(memory_path_)) {
    log(Severity::info,
        "the runtime directory is on a disk: a run that is killed leaves no "
        "evidence of what main held");
    return;
  }
  auto made = discovery::RunMemory::make(
      memory_path_, {content_.identity.set_uuid, discovery::boot_id(), store_->current().term,
                     main_.device()->geometry().size});
  if (made) {
    memory_.emplace(std::move(*made));
  } else {
    log(Severity::warning, made.error().message());
  }
}

// Read before this run's own memory takes the place of that of the killed one.
remap::UnflushedLeft RunningSet::left_by_killed_run() const {
  remap::UnflushedLeft out;
  const auto killed = discovery::read_run_memory(
      memory_path_,
      {content_.identity.set_uuid, discovery::boot_id(), 0, main_.device()->geometry().size});
  if (killed) out = killed->unflushed;
  // With another term it is not of the last run: what that did is not known.
  if (!killed || killed->term != survey_.decision.winner->term) {
    out.main_flush_in_doubt = out.spare_flush_in_doubt = true;
  }
  if (out.main_flush_in_doubt || out.spare_flush_in_doubt) {
    log(Severity::warning,
        "a flush was under way when the last run was killed, or it cannot be told: the next flush "
        "fails, and what it covered is read back");
  }
  return out;
}

std::uint32_t RunningSet::boot_wait_s() const {
  return policy_of(content_).boot_wait_s;
}

RecordedSpare RunningSet::recorded_spare() const {
  const auto& facts = content_.facts;
  return {content_.identity.spare_uuid, content_.identity.spare,
          facts ? facts->spare : std::vector<format::Fact>()};
}

// Puts the facts by which main is recognised now into the records of a commit.
void RunningSet::record_facts(format::Records& content) const {
  discovery::RecordedMain main = main_.recorded();
  content.identity.main = std::move(main.fingerprint);
  if (!content.facts) content.facts.emplace();
  content.facts->main = std::move(main.facts);
  content.facts->main_has_no_identity = main.no_identity;
}

// Takes over what main shows now: it may have got another file system or show other names since.
void RunningSet::update_recorded_main(const discovery::DeviceFacts& seen) {
  discovery::RecordedMain main = main_.recorded();
  const auto facts = discovery::merge_main_facts(main, seen, false);
  main.fingerprint = merged(main.fingerprint, seen.fingerprint);
  main.facts = facts.main;
  main.no_identity = facts.main_has_no_identity;
  main_.set_recorded(std::move(main));
}

// True if the copy has all that the set serves: nothing was written since it began, and each sector
// that it lacks is still without any place it could be read from.
bool RunningSet::is_current(const VerifiedCopy& copy, const table::Table& table) const {
  if (copy.since.run != run_ || copy.since.writes != engine_->counts().writes) return false;
  return std::ranges::all_of(copy.left_out, [&](SectorRange range) {
    return std::ranges::all_of(table.pieces(range), [](const table::Piece& piece) {
      return table::place_of(piece.state) == table::Place::nowhere;
    });
  });
}

// The number of sectors that the copy lacks; nothing if there is no copy or it is outdated.
std::optional<SectorCount> RunningSet::sectors_lacking_in_copy(const table::Table& table) {
  const std::lock_guard lock(copy_mutex_);
  if (!copy_ || !is_current(*copy_, table)) return std::nullopt;
  SectorCount out;
  for (const SectorRange& range : copy_->left_out) out = out + range.count;
  return out;
}

Result<std::unique_ptr<RunningSet>> RunningSet::open(const discovery::Members& members,
                                                     const OpenOptions& options, Clock& clock,
                                                     Random& random) {
  auto opening = open_devices(members, options);
  if (!opening) return failure_of(opening);
  auto made = std::unique_ptr<RunningSet>(new RunningSet(std::move(*opening), options, clock));
  if (auto begun = made->begin(random, options.meanwhile); !begun) return failure_of(begun);
  return made;
}

}  // namespace dmremap::set
