// SPDX-License-Identifier: GPL-2.0-or-later
// Locks, signals, bells and joins of a World.
#include <algorithm>
#include <utility>

#include "sim/world.hpp"
#include "sim/world_parts.hpp"

namespace dmremap::sim {

namespace {

// One wait in so many ends for no reason, as the interface allows.
constexpr std::uint64_t kSpurious = 256;
constexpr std::uint64_t kSpuriousNs = 50'000;

}  // namespace

void World::wake_any(std::vector<Task*>& line) {
  if (!line.empty()) wake(*line[line.size() == 1 ? 0 : dice_.below(line.size())]);
}

void World::SimLock::lock() {
  world_.step();
  take();
}

void World::SimLock::take() {
  while (taken_ && !world_.failed_) {
    if (owner_ == world_.current_) world_.fail("a thread locks what it holds already");
    if (world_.current_ == nullptr) world_.fail("locked outside, where nobody can wait");
    world_.wait_in(&line_, kNever, "lock", number_);
  }
  taken_ = true;
  owner_ = world_.current_;
}

void World::SimLock::unlock() {
  give();
  world_.step();
}

void World::SimLock::give() {
  if (world_.failed_) return;
  if (!taken_ || owner_ != world_.current_) world_.fail("a thread unlocks what it does not hold");
  taken_ = false;
  owner_ = nullptr;
  world_.wake_any(line_);
}

void World::SimSignal::wait_for(Lock& lock, std::chrono::nanoseconds longest) {
  const auto most = static_cast<std::uint64_t>(std::max<std::int64_t>(longest.count(), 0));
  const std::uint64_t now = world_.now_ns_;
  wait_until(lock, most >= kNever - now ? kNever : now + most);
}

void World::SimSignal::wait_until(Lock& lock, std::uint64_t wake_ns) {
  auto& held = static_cast<SimLock&>(lock);
  if (world_.current_ == nullptr) {
    if (wake_ns == kNever) world_.fail("waits outside, where nobody can notify");
    world_.now_ns_ = std::max(world_.now_ns_, wake_ns);
    return;
  }
  if (world_.dice_.one_in(kSpurious)) {
    wake_ns = std::min(wake_ns, world_.now_ns_ + world_.dice_.below(kSpuriousNs));
  }
  held.give();
  world_.wait_in(&line_, wake_ns, "signal", number_);
  held.take();
}

void World::SimSignal::notify_one() {
  world_.wake_any(line_);
  world_.step();
}

void World::SimSignal::notify_all() {
  while (!line_.empty()) world_.wake(*line_.front());
  world_.step();
}

void World::SimRun::join() {
  world_.step();
  while (!ending_->ended && !world_.failed_) {
    if (world_.current_ == nullptr) world_.fail("joins outside what has not ended");
    world_.wait_in(&ending_->joining, kNever, "the end of thread", lane_);
  }
}

std::unique_ptr<Scheduling::Lock> World::make_lock() {
  return std::make_unique<SimLock>(*this, things_++);
}

std::unique_ptr<Scheduling::Signal> World::make_signal() {
  return std::make_unique<SimSignal>(*this, things_++);
}

std::unique_ptr<Scheduling::Run> World::start(std::function<void()> body) {
  Task& task = spawn(std::move(body));
  auto run = std::make_unique<SimRun>(*this, task.ending, task.lane);
  step();
  return run;
}

void World::BellDeleter::operator()(Bell* bell) const {
  delete bell;
}

World::BellPtr World::make_bell(std::string_view what) {
  BellPtr bell(new Bell);
  bell->what = what;
  bell->number = things_++;
  return bell;
}

void World::sleep_until(std::uint64_t time_ns, Bell& bell) {
  if (current_ == nullptr) {
    now_ns_ = std::max(now_ns_, time_ns);
  } else {
    wait_in(&bell.line, time_ns, bell.what, bell.number);
  }
}

void World::ring(Bell& bell) {
  while (!bell.line.empty()) wake(*bell.line.front());
}

}  // namespace dmremap::sim
