// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/running_set.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/log.hpp"
#include "discovery/device_facts.hpp"
#include "discovery/main_print.hpp"
#include "metadata/offline.hpp"
#include "set/opening.hpp"
#include "table/route.hpp"

namespace dmremap::set {

namespace {

// How often what lies on main is looked at, if it was written to meanwhile.
constexpr std::chrono::seconds kLookEvery{3};
// Looks left out after one that met sectors that do not read: each may cost a failing disk a
// minute.
constexpr unsigned kRestAfterErrors = 200;

format::Event make_event(format::EventKind kind, Severity severity, std::string text) {
  format::Event event;
  event.kind = kind;
  event.severity = severity;
  event.text = std::move(text);
  return event;
}

// What main is known by from now on: what was recorded, what it shows today, and the user's word.
discovery::RecordedMain recorded_now(const Opening& opening) {
  format::Content content;
  content.identity.main = merged(opening.main_recorded.fingerprint, opening.main_seen.fingerprint);
  content.facts =
      discovery::merge_main_facts(opening.main_recorded, opening.main_seen, opening.main_accepted);
  return discovery::recorded_main(content);
}

}  // namespace

RunningSet::RunningSet(Opening opening, const OpenOptions& options, Clock& clock)
    : content_(std::move(*opening.survey.content)),
      survey_(std::move(opening.survey)),
      main_(std::move(opening.main),
            options.read_only || options.main_read_only ? io::Access::read_only
                                                        : io::Access::read_write,
            recorded_now(opening)),
      spares_(std::move(opening.spares)),
      events_(clock, content_.health),
      recorder_(events_, content_.identity.name, content_.health),
      evidence_(std::move(opening.evidence)),
      memory_path_(options.memory_path),
      main_accepted_(opening.main_accepted),
      main_changed_(opening.main_changed),
      read_only_(options.read_only),
      main_read_only_(options.main_read_only),
      clock_(clock) {
  survey_.content.reset();
}

RunningSet::~RunningSet() {
  end_watch();
  device_watch_.reset();
  if (engine_ && !stopped_) engine_->stop();
}

Result<void> RunningSet::begin(Random& random) {
  run_ = random.uuid();
  const metadata::CopyCount surveyed = count_copies(survey_);
  copies_ = surveyed;
  const bool main_settled = content_.health.clean || content_.health.starts == 0;
  if (!read_only_) {
    prepare_activation();
    auto store = metadata::Store::activate(metadata_spare(), survey_, content_, random, clock_);
    if (!store) return failure_of(store);
    store_ = std::move(*store);
  }
  remap::EngineParts parts;
  parts.main = main_.device().get();
  for (const auto& spare : spares_) parts.spares.push_back(spare.get());
  parts.store = store_.get();
  parts.observer = &recorder_;
  parts.reopener = &main_;
  parts.clock = &clock_;
  parts.evidence = evidence_;
  parts.main_settled = main_settled;
  parts.main_read_only = main_read_only_;
  make_memory();
  if (memory_) parts.memory = memory_->memory();
  auto engine = remap::Engine::start(parts, content_);
  if (!engine) return failure_of(engine);
  engine_ = std::move(*engine);
  // A crash before this leaves the file of the run before, whose evidence holds: nothing has been
  // written to main since.
  if (memory_) {
    if (auto published = memory_->publish(); !published) {
      log(Severity::warning, published.error().message());
    }
  }
  recorder_.count_with(*engine_);
  const std::vector<ConditionReport> known = stopped_status(content_, survey_, {}, {}).reports;
  content_.extents.clear();
  content_.extents.shrink_to_fit();
  if (store_) watch_ = std::thread([this] { watch_main(); });
  device_watch_ = std::make_unique<DeviceWatch>(
      DeviceWatch::Parts{
          [this] { return news_of(watched(*main_.device()), watched(metadata_spare())); },
          [this] { return status(); }, engine_.get(), &recorder_},
      known);
  return {};
}

Status RunningSet::status() const {
  Status out;
  out.name = content_.identity.name;
  out.uuid = content_.identity.set_uuid;
  out.run = run_;
  out.doubtful = !survey_.decision.writable();
  if (out.doubtful) out.reason = survey_.reason;
  const metadata::CommitName commit = store_ ? store_->current() : *survey_.decision.winner;
  out.sequence = commit.sequence;
  out.term = commit.term;
  out.size = engine_->geometry().size;
  out.table = engine_->table_counts();
  out.io = engine_->counts();
  out.copies = store_ ? store_->copies() : copies_;
  out.main_path = main_.device()->path();
  out.spares = {{spares_.front()->path(), content_.identity.spare_uuid, {}}};
  out.main_read_errors = content_.health.main_read_errors + out.io.main_read_errors;
  out.main_write_errors = content_.health.main_write_errors + out.io.main_write_errors;
  remap::Conditions conditions = engine_->conditions();
  if (read_only_) {
    conditions.read_only = true;
    if (conditions.read_only_reason.empty()) conditions.read_only_reason = "started read-only";
  }
  judge(out, conditions, true);
  return out;
}

Result<Moment> RunningSet::settle() {
  const auto writes = engine_->settled_writes();
  if (!writes) {
    return fail(ErrorCode::device_in_use, "a write to it does not end", name(),
                "end all use of it, and look at its events");
  }
  return Moment{run_, *writes};
}

Result<void> RunningSet::note_copy(CopyMade copy) {
  if (read_only_ || engine_->conditions().read_only) {
    return fail(ErrorCode::read_only, "is read-only: the copy cannot be recorded", name());
  }
  const std::lock_guard lock(copy_mutex_);
  if (!is_current(copy, table::Table(engine_->extents(), {}))) {
    return fail(ErrorCode::copy_outdated, "was written to while it was copied", name(),
                "end all use of it, and copy it again");
  }
  copy_ = std::move(copy);
  return {};
}

Result<void> RunningSet::stop() {
  end_watch();
  device_watch_->stop();
  Result<void> outcome;
  if (unsaved_) outcome = tl::unexpected(*unsaved_);
  if (!engine_->flush().ok() && !read_only_) {
    const std::string reason = engine_->conditions().reason;
    outcome = fail(ErrorCode::io, "the last flush failed" + (reason.empty() ? "" : ": " + reason),
                   name(), "look at the events; check the file system");
  }
  if (store_) {
    const auto recorded = record_stop(outcome.has_value());
    if (!recorded && outcome) outcome = recorded;
    // What is left of the last commit: the set is whole without it.
    (void)metadata_spare().flush();
  }
  engine_->stop();
  stopped_ = true;
  if (memory_ && outcome) memory_->remove();
  return outcome;
}

void RunningSet::prepare_activation() {
  format::Health& health = content_.health;
  const bool clean = health.clean || health.starts == 0;
  health.clean = false;
  health.main_print = {};
  content_.copy.reset();
  content_.evidence = remap::to_format(evidence_);
  ++health.starts;
  record_facts(content_);
  if (const auto seen = discovery::gather_facts(metadata_spare(), discovery::DeviceUse::alone)) {
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

// Without it a run that is killed leaves no evidence, and the next start knows less.
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

// What main is known by now, into what is committed.
void RunningSet::record_facts(format::Records& content) const {
  discovery::RecordedMain main = main_.recorded();
  content.identity.main = std::move(main.fingerprint);
  if (!content.facts) content.facts.emplace();
  content.facts->main = std::move(main.facts);
  content.facts->main_has_no_identity = main.no_identity;
}

// Main has another file system, or shows other names, than when it was looked at last.
void RunningSet::update_recorded_main(const discovery::DeviceFacts& seen) {
  discovery::RecordedMain main = main_.recorded();
  const auto facts = discovery::merge_main_facts(main, seen, false);
  main.fingerprint = merged(main.fingerprint, seen.fingerprint);
  main.facts = facts.main;
  main.no_identity = facts.main_has_no_identity;
  main_.set_recorded(std::move(main));
}

Result<void> RunningSet::record_stop(bool flushed) {
  // No commit may follow this one: what it relocated would not be in a copy that is recorded.
  engine_->end_background();
  // A main that does not answer, or was not flushed, has no print that means anything.
  const bool clean = flushed && !engine_->conditions().tripped;
  discovery::MainPrint print;
  if (clean) {
    if (const auto seen = discovery::gather_facts(*main_.device())) update_recorded_main(*seen);
    print = discovery::print_of(*main_.device(), engine_->extents());
    // Once all of it reads again its print would be another one, though nobody wrote to it.
    if (!print.whole) print.print = {};
  }
  recorder_.on_event(make_event(format::EventKind::stop, clean ? Severity::info : Severity::warning,
                                clean      ? ""
                                : unsaved_ ? "cached writes were lost at stop"
                                           : "main did not take the last flush"));
  // By the table of this very commit: what a job before it relocated is not in the copy.
  return engine_->commit_record([=, this](format::Records& content, const table::Table& table) {
    const auto lacks = clean ? sectors_lacking_in_copy(table) : std::nullopt;
    if (lacks) {
      content.copy = format::CopyRecord{store_->next_sequence(), clock_.wall_ns(), *lacks};
    }
    record_facts(content);
    content.health.clean = clean;
    content.health.main_print = print.print;
  });
}

// Is all that the set serves in the copy, but what was lost then and is now?
bool RunningSet::is_current(const CopyMade& copy, const table::Table& table) const {
  if (copy.since.run != run_ || copy.since.writes != engine_->counts().writes) return false;
  return std::ranges::all_of(copy.left_out, [&](SectorRange range) {
    return std::ranges::all_of(table.pieces(range), [](const table::Piece& piece) {
      return table::place_of(piece.state) == table::Place::nowhere;
    });
  });
}

// How many sectors it lacks; none: there is no copy, or it is outdated.
std::optional<SectorCount> RunningSet::sectors_lacking_in_copy(const table::Table& table) {
  const std::lock_guard lock(copy_mutex_);
  if (!copy_ || !is_current(*copy_, table)) return std::nullopt;
  SectorCount out;
  for (const SectorRange& range : copy_->left_out) out = out + range.count;
  return out;
}

// A user who makes a file system on the virtual device changes main's identity in the record. It
// is noted soon, so that a crash rarely leaves the old one, which start would refuse.
void RunningSet::watch_main() {
  std::uint64_t writes_seen = 0;
  unsigned rest = 0;
  Sha256 print_seen = discovery::print_of(*main_.device(), engine_->extents()).print;
  std::unique_lock lock(watch_mutex_);
  while (!watch_ended_.wait_for(lock, kLookEvery, [this] { return watch_ends_; })) {
    lock.unlock();
    const std::uint64_t writes = engine_->counts().writes;
    if (rest > 0) {
      --rest;
    } else if (writes != writes_seen && !engine_->conditions().tripped) {
      writes_seen = writes;
      if (!look_at_main(print_seen)) rest = kRestAfterErrors;
    }
    lock.lock();
  }
}

// False: it does not read well.
bool RunningSet::look_at_main(Sha256& print_seen) {
  const discovery::MainPrint now = discovery::print_of(*main_.device(), engine_->extents());
  if (!now.whole || now.print == print_seen) return now.whole;
  print_seen = now.print;
  const auto seen = discovery::gather_facts(*main_.device());
  if (!seen) return false;
  const format::Fingerprint before = main_.fingerprint();
  const format::Fingerprint after = merged(before, seen->fingerprint);
  if (after.fs_uuid == before.fs_uuid && after.fs_type == before.fs_type) return true;
  update_recorded_main(*seen);
  const auto recorded = engine_->commit_record(
      [this](format::Records& content, const table::Table&) { record_facts(content); });
  if (!recorded) log(Severity::warning, recorded.error().message());
  return true;
}

void RunningSet::end_watch() {
  {
    const std::lock_guard lock(watch_mutex_);
    watch_ends_ = true;
  }
  watch_ended_.notify_all();
  if (watch_.joinable()) watch_.join();
}

Result<std::unique_ptr<RunningSet>> RunningSet::open(const discovery::Members& members,
                                                     const OpenOptions& options, Clock& clock,
                                                     Random& random) {
  auto opening = open_devices(members, options);
  if (!opening) return failure_of(opening);
  auto made = std::unique_ptr<RunningSet>(new RunningSet(std::move(*opening), options, clock));
  if (auto begun = made->begin(random); !begun) return failure_of(begun);
  return made;
}

}  // namespace dmremap::set
