// SPDX-License-Identifier: GPL-2.0-or-later
// `simulate`: lives of a set by the thousand, each decided by its seed, in as many threads as the
// machine has. A seed that breaks a promise, or crashes, is named, and replays exactly.
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "sim/lives/simulation.hpp"

namespace {

using namespace dmremap::sim;
using Clock = std::chrono::steady_clock;

struct Options {
  std::uint64_t first = 1;
  std::uint64_t seeds = 1'000;
  double seconds = 0;  // 0: as long as it takes
  std::uint64_t requests = 0;
  std::uint64_t crashes = 0;
  unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  bool complete = false;
  bool canary = false;
  bool talk = false;
};

// Every so many seeds one runs twice: it must be the same life.
constexpr std::uint64_t kTwiceOneIn = 64;

thread_local std::uint64_t current_seed = 0;

// What is not async-signal-safe stays out of here.
void name_the_seed(int signal) {
  constexpr std::string_view kText = "\ncrashed in seed ";
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end() - 1, current_seed).ptr;
  *end = '\n';
  (void)!write(STDERR_FILENO, kText.data(), kText.size());
  (void)!write(STDERR_FILENO, digits.data(), static_cast<std::size_t>(end + 1 - digits.begin()));
  std::signal(signal, SIG_DFL);
  (void)std::raise(signal);
}

class Runs {
 public:
  explicit Runs(const Options& options) : options_(options), next_(options.first) {}

  void work() {
    while (!over_) {
      const std::uint64_t seed = next_.fetch_add(1);
      if (seed >= options_.first + options_.seeds) return;
      current_seed = seed;
      Verdict verdict = simulate(seed, options_.talk);
      if (verdict.failure.empty() && seed % kTwiceOneIn == 0 && !options_.canary) {
        const Verdict again = simulate(seed);
        if (again.trace != verdict.trace) verdict.failure = "a second run went another way";
      }
      add(seed, verdict);
    }
  }

  [[nodiscard]] const Report& report() const { return report_; }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::uint64_t failed_seed() const { return failed_seed_; }
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }

 private:
  void add(std::uint64_t seed, const Verdict& verdict) {
    const std::lock_guard lock(mutex_);
    report_ += verdict.report;
    if (!verdict.failure.empty() && (failure_.empty() || seed < failed_seed_)) {
      failure_ = verdict.failure;
      failed_seed_ = seed;
    }
    const bool counted = options_.requests + options_.crashes > 0 &&
                         report_.requests() >= options_.requests &&
                         report_.crashes() >= options_.crashes;
    const bool late = options_.seconds > 0 && seconds() > options_.seconds;
    if (!failure_.empty() || counted || late) over_ = true;
  }

  const Options options_;
  const Clock::time_point start_ = Clock::now();
  std::atomic<std::uint64_t> next_;
  std::atomic<bool> over_{false};
  std::mutex mutex_;
  Report report_;
  std::string failure_;
  std::uint64_t failed_seed_ = 0;
};

// A trap was put back: it must be found.
int tell_canary(const Runs& runs) {
  if (runs.failure().empty()) {
    fmt::print("not caught in {} seeds, {} requests\n", runs.report().seeds,
               runs.report().requests());
    return 1;
  }
  fmt::print("caught after {} seeds, {} requests: {}\n", runs.report().seeds,
             runs.report().requests(), runs.failure());
  return 0;
}

int tell(const Runs& runs, bool complete) {
  if (!runs.failure().empty()) {
    fmt::print("seed {} of commit {}: {}\n", runs.failed_seed(), DMREMAP_COMMIT, runs.failure());
    fmt::print("again, with all that happens: simulate --seed {} --seeds 1 --talk\n",
               runs.failed_seed());
    return 1;
  }
  fmt::print("{}commit {}, {:.0f} s\n", runs.report().text(), DMREMAP_COMMIT, runs.seconds());
  const std::vector<std::string> missing = runs.report().missing();
  for (const std::string& thing : missing) fmt::print("never: {}\n", thing);
  return complete && !missing.empty() ? 1 : 0;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app{"Simulated lives of a set, each decided by its seed"};
  app.add_option("--seed", options.first, "the first seed");
  app.add_option("--seeds", options.seeds, "how many at most");
  app.add_option("--seconds", options.seconds, "no new seed after so long");
  app.add_option("--requests", options.requests, "until there were so many");
  app.add_option("--crashes", options.crashes, "and so many");
  app.add_option("--threads", options.threads, "how many seeds at a time");
  app.add_flag("--complete", options.complete, "fail if something never happened");
  app.add_flag("--canary", options.canary, "fail if no promise is broken");
  app.add_flag("--talk", options.talk, "say what happens");
  CLI11_PARSE(app, argc, argv);
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    // A canary may well crash: also that is noticed.
    if (!options.canary) std::signal(signal, name_the_seed);
  }
  Runs runs(options);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < options.threads; ++i) threads.emplace_back([&runs] { runs.work(); });
  for (std::thread& thread : threads) thread.join();
  return options.canary ? tell_canary(runs) : tell(runs, options.complete);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "simulate: %s\n", error.what());
    return 1;
  }
}
