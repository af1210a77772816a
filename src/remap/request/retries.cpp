// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/request/retries.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/log.hpp"
#include "base/sector_parts.hpp"
#include "base/thread_name.hpp"
#include "os/process.hpp"

namespace dmremap::remap {

namespace {

constexpr unsigned kThreads = 4;
// A few are enough: whoever asks again brings the others back.
constexpr std::ptrdiff_t kMostLate = 8;
// The other threads stay free for what somebody waits for: one block may hold a thread for a
// minute.
constexpr std::ptrdiff_t kMostLateAtOnce = kThreads / 2;
// How often it is looked whether what somebody watches is free again.
constexpr std::chrono::milliseconds kWatchedPause{20};

// Whoever reads the same sectors again within this time is not told again, else one program that
// tries on and on would push all other events out of the log.
constexpr std::uint64_t kToldAgainNs = 600'000'000'000;
constexpr std::size_t kMostTold = 16;

constexpr auto kIsLate = [](const auto& task) { return task->late; };

}  // namespace

Retries::Retries(DataPath& path, Recovery& recovery)
    : path_(path),
      recovery_(recovery),
      mutex_(path.scheduling),
      wake_(path.scheduling),
      finished_(path.scheduling),
      timer_wake_(path.scheduling),
      most_threads_(kThreads) {
  buffers_.reserve(kThreads);
  threads_.reserve(kThreads);
  {
    std::unique_lock lock(mutex_);
    const std::size_t at_once = os::is_io_flusher() ? 1 : kThreads;
    for (std::size_t i = 0; i < at_once && i < most_threads_; ++i) add_thread(lock);
    if (threads_.empty()) throw std::runtime_error("no thread for retries can be started");
  }
  timer_ = Thread(path.scheduling, [this] { watch_deadlines(); });
}

// Without the lock, because memory may be short, and threads that serve requests take it.
void Retries::add_thread(std::unique_lock<Mutex>& lock) {
  adding_ = true;
  lock.unlock();
  AlignedBuffer buffer(kLongest.bytes());
  Thread thread;
  try {
    thread = Thread(path_.scheduling, [this, out = buffer.span()] { loop(out); });
  } catch (const std::exception& error) {
    log(Severity::warning, std::string("no more threads for retries: ") + error.what());
  }
  lock.lock();
  adding_ = false;
  finished_.notify_all();
  if (!thread.joinable()) {
    most_threads_ = threads_.size();
    return;
  }
  buffers_.push_back(std::move(buffer));
  threads_.push_back(std::move(thread));
}

Retries::~Retries() {
  stop();
}

void Retries::stop() {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    finished_.wait(lock, [this] { return !adding_; });
  }
  wake_.notify_all();
  timer_wake_.notify_all();
  for (Thread& thread : threads_) thread.join();
  threads_.clear();
  if (timer_.joinable()) timer_.join();
  // Each was promised one answer, and no thread is left to give another.
  for (const auto& task : owed_) task->later({EIO}, {});
  owed_.clear();
}

// Nobody waits for it, and the memory of its parts is gone.
void Retries::put_off_locked(const RetryTask& task) {
  if (!path_.writable() || std::ranges::count_if(waiting_, kIsLate) >= kMostLate) return;
  const auto again = std::make_shared<RetryTask>();
  again->late = true;
  for (const UnreadPart& part : task.parts) {
    const bool there = std::ranges::any_of(waiting_, [&](const auto& other) {
      return other->late && other->parts.front().range.overlaps(part.range);
    });
    if (!there) again->parts.push_back({part.range, {}});
  }
  if (again->parts.empty()) return;
  waiting_.push_back(again);
  wake_.notify_all();
}

void Retries::note_given_up_locked(SectorRange range) {
  if (given_up_ || !path_.writable()) return;
  const std::uint64_t now_ns = path_.clock.monotonic_ns();
  std::erase_if(told_, [now_ns](const auto& one) { return now_ns - one.told_ns >= kToldAgainNs; });
  const auto overlaps = [range](const auto& one) { return one.range.overlaps(range); };
  if (std::ranges::any_of(told_, overlaps)) return;
  if (told_.size() == kMostTold) told_.pop_front();
  told_.push_back({range, now_ns});
  given_up_ = range;
}

void Retries::tell_given_up(std::unique_lock<Mutex>& lock) {
  const auto range = std::exchange(given_up_, std::nullopt);
  if (!range) return;
  lock.unlock();
  path_.emit(format::EventKind::degraded, Severity::warning, *range, ETIMEDOUT,
             "read given up, still looked into");
  lock.lock();
}

// Its deadline has passed.
void Retries::expire_locked(const std::shared_ptr<RetryTask>& task) {
  task->abandoned = true;
  note_given_up_locked(task->parts.front().range);
  // One that a thread works on is put off by that thread, if it finds nothing out.
  if (std::erase(waiting_, task) != 0) put_off_locked(*task);
}

// False: its deadline has passed, nobody may wait for it.
bool Retries::add_locked(const std::shared_ptr<RetryTask>& task, std::uint64_t deadline_ns) {
  // The first attempt took all of its time.
  if (path_.clock.monotonic_ns() >= deadline_ns) {
    note_given_up_locked(task->parts.front().range);
    put_off_locked(*task);
    return false;
  }
  task->until_ns = deadline_ns;
  waiting_.push_back(task);
  wake_.notify_all();
  return true;
}

io::IoStatus Retries::read(std::span<const UnreadPart> parts, std::uint64_t deadline_ns) {
  const auto task = std::make_shared<RetryTask>();
  task->parts.assign(parts.begin(), parts.end());
  std::unique_lock lock(mutex_);
  if (!add_locked(task, deadline_ns)) {
    tell_given_up(lock);
    return {ETIMEDOUT};
  }
  // What is waited for is real time; a pause of the process may have used it up.
  for (auto left = path_.left_until(deadline_ns); left.count() > 0;
       left = path_.left_until(deadline_ns)) {
    if (finished_.wait_for(lock, left, [&task] { return task->done; })) return task->status;
  }
  if (task->done) return task->status;
  expire_locked(task);
  tell_given_up(lock);
  return {ETIMEDOUT};
}

std::optional<io::IoStatus> Retries::read_later(SectorRange range, std::uint64_t deadline_ns,
                                                const Disk::Later& later) {
  const auto task = std::make_shared<RetryTask>();
  task->parts.push_back({range, {}});
  std::unique_lock lock(mutex_);
  if (!add_locked(task, deadline_ns)) {
    tell_given_up(lock);
    return io::IoStatus{ETIMEDOUT};
  }
  task->later = later;
  owed_.push_back(task);
  // The timer sleeps until the soonest deadline it knows of.
  if (deadline_ns < soonest_ns_) timer_wake_.notify_one();
  return std::nullopt;
}

void Retries::watch_deadlines() {
  name_this_thread("retry-deadlines");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto due = std::ranges::min_element(owed_, {}, [](const auto& t) { return t->until_ns; });
    if (due == owed_.end()) {
      soonest_ns_ = ~std::uint64_t{0};
      timer_wake_.wait(lock, [this] { return stopping_ || !owed_.empty(); });
      continue;
    }
    const auto task = *due;
    const std::uint64_t now = path_.clock.monotonic_ns();
    if (now < task->until_ns) {
      soonest_ns_ = task->until_ns;
      const std::chrono::nanoseconds left(task->until_ns - now);
      timer_wake_.wait_for(lock, left, [this] {
        return stopping_ || std::ranges::any_of(
                                owed_, [this](const auto& t) { return t->until_ns < soonest_ns_; });
      });
      continue;
    }
    // Who takes it from `owed_` answers it.
    owed_.erase(due);
    expire_locked(task);
    lock.unlock();
    task->later({ETIMEDOUT}, {});
    lock.lock();
    tell_given_up(lock);
  }
}

// What somebody watches would keep a thread waiting for another, and so would what covers all that
// another works on: it is left for later, and the others go first. Only running work watches, so it
// ends.
bool Retries::ready_locked(const RetryTask& task) const {
  if (!task.later && !task.late) return true;
  const SectorRange range = task.parts.front().range;
  const bool worked_on = std::ranges::any_of(running_, [range](const auto& other) {
    const SectorRange theirs = other->parts.front().range;
    return range.intersect(theirs) == theirs;
  });
  return !worked_on && path_.live.wait_unwatched(range, {});
}

// What somebody waits for goes first.
std::shared_ptr<Retries::RetryTask> Retries::take_locked() {
  const auto first_ready = [this](bool late) {
    return std::ranges::find_if(waiting_, [this, late](const auto& task) {
      return task->late == late && ready_locked(*task);
    });
  };
  auto found = first_ready(false);
  if (found == waiting_.end() && std::ranges::count_if(running_, kIsLate) < kMostLateAtOnce) {
    found = first_ready(true);
  }
  if (found == waiting_.end()) return nullptr;
  auto task = *found;
  waiting_.erase(found);
  // Nobody waits for it, but it must end: it has as long as a request that came now.
  if (task->late) task->until_ns = path_.clock.monotonic_ns() + path_.request_deadline_ns;
  running_.push_back(task);
  if (!waiting_.empty()) wake_.notify_all();
  return task;
}

// That the whole of it is an error from now on, at once.
bool Retries::found_out(const RetryTask& task) const {
  const table::Table table = path_.live.table();
  return std::ranges::any_of(task.parts, [&](const UnreadPart& part) {
    return path_.known_unreadable(table, part.range);
  });
}

void Retries::loop(std::span<std::byte> buffer) {
  name_this_thread("retry");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    const auto task = take_locked();
    if (!task) {
      wake_.wait_for(lock, kWatchedPause, [this] { return stopping_; });
      continue;
    }
    // The one that comes next finds a thread. Not the caller of add_locked() starts it, for it
    // serves requests.
    const bool all_have_one = running_.size() >= threads_.size();
    if (all_have_one && threads_.size() < most_threads_ && !adding_ && !stopping_) add_thread(lock);
    lock.unlock();
    if (task->later) {
      work_for_later(*task, buffer);
    } else {
      work(*task, buffer);
    }
    lock.lock();
    std::erase(running_, task);
    if (task->abandoned && !found_out(*task)) put_off_locked(*task);
    task->done = true;
    finished_.notify_all();
    // Else the timer has taken it from there, and has answered it.
    if (std::erase(owed_, task) == 0) continue;
    lock.unlock();
    const std::size_t read = task->status.ok() ? task->parts.front().range.count.bytes() : 0;
    task->later(task->status, buffer.first(read));
    lock.lock();
  }
}

bool Retries::wanted(const RetryTask& task) {
  const std::lock_guard lock(mutex_);
  return !stopping_ && !task.abandoned && path_.clock.monotonic_ns() < task.until_ns;
}

void Retries::work_for_later(RetryTask& task, std::span<std::byte> buffer) {
  const SectorRange range = task.parts.front().range;
  if (path_.known_unreadable(path_.live.table(), range)) {
    task.status = {EIO};
    return;
  }
  const Recovery::Settled settled =
      recovery_.settle(range, buffer.first(range.count.bytes()), Recovery::LossState::lost,
                       [this, &task] { return wanted(task); });
  recovery_.count_read_again(settled);
  task.status = settled.status;
}

void Retries::work(RetryTask& task, std::span<std::byte> buffer) {
  // A drive may read all of it now, in pieces: one read that failed, however many pieces.
  Recovery::Settled all;
  for (const UnreadPart& part : task.parts) {
    for (const SectorRange chunk : chunks_of(part.range, kLongest)) {
      // Others have found out meanwhile.
      if (task.late && path_.known_unreadable(path_.live.table(), chunk)) continue;
      const auto read = buffer.first(chunk.count.bytes());
      const Recovery::Settled settled = recovery_.settle(chunk, read, Recovery::LossState::lost,
                                                         [this, &task] { return wanted(task); });
      all.add(settled);
      if (!settled.status.ok()) task.status = settled.status;
      if (task.late) continue;
      const std::lock_guard lock(mutex_);
      // Under the lock that the caller gives its buffer back under: it is still there.
      if (task.abandoned) return;
      std::ranges::copy(read, part_of(part.out, part.range, chunk).begin());
    }
  }
  recovery_.count_read_again(all);
}

}  // namespace dmremap::remap
