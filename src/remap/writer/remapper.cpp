// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/writer/remapper.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "base/thread_name.hpp"
#include "remap/request/request_timer.hpp"

namespace dmremap::remap {

namespace {

constexpr std::uint64_t kEvidenceEveryNs = 60'000'000'000;

bool needs_main(const Item& item) {
  // What becomes of a spare sector is no matter of main's.
  return item.kind != Item::Kind::mark_gone && item.kind != Item::Kind::give_up &&
         item.kind != Item::Kind::move;
}

}  // namespace

tl::unexpected<Error> error_of(Outcome outcome, const DataPath& path) {
  switch (outcome) {
    case Outcome::spare_full:
      return fail(ErrorCode::spare_full, "no spare sector is left");
    case Outcome::spare_no_space:
      return fail(ErrorCode::no_space,
                  "the file system that holds the spare image is full, or its quota used up", {},
                  "make room there, then try again");
    case Outcome::spare_refuses:
      return fail(ErrorCode::io, "the spare refuses to be written, wherever it was tried", {},
                  "see the kernel log; if the spare is failing too, copy the data to another disk");
    case Outcome::table_full:
      return fail(ErrorCode::metadata_full, "the table is full");
    case Outcome::read_only:
      return fail(ErrorCode::read_only, "the set is read-only", path.read_only_reason());
    case Outcome::tripped:
      return fail(ErrorCode::tripped, "main is not there", path.breaker.reason());
    case Outcome::done:
    case Outcome::failed:
      break;
  }
  const std::string reason = path.read_only_reason();
  return fail(ErrorCode::metadata_commit,
              "the spare did not take it" + (reason.empty() ? "" : ": " + reason));
}

Remapper::Remapper(DataPath& path, metadata::Store& store, const table::Table& table,
                   const format::Content& content)
    : path_(path),
      store_(store),
      search_(path.spares.capacity(), path.unit()),
      spare_use_(path),
      table_(table),
      base_(content),
      mutex_(path.scheduling),
      wake_(path.scheduling),
      finished_(path.scheduling) {
  path_.spares.size_sectors.store(format::usable_spare_size(base_).value);
  spare_use_.note();
  thread_ = Thread(path_.scheduling, [this] { loop(); });
}

Remapper::~Remapper() {
  stop();
}

void Remapper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Outcome Remapper::run(std::span<const Item> items) {
  return run(items, path_.deadline_from_now());
}

Outcome Remapper::run(std::span<const Item> items, std::uint64_t deadline_ns,
                      const RequestTimer* timer) {
  Job job;
  job.timer = timer;
  job.items = items;
  job.deadline_ns = deadline_ns;
  return submit(job);
}

Outcome Remapper::run_record(const RecordEdit& edit) {
  Job job;
  job.record = &edit;
  return submit(job);
}

SpareTrial Remapper::run_trial(SpareIndex spare) {
  SpareTrial out;
  Job job;
  job.trial = &out;
  job.spare = spare;
  (void)submit(job);
  return out;
}

bool Remapper::run_reattachment(SpareIndex spare, SpareReopener& reopener,
                                const SpareReopener::Found& found) {
  Reattachment to{&reopener, found.last};
  Job job;
  job.reattachment = &to;
  job.spare = spare;
  (void)submit(job);
  return to.done;
}

Result<metadata::SlotDamage> Remapper::run_copy_check(unsigned copy) {
  CopyCheck check{copy, fail(ErrorCode::read_only, "the set ends")};
  Job job;
  job.copy_check = &check;
  (void)submit(job);
  return check.found;
}

Result<metadata::SlotDamage> Remapper::check_copy_now(unsigned copy) {
  if (!path_.writable()) {
    return fail(ErrorCode::read_only, "the set is read-only", path_.read_only_reason());
  }
  SpareDevice& spare = path_.spares.metadata_spare();
  auto found = spare.watch_for_absence([&] { return store_.check_copy(copy); });
  if (!found) {
    spare.trouble.sign();
    lose_store();
  }
  return found;
}

bool Remapper::is_alone() {
  return path_.spares.metadata_spare()
      .watch_for_absence([this] { return store_.check_alone(); })
      .has_value();
}

SpareTrial Remapper::try_spare_now(SpareDevice& spare) {
  if (!path_.writable()) return {};
  if (is_alone()) return remap::try_spare(path_, spare);
  lose_store();
  // Its metadata is not ours, or cannot be read. A device that is there says so otherwise.
  if (spare.diagnose(EIO) == io::Fault::device)
    return {SpareState::away, "the spare does not answer"};
  return {SpareState::refuses, "the metadata on the spare cannot be read"};
}

Outcome Remapper::submit(Job& job) {
  std::unique_lock lock(mutex_);
  if (stopping_) return Outcome::failed;
  // Under the lock: a write whose caller was told now is followed, in this queue, by all that the
  // caller sends after it.
  if (RequestTimer::expired(job.timer)) return Outcome::failed;
  waiting_.push_back(&job);
  wake_.notify_one();
  finished_.wait(lock, [&job] { return job.finished; });
  return job.outcome;
}

void Remapper::loop() {
  name_this_thread("remapper");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Jobs jobs = std::exchange(waiting_, {});
    lock.unlock();
    execute_all(jobs);
    lock.lock();
    for (Job* job : jobs) job->finished = true;
    finished_.notify_all();
  }
}

Remapper::Jobs Remapper::apply_all(const Jobs& jobs, Change& change) {
  Jobs applied;
  for (Job* job : jobs) {
    const bool tripped = path_.breaker.tripped() && std::ranges::any_of(job->items, needs_main);
    if (job->grown) {
      if (const auto ended = prepare_growth(*job)) {
        job->outcome = *ended;
        continue;
      }
    }
    const std::uint64_t before = change.steps();
    job->outcome = tripped ? Outcome::tripped : change.apply(job->items, job->deadline_ns);
    job->changes = job->record != nullptr || change.steps() != before;
    if (job->outcome == Outcome::done) applied.push_back(job);
    note_outcome(*job);
  }
  return applied;
}

// This thread alone makes commits, so none comes between the comparison and the exchange.
void Remapper::reattach(SpareDevice& spare, Reattachment& to) {
  if (store_.current() != to.last) return;
  spare.reattach([&to] { to.reopener->attach(); });
  store_.doubt_all_copies();
  to.done = true;
}

Remapper::Jobs Remapper::run_device_jobs(const Jobs& jobs) {
  Jobs others;
  for (Job* job : jobs) {
    if (job->trial != nullptr) {
      *job->trial = try_spare_now(path_.spares.at(job->spare));
    } else if (job->copy_check != nullptr) {
      job->copy_check->found = check_copy_now(job->copy_check->copy);
    } else if (job->reattachment != nullptr) {
      reattach(path_.spares.at(job->spare), *job->reattachment);
    } else {
      others.push_back(job);
    }
  }
  return others;
}

void Remapper::execute_all(const Jobs& all) {
  Jobs together;
  Jobs later;
  bool grows = false;
  for (Job* job : all) {
    const bool must_wait = job->grown && std::exchange(grows, true);
    (must_wait ? later : together).push_back(job);
  }
  execute(together);
  for (Job* job : later) execute({job});
}

void Remapper::execute(const Jobs& all) {
  const Jobs jobs = run_device_jobs(all);
  if (jobs.empty()) return;
  if (!path_.writable()) {
    for (Job* job : jobs) job->outcome = Outcome::read_only;
    return;
  }
  // Data goes to sectors that are free by the last commit; if it is not the last any more, they may
  // be somebody else's by now.
  if (!is_alone()) {
    path_.spares.metadata_spare().trouble.sign();
    lose_store();
    for (Job* job : jobs) job->outcome = Outcome::failed;
    return;
  }
  const DirectChange withheld(path_.direct);
  const Jobs possible = withhold(jobs);
  if (possible.empty()) return;
  const SparePool::Marks marks = path_.spares.marks();
  Change change(path_, search_, table_, {store_.next_sequence(), path_.clock.wall_ns()},
                unrecorded_bad_);
  Jobs changing = apply_all(possible, change);
  std::erase_if(changing, [](const Job* job) { return !job->changes; });
  // Bad places are recorded also when the requests that met them failed: else the next ones, and
  // those after a restart, would meet the same places again.
  if (changing.empty() && !change.found_bad()) return;
  if (change.placed()) {
    if (!path_.spares.flush_since(marks).ok()) {
      change.abandon();
      unrecorded_bad_ = change.bad();
      for (Job* job : changing) job->outcome = Outcome::failed;
      return;
    }
  }
  commit(changing, change);
}

// Before anything of the change is durable: a crash after the commit leaves a table that the next
// process serves by, and what main took meanwhile past this one would be missing in it. A job that
// binds what it read has drained the requests under way before it read (quiesced_range.hpp); one
// that brings a user's data need not, for any order among writes in flight is right.
Remapper::Jobs Remapper::withhold(const Jobs& jobs) {
  Jobs out;
  for (Job* job : jobs) {
    const bool withheld = std::ranges::all_of(
        job->items, [this](const Item& item) { return path_.withhold(item.range); });
    job->outcome = Outcome::failed;
    if (withheld) out.push_back(job);
  }
  return out;
}

bool Remapper::is_loss(const Job& job) {
  return !job.items.empty() && std::ranges::all_of(job.items, [](const Item& item) {
    return item.kind == Item::Kind::mark_gone ||
           (item.kind == Item::Kind::mark_lost && item.cause != 0);
  });
}

bool Remapper::is_of_list(const Job& job) {
  return std::ranges::any_of(job.items, [](const Item& item) {
    return item.kind == Item::Kind::mark_suspect ||
           (item.kind == Item::Kind::mark_lost && item.cause == 0);
  });
}

Remapper::Recording Remapper::record(const Jobs& jobs, const table::Table& table) {
  format::Records records = base_;
  if (path_.observer != nullptr) {
    path_.observer->fill_health(records.health);
    path_.observer->fill_records(records);
  }
  for (const Job* job : jobs) {
    if (job->record != nullptr) (*job->record)(records, table);
  }
  renew_evidence(records, jobs);
  // No other flush of this spare meanwhile: it could take the error that the commit must see.
  SpareDevice& spare = path_.spares.metadata_spare();
  auto alone = spare.gate.exclusive();
  const auto committed = spare.watch_for_absence([&] { return store_.commit(records, table); });
  alone.unlock();
  if (committed) {
    base_ = std::move(records);
    return Recording::done;
  }
  return committed.error().code == ErrorCode::metadata_full ? Recording::full : Recording::failed;
}

// The marks in `table` that a full table may leave to memory, those first that miss it most. Of a
// lost sector main has the only version: after a restart main is asked again, and either cannot
// read it or reads what is right. A gone one would read as something older, so lost ones that main
// could not read give way to it.
std::vector<SectorRange> Remapper::marks_that_may_wait(const Job& job,
                                                       const table::Table& table) const {
  std::vector<SectorRange> gone;
  std::vector<SectorRange> lost;
  const auto add = [&](SectorRange range) {
    for (const table::Piece& piece : table.pieces(range)) {
      if (piece.state == format::State::gone) gone.push_back(piece.main);
      if (piece.state == format::State::lost) lost.push_back(piece.main);
    }
  };
  for (const SectorRange& range : unrecorded_marks_) add(range);
  if (is_loss(job)) {
    for (const Item& item : job.items) add(item.range);
  }
  if (!gone.empty()) {
    lost.clear();
    for (const format::Extent& extent : table.extents()) {
      if (extent.state() == format::State::lost && extent.cause() != 0) {
        lost.push_back(extent.main());
      }
    }
  }
  gone.insert(gone.end(), lost.begin(), lost.end());
  return gone;
}

// The table is full with all that `job` changes. What is only a doubt gives way to what somebody
// wrote or lost (promise 4); then marks wait in memory, as few as do.
Remapper::Recording Remapper::record_less(Job& job, Change& change, table::Table& live) {
  Recording recording = Recording::full;
  if (!is_of_list(job) && change.clear_suspects()) {
    live = change.table();
    recording = record({&job}, live);
  }
  const std::vector<SectorRange> marks = marks_that_may_wait(job, live);
  for (std::size_t kept = marks.size(); recording == Recording::full && kept > 0;) {
    kept /= 2;
    const std::vector<SectorRange> waiting(marks.begin() + static_cast<std::ptrdiff_t>(kept),
                                           marks.end());
    table::Table less = live;
    for (const SectorRange& range : waiting) less = less.replaced(range, {});
    recording = record({&job}, less);
    if (recording == Recording::done) unrecorded_marks_ = waiting;
  }
  if (recording == Recording::done && is_loss(job) && !unrecorded_marks_.empty()) {
    job.outcome = Outcome::table_full;
    note_outcome(job);
  }
  return recording;
}

void Remapper::commit(const Jobs& jobs, Change& change) {
  table::Table live = change.table_with_bad();
  std::vector<format::Extent> unrecorded_bad;
  Recording recording = record(jobs, live);
  if (recording == Recording::done) unrecorded_marks_.clear();
  if (recording == Recording::full && !change.bad().empty() && !jobs.empty()) {
    // Bad places wait in memory for a commit that has room.
    live = change.table();
    unrecorded_bad = change.bad();
    recording = record(jobs, live);
    if (recording == Recording::done) unrecorded_marks_.clear();
  }
  if (recording == Recording::full && jobs.size() == 1) {
    unrecorded_bad = change.bad();
    recording = record_less(*jobs.front(), change, live);
  }
  if (recording == Recording::done) {
    unrecorded_bad_ = std::move(unrecorded_bad);
    publish(change, live);
    for (const Job* job : jobs) {
      if (job->grown) use_new_room(*job->grown);
    }
    return;
  }
  change.abandon();
  unrecorded_bad_ = change.bad();
  if (recording == Recording::full) {
    // With several jobs one of them is too much; let it not fail the others.
    if (jobs.size() > 1) {
      for (Job* job : jobs) execute({job});
    } else if (!jobs.empty()) {
      jobs.front()->outcome = Outcome::table_full;
      note_outcome(*jobs.front());
    }
    return;
  }
  path_.spares.metadata_spare().trouble.sign();
  lose_store();
  for (Job* job : jobs) job->outcome = Outcome::failed;
}

// With the records of a set (its activation's successor, its stop) and else at most once a minute:
// it is a block of its own in every copy.
void Remapper::renew_evidence(format::Records& records, const Jobs& jobs) {
  const std::uint64_t now_ns = path_.clock.monotonic_ns();
  const bool record =
      std::ranges::any_of(jobs, [](const Job* job) { return job->record != nullptr; });
  if (!record && evidence_at_ns_ && now_ns - *evidence_at_ns_ < kEvidenceEveryNs) return;
  evidence_at_ns_ = now_ns;
  records.evidence = to_format(path_.evidence_now());
}

void Remapper::lose_store() {
  const std::string reason = store_.read_only_reason();
  if (reason.empty()) return;
  // The commit may have taken effect or not, and the next assembly decides. Anything acknowledged
  // from here on could be undone by it. What lies on a spare unflushed is no safer than that.
  path_.spares.fail_flushes(EIO);
  path_.go_read_only(reason);
}

void Remapper::publish(const Change& change, const table::Table& table) {
  const bool has_room = table.size() != table_.size();
  table_ = table;
  const std::uint64_t epoch = path_.live.publish(table_, change.changed());
  for (const SpareRange& range : change.freed()) path_.spares.free_after(range, epoch);
  path_.spares.reclaim(path_.live.oldest_request());
  if (has_room && unrecorded_marks_.empty()) path_.table_full.store(false);
  for (const format::Event& event : change.events()) {
    path_.emit(event.kind, event.severity, event.main, event.error, event.text);
  }
  path_.trouble.add(change.trouble());
  spare_use_.note();
}

void Remapper::note_outcome(const Job& job) {
  // A list that is too long was refused, and there is room for all else.
  if (is_of_list(job)) return;
  const SectorRange range = job.items.empty() ? SectorRange{} : job.items.front().range;
  if (job.outcome == Outcome::spare_full) spare_use_.note_full(range);
  if (job.outcome == Outcome::table_full && !path_.table_full.exchange(true)) {
    path_.emit(format::EventKind::table_full, Severity::error, range, ENOSPC, "the table is full");
  }
}

}  // namespace dmremap::remap
