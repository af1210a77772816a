// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/world.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "sim/world_parts.hpp"

namespace dmremap::sim {

namespace {

constexpr std::uint64_t kEpochNs = 1'800'000'000'000'000'000U;  // January 2027
// However unfair the style is, about one step in so many goes to any thread.
constexpr std::uint64_t kFairMask = 1023;

}  // namespace

std::string_view name_of(Style style) {
  switch (style) {
    case Style::uniform:
      return "uniform";
    case Style::run_to_block:
      return "run to block";
    case Style::priorities:
      return "priorities";
  }
  return "?";
}

World::World(std::uint64_t seed) : World(seed, static_cast<Style>(Dice(~seed).below(3))) {}

World::World(std::uint64_t seed, Style style)
    : seed_(seed),
      streams_(seed),
      dice_(streams_.fork()),
      random_(streams_.fork()),
      style_(style),
      step_time_mask_((std::uint64_t{1} << dice_.between(4, 12)) - 1),
      change_mask_((std::uint64_t{1} << dice_.between(4, 10)) - 1),
      outside_(std::make_unique<Fiber>()) {}

World::~World() {
  DMREMAP_ASSERT(current_ == nullptr);
  if (!failed_) return;
  for (const auto& task : tasks_) task->fiber->abandon();
}

void World::run(std::function<void()> body) {
  DMREMAP_ASSERT(current_ == nullptr);
  if (failed_) throw WorldFailure("this world has failed before");
  spawn(std::move(body));
  current_ = &choose();
  Fiber::switch_to(*outside_, *current_->fiber);
  current_ = nullptr;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

World::Task& World::spawn(std::function<void()> body) {
  DMREMAP_ASSERT(body != nullptr);
  auto free = std::ranges::find_if(tasks_, [](const auto& task) { return !task->body; });
  if (free == tasks_.end()) {
    auto task = std::make_unique<Task>();
    Task* const self = task.get();
    self->lane = tasks_.size();
    self->fiber = std::make_unique<Fiber>([this, self] { live(*self); });
    tasks_.push_back(std::move(task));
    free = std::prev(tasks_.end());
  }
  Task& task = **free;
  task.body = std::move(body);
  task.ending = std::make_shared<Ending>();
  task.priority = (std::uint64_t{1} << 63U) + (dice_.next() >> 1U);
  ++alive_;
  wake(task);
  return task;
}

// A task lives as often as its lane is used.
void World::live(Task& task) {
  while (true) {
    try {
      task.body();
    } catch (...) {
      failure_ = std::current_exception();
    }
    if (failure_) leave();
    task.body = nullptr;
    task.name.clear();
    task.ending->ended = true;
    for (Task* const joiner : std::exchange(task.ending->joining, {})) wake(*joiner);
    task.ending.reset();
    wait_in(nullptr, kNever, "its next life", task.lane);
  }
}

void World::leave() {
  failed_ = true;
  Fiber::switch_to(*current_->fiber, *outside_);
  std::abort();  // an abandoned thread went on
}

void World::fail(const std::string& why) {
  const std::string told =
      fmt::format("{} (seed {}, step {}, {} ns)\n{}", why, seed_, steps_, now_ns_, threads());
  if (current_ == nullptr) {
    failed_ = true;
    throw WorldFailure(told);
  }
  failure_ = std::make_exception_ptr(WorldFailure(told));
  leave();
}

std::string World::threads() const {
  std::string out;
  for (const auto& task : tasks_) {
    if (!task->body) continue;
    out += fmt::format("  thread {}{}{}: ", task->lane, task->name.empty() ? "" : " ", task->name);
    if (task->runnable) {
      out += task.get() == current_ ? "runs" : "can run";
    } else {
      out += fmt::format("waits for {} {}", task->waits_for, task->number);
      if (task->wake_ns != kNever) out += fmt::format(", until {} ns", task->wake_ns);
    }
    out += '\n';
  }
  return out;
}

void World::step() {
  if (++steps_ >= alarm_) on_alarm();
  if (current_ != nullptr) go_on();
}

void World::on_alarm() {
  if (steps_ >= limit_step_) fail("more steps than the limit");
  action_step_ = kNever;
  const auto action = std::exchange(action_, nullptr);
  set_alarm();
  action();
}

void World::at_step(std::uint64_t step, std::function<void()> action) {
  action_ = std::move(action);
  action_step_ = action_ ? step : kNever;
  set_alarm();
}

void World::set_step_limit(std::uint64_t step) {
  limit_step_ = step;
  set_alarm();
}

void World::set_alarm() {
  alarm_ = std::min(action_step_, limit_step_);
}

// The caller has taken itself from runnable_, or stays runnable.
void World::go_on() {
  Task& from = *current_;
  Task& to = choose();
  if (&to == &from) return;
  current_ = &to;
  Fiber::switch_to(*from.fiber, *to.fiber);
}

World::Task& World::choose() {
  const std::uint64_t roll = dice_.next();
  now_ns_ += 1 + (roll & step_time_mask_);
  if (now_ns_ >= next_wake_ns_) wake_due();
  while (runnable_.empty()) {
    if (next_wake_ns_ == kNever) fail("deadlock: no thread can go on");
    now_ns_ = std::max(now_ns_, next_wake_ns_);
    wake_due();
  }
  Task* chosen = runnable_.front();
  if (runnable_.size() > 1) {
    const std::uint64_t bits = roll >> 12U;
    if (style_ == Style::uniform || (bits & kFairMask) == 0) {
      chosen = &any(roll);
    } else if (style_ == Style::priorities) {
      chosen = &highest(bits >> 10U);
    } else {
      const bool stays = current_ != nullptr && current_->runnable && (bits >> 10U & 63U) != 0;
      chosen = stays ? current_ : &any(roll);
    }
  }
  trace(now_ns_ << 8U | (chosen->lane & 0xFFU));
  return *chosen;
}

World::Task& World::any(std::uint64_t roll) {
  return *runnable_[((roll >> 32U) * runnable_.size()) >> 32U];
}

World::Task& World::highest(std::uint64_t roll) {
  if ((roll & change_mask_) == 0 && current_ != nullptr) {
    current_->priority = (std::uint64_t{1} << 63U) - ++lowest_;
  }
  return **std::ranges::max_element(runnable_, {}, [](const Task* task) { return task->priority; });
}

void World::wake_due() {
  next_wake_ns_ = kNever;
  for (const auto& task : tasks_) {
    if (task->wake_ns <= now_ns_) wake(*task);
    next_wake_ns_ = std::min(next_wake_ns_, task->wake_ns);
  }
}

void World::wake(Task& task) {
  DMREMAP_ASSERT(!task.runnable);
  if (task.line != nullptr) std::erase(*task.line, &task);
  task.line = nullptr;
  task.wake_ns = kNever;
  task.runnable = true;
  task.place = runnable_.size();
  runnable_.push_back(&task);
}

// The caller waits in `line`, if any, until someone wakes it or its time comes. Without a body it
// has ended.
void World::wait_in(std::vector<Task*>* line, std::uint64_t wake_ns, std::string_view what,
                    std::uint64_t number) {
  Task& self = *current_;
  self.line = line;
  if (line != nullptr) line->push_back(&self);
  self.wake_ns = wake_ns;
  next_wake_ns_ = std::min(next_wake_ns_, wake_ns);
  self.waits_for = what;
  self.number = number;
  self.runnable = false;
  runnable_.back()->place = self.place;
  runnable_[self.place] = runnable_.back();
  runnable_.pop_back();
  if (self.body == nullptr && --alive_ == 0) {
    // The next life begins with the run after this one.
    Fiber::switch_to(*self.fiber, *outside_);
    return;
  }
  if (++steps_ >= alarm_) on_alarm();
  go_on();
}

void World::name_thread(std::string name) {
  if (current_ != nullptr) current_->name = std::move(name);
}

void World::stand_still(std::chrono::nanoseconds duration) {
  now_ns_ += static_cast<std::uint64_t>(duration.count());
}

void World::sleep(std::chrono::nanoseconds duration) {
  const std::uint64_t until =
      now_ns_ + static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  if (current_ == nullptr) {
    now_ns_ = until;
  } else {
    wait_in(nullptr, until, "time", until);
  }
}

void World::pause(std::size_t round) {
  const std::uint64_t most = 1000 * (1 + std::min<std::uint64_t>(round, 999));
  sleep(std::chrono::nanoseconds(dice_.between(1, most)));
}

std::size_t World::lane() {
  return current_ == nullptr ? 0 : current_->lane;
}

std::chrono::nanoseconds World::now() {
  return std::chrono::nanoseconds(now_ns_);
}

std::uint64_t World::wall_ns() {
  return kEpochNs + now_ns_;
}

}  // namespace dmremap::sim
