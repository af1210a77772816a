// SPDX-License-Identifier: GPL-2.0-or-later
// What the sources of World share; nobody else includes it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/fiber.hpp"
#include "sim/world.hpp"

namespace dmremap::sim {

// Outlives the thread: its Run asks for it.
struct World::Ending {
  bool ended = false;
  std::vector<Task*> joining;
};

class World::Task {
 public:
  std::size_t lane = 0;
  std::unique_ptr<Fiber> fiber;
  std::function<void()> body;  // empty: ended, free to be used again
  std::shared_ptr<Ending> ending;
  std::string name;
  std::uint64_t priority = 0;

  bool runnable = false;
  std::size_t place = 0;  // in runnable_
  std::uint64_t wake_ns = kNever;
  std::vector<Task*>* line = nullptr;  // the queue it waits in
  std::string_view waits_for;
  std::uint64_t number = 0;  // of what it waits for
};

class World::Bell {
 public:
  std::vector<Task*> line;
  std::string_view what;
  std::uint64_t number = 0;
};

class World::SimLock final : public Scheduling::Lock {
 public:
  SimLock(World& world, std::uint64_t number) : world_(world), number_(number) {}
  void lock() override;
  void unlock() override;

 private:
  friend class SimSignal;
  void take();
  void give();

  World& world_;
  const std::uint64_t number_;
  bool taken_ = false;
  Task* owner_ = nullptr;  // none: taken outside `run`
  std::vector<Task*> line_;
};

class World::SimSignal final : public Scheduling::Signal {
 public:
  SimSignal(World& world, std::uint64_t number) : world_(world), number_(number) {}
  void wait(Lock& lock) override { wait_until(lock, kNever); }
  void wait_for(Lock& lock, std::chrono::nanoseconds longest) override;
  void notify_one() override;
  void notify_all() override;

 private:
  void wait_until(Lock& lock, std::uint64_t wake_ns);

  World& world_;
  const std::uint64_t number_;
  std::vector<Task*> line_;
};

class World::SimRun final : public Scheduling::Run {
 public:
  SimRun(World& world, std::shared_ptr<Ending> ending, std::size_t lane)
      : world_(world), ending_(std::move(ending)), lane_(lane) {}
  void join() override;

 private:
  World& world_;
  std::shared_ptr<Ending> ending_;
  std::size_t lane_;
};

}  // namespace dmremap::sim
