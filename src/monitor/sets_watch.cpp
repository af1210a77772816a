// SPDX-License-Identifier: GPL-2.0-or-later
#include "monitor/sets_watch.hpp"

#include <chrono>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "os/process_end.hpp"

namespace dmremap::monitor {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// A condition may come without an event, and is an event at most 10 s after it could be known.
constexpr seconds kLookEvery{5};
// What happens at the same time is told together.
constexpr milliseconds kSettleTime{300};
constexpr milliseconds kStep{250};
// A start waits for a failing disk, so that this is long.
constexpr seconds kLongestChange{60};
// A process removes its pid file at the end of a stop, and is gone soon after.
constexpr seconds kEndAfterPidFile{10};

}  // namespace

// What the threads share with the watch, and with nobody else: they may outlive it.
struct SetsWatch::Shared {
  Shared(control::RuntimeDir runtime_dir, DeathInWords death_in_words, SetsObserver& who)
      : runtime(std::move(runtime_dir)), death(std::move(death_in_words)), observer(&who) {}

  const control::RuntimeDir runtime;
  const DeathInWords death;
  std::atomic<bool> ended = false;
  std::mutex mutex;        // held while the observer is called
  SetsObserver* observer;  // not to be called once `ended`
};

// Follows one set, also when it is stopped: it may be started again, and its events go on then.
class SetsWatch::Follower {
 public:
  Follower(std::shared_ptr<Shared> shared, std::string name)
      : shared_(std::move(shared)), name_(std::move(name)), stream_(shared_->runtime, name_) {}

  void run() {
    while (!shared_->ended) {
      SetLook look = look_at(shared_->runtime, name_, shared_->death);
      judge_change(look);
      judge_end(look);
      if (look.report && look.report->pid) pid_ = static_cast<pid_t>(*look.report->pid);
      look.events = std::exchange(events_, {});
      const Presence presence = look.presence;
      tell([&](SetsObserver& observer) { observer.on_look(look); });
      if (presence == Presence::stopped) pid_ = 0;
      wait_for_next(presence);
    }
  }

 private:
  template <typename Call>
  void tell(const Call& call) {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->ended) call(*shared_->observer);
  }

  // One that is being started or stopped for too long is one that does not answer.
  void judge_change(SetLook& look) {
    if (look.presence != Presence::changing) {
      changing_since_.reset();
      return;
    }
    if (!changing_since_) changing_since_ = steady_clock::now();
    if (steady_clock::now() - *changing_since_ > kLongestChange) look.presence = Presence::silent;
  }

  // A set without a pid file was stopped, if its process ends as well.
  void judge_end(SetLook& look) {
    if (look.presence != Presence::stopped || pid_ == 0) return;
    if (os::ProcessEnd(pid_).wait(kEndAfterPidFile)) return;
    look.presence = Presence::vanished;
    look.reason = "its files in " + shared_->runtime.path() + " are gone, and its process runs on";
  }

  // Until there is something to look at, or the time for the next look has come.
  void wait_for_next(Presence presence) {
    const auto until = steady_clock::now() + kLookEvery;
    while (!shared_->ended && steady_clock::now() < until) {
      if (presence != Presence::serving) {
        std::this_thread::sleep_for(kStep);
        if (is_worth_a_look(presence)) return;
        continue;
      }
      auto batch = stream_.next(kStep);
      if (!batch) {
        std::this_thread::sleep_for(kStep);
        return;
      }
      if (batch->events.empty()) continue;
      take(std::move(*batch));
      if (!events_.empty()) return take_what_comes_with_it();
    }
  }

  // What can be seen without asking the process.
  [[nodiscard]] bool is_worth_a_look(Presence presence) const {
    if (presence == Presence::changing) return true;
    const bool runs = control::holder_of(shared_->runtime.pid_file(name_)).has_value();
    return runs != (presence == Presence::silent);
  }

  void take(EventBatch batch) {
    tell([&](SetsObserver& observer) { observer.on_events(name_, batch); });
    if (batch.is_history) return;
    for (control::EventReport& event : batch.events) events_.push_back(std::move(event));
  }

  void take_what_comes_with_it() {
    const auto until = steady_clock::now() + kSettleTime;
    while (steady_clock::now() < until) {
      auto batch = stream_.next(kSettleTime);
      if (!batch) return;
      if (!batch->events.empty()) take(std::move(*batch));
    }
  }

  const std::shared_ptr<Shared> shared_;
  const std::string name_;
  EventStream stream_;
  std::vector<control::EventReport> events_;  // since the last look
  std::optional<steady_clock::time_point> changing_since_;
  pid_t pid_ = 0;  // of the process that answered last
};

SetsWatch::SetsWatch(control::RuntimeDir runtime, DeathInWords death, SetsObserver& observer)
    : shared_(std::make_shared<Shared>(std::move(runtime), std::move(death), observer)) {}

SetsWatch::~SetsWatch() {
  shared_->ended = true;
  // A call that was begun is waited for.
  const std::lock_guard lock(shared_->mutex);
}

void SetsWatch::find_sets() {
  std::erase_if(done_by_name_, [](const auto& entry) { return entry.second->load(); });
  for (const std::string& name : shared_->runtime.names()) {
    if (done_by_name_.contains(name)) continue;
    auto done = std::make_shared<std::atomic<bool>>(false);
    try {
      std::thread([shared = shared_, name, done] {
        try {
          Follower(shared, name).run();
        } catch (const std::exception& error) {
          log(Severity::error, name + " is watched no more for a moment: " + error.what());
        }
        done->store(true);
      }).detach();
    } catch (const std::system_error& error) {
      log(Severity::warning, name + ": no thread to watch it: " + error.what());
      continue;  // the next call tries again
    }
    done_by_name_.emplace(name, std::move(done));
  }
}

}  // namespace dmremap::monitor
