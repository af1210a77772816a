// SPDX-License-Identifier: GPL-2.0-or-later
// Threads, locks, time and randomness of a simulation: one seed decides which thread goes on at
// each step, and what the clock says. Nothing here depends on addresses, on real time or on what
// ran before in the process, so a seed replays exactly.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/scheduling.hpp"
#include "sim/dice.hpp"

namespace dmremap::sim {

class Fiber;

// Nobody can ever go on, a step limit was passed, or a lock was misused. The text names each thread
// and what it waits for.
class WorldFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// How the next thread is chosen. Each finds orders that the others hardly meet.
enum class Style : std::uint8_t {
  uniform,       // any, at every step
  run_to_block,  // the same goes on, mostly, until it must wait
  priorities,    // the highest goes on; now and then it falls to the lowest (Burckhardt et al.: A
                 // randomized scheduler with probabilistic guarantees of finding bugs, 2010)
};
[[nodiscard]] std::string_view name_of(Style style);

// Lives in one thread of the system; every Thread made with it is a fiber. Steps are the taking and
// giving back of locks, waiting, notifying, pauses, starts, ends and joins of threads, and the
// requests of disks.
//
// Outside `run` all of it works as long as nothing has to wait: time just moves on.
class World final : public Scheduling, public Clock {
 public:
  explicit World(std::uint64_t seed);
  World(std::uint64_t seed, Style style);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() override;

  // `body` is the first thread; returns when all have ended. May be called again. Rethrows what a
  // thread threw, or throws WorldFailure: then all threads stay where they are, for ever, what
  // they own leaks, and nothing more can be run.
  void run(std::function<void()> body);

  void sleep(std::chrono::nanoseconds duration);
  // Time goes on and no thread runs meanwhile, as when the process is stopped. No step.
  void stand_still(std::chrono::nanoseconds duration);
  // Also the clock's `monotonic_ns`.
  [[nodiscard]] std::uint64_t time_ns() const { return now_ns_; }
  // Of the calling thread, for the text of a failure.
  void name_thread(std::string name);

  // For identities and salts of what is simulated; schedules draw from another stream.
  [[nodiscard]] Random& random() { return random_; }
  // A stream of its own for each part of the simulation, in the order of asking.
  [[nodiscard]] Dice fork_dice() { return streams_.fork(); }

  [[nodiscard]] Style style() const { return style_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  // Calls `action` once, at that step or the next, in the thread that is there; it may not wait. A
  // later call replaces an earlier one.
  void at_step(std::uint64_t step, std::function<void()> action);
  // A run that passes this step has failed: it goes in circles.
  void set_step_limit(std::uint64_t step);

  // Of all decisions so far. Two runs of a seed have the same.
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_; }
  void trace(std::uint64_t what) { trace_ = (trace_ ^ what) * 0x100000001B3U; }  // FNV-1a

  // One line for each thread.
  [[nodiscard]] std::string threads() const;

  // For waiting that something else can cut short.
  class Bell;
  class Task;
  struct BellDeleter {
    void operator()(Bell* bell) const;
  };
  using BellPtr = std::unique_ptr<Bell, BellDeleter>;
  [[nodiscard]] BellPtr make_bell(std::string_view what);
  // Until then, or until `bell` rings.
  void sleep_until(std::uint64_t time_ns, Bell& bell);
  void ring(Bell& bell);  // no step: usable from `at_step`

  // Scheduling
  [[nodiscard]] std::unique_ptr<Lock> make_lock() override;
  [[nodiscard]] std::unique_ptr<Signal> make_signal() override;
  [[nodiscard]] std::unique_ptr<Run> start(std::function<void()> body) override;
  void pause(std::size_t round) override;
  [[nodiscard]] std::size_t lane() override;
  [[nodiscard]] std::chrono::nanoseconds now() override;
  // Clock
  [[nodiscard]] std::uint64_t wall_ns() override;
  [[nodiscard]] std::uint64_t monotonic_ns() override { return now_ns_; }

 private:
  class SimLock;
  class SimSignal;
  class SimRun;
  struct Ending;

  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  class SeededRandom final : public Random {
   public:
    explicit SeededRandom(Dice dice) : dice_(dice) {}
    std::uint64_t next_u64() override { return dice_.next(); }

   private:
    Dice dice_;
  };

  Task& spawn(std::function<void()> body);
  void live(Task& task);
  void step();
  void wait_in(std::vector<Task*>* line, std::uint64_t wake_ns, std::string_view what,
               std::uint64_t number);
  void wake(Task& task);
  void wake_any(std::vector<Task*>& line);
  void wake_due();
  void go_on();
  [[nodiscard]] Task& choose();
  [[nodiscard]] Task& any(std::uint64_t roll);
  [[nodiscard]] Task& highest(std::uint64_t roll);
  void on_alarm();
  void set_alarm();
  [[noreturn]] void fail(const std::string& why);
  [[noreturn]] void leave();

  std::uint64_t seed_;
  Dice streams_;
  Dice dice_;
  SeededRandom random_;
  Style style_;
  std::uint64_t step_time_mask_;
  std::uint64_t change_mask_;

  std::unique_ptr<Fiber> outside_;
  std::vector<std::unique_ptr<Task>> tasks_;  // by lane; ended ones are used again
  std::vector<Task*> runnable_;               // with the one that runs
  Task* current_ = nullptr;
  std::size_t alive_ = 0;

  std::uint64_t now_ns_ = 0;
  std::uint64_t next_wake_ns_ = kNever;  // no task wakes before it
  std::uint64_t steps_ = 0;
  std::uint64_t alarm_ = kNever;
  std::uint64_t action_step_ = kNever;
  std::uint64_t limit_step_ = kNever;
  std::function<void()> action_;
  std::uint64_t lowest_ = 0;
  std::uint64_t things_ = 0;  // locks and signals so far
  std::uint64_t trace_ = 0xCBF29CE484222325U;
  std::exception_ptr failure_;
  bool failed_ = false;
};

}  // namespace dmremap::sim
