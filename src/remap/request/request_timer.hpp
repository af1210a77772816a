// SPDX-License-Identifier: GPL-2.0-or-later
// The deadline of a request that a device does not answer.
//
// A thread that waits for a device cannot be called back, and a buffer that was given to it cannot
// be taken away. So somebody else tells the caller that the request failed, and the thread, the
// buffer and the request's pin stay with the device until it answers, be it a minute later.
//
// A read is over with that. A write is on its way still, and may be the last to reach the disk. Its
// range is overdue from before its caller is told (table/snapshot.hpp), until the device answers:
//
//   later writes of the range   go to another place on the spare, through the remapper
//   the write itself            is not remapped any more, whatever the device says of it in the end
//   all who settle sectors      unremap, healing, relocation: do not begin there
//   (quiesced_range.hpp) re-arming, and stop         wait, and say so
//
// What the remapper took of a write before it was overdue it finishes: what comes later is behind
// it in the same queue.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/scheduling.hpp"
#include "base/units.hpp"
#include "remap/disk.hpp"

namespace dmremap::remap {

class DataPath;
class RequestTimeouts;

// Who waits for a request.
class TimedCaller {
 public:
  // The deadline has passed, and a device still has the request: its user may be told that it
  // failed. Must not throw, wait or call the disk.
  virtual void expire() = 0;

 protected:
  ~TimedCaller() = default;
};

// Of one request at a time, from begin() to claim(). A front end has one for each thread that waits
// for the disk, or for each tag of a ring. Its functions belong to whoever has the request.
class RequestTimer {
 public:
  // `disk` outlives this.
  explicit RequestTimer(Disk& disk);
  ~RequestTimer();
  RequestTimer(const RequestTimer&) = delete;
  RequestTimer& operator=(const RequestTimer&) = delete;

  // From now on `caller` is told by expire(), once, if the request is not claimed by its deadline.
  // `changed`: what the request may write, in whole logical blocks; empty for reads and flushes.
  // `caller` lives until claim().
  void begin(SectorRange changed, TimedCaller& caller);
  // Call when nothing of the request is under way any more, and before it is answered. True: the
  // answer is yours, and expire() will not come. False: it has come, and has returned. A second
  // call gives the same answer.
  [[nodiscard]] bool claim();
  // A part of a long request is done: its deadline is that of the next part from now on. False: its
  // caller was told that it failed.
  [[nodiscard]] bool renew();
  // Its caller was told that it failed. For steps of the request that must not be taken then.
  [[nodiscard]] bool expired() const { return (state_.load() & kPhase) == kExpired; }

  // The same of a request that may have none: it has all the time that its device takes.
  [[nodiscard]] static bool claim(RequestTimer* timer) {
    return timer == nullptr || timer->claim();
  }
  [[nodiscard]] static bool renew(RequestTimer* timer) {
    return timer == nullptr || timer->renew();
  }
  [[nodiscard]] static bool expired(const RequestTimer* timer) {
    return timer != nullptr && timer->expired();
  }

 private:
  friend class RequestTimeouts;
  // The phase, and above it the number of the request.
  static constexpr std::uint64_t kPhase = 3;
  static constexpr std::uint64_t kClaimed = 0;
  static constexpr std::uint64_t kRunning = 1;
  static constexpr std::uint64_t kExpired = 2;
  static constexpr std::uint64_t kOver = 3;  // expired, and the device has answered

  Disk& disk_;
  RequestTimeouts* timeouts_ = nullptr;
  std::atomic<std::uint64_t> state_{kClaimed};
  SectorRange changed_;
  TimedCaller* caller_ = nullptr;
  // As the last look found it.
  std::uint64_t seen_state_ = kClaimed;
  std::uint64_t seen_ns_ = 0;
};

// Looks at all timers from time to time, in a thread of its own, so that a request costs no look at
// the clock. A request expires when it has been seen for as long as its deadline: by one interval
// later than it could. Thread-safe.
class RequestTimeouts {
 public:
  static constexpr std::chrono::milliseconds kInterval{500};

  // `path` outlives this.
  explicit RequestTimeouts(DataPath& path);
  ~RequestTimeouts();
  RequestTimeouts(const RequestTimeouts&) = delete;
  RequestTimeouts& operator=(const RequestTimeouts&) = delete;

  void add(RequestTimer& timer);
  void remove(RequestTimer& timer);
  // Of a request that has expired, and that its device has answered now.
  void end(RequestTimer& timer);

  // Requests whose callers were told, and that a device has still not answered.
  [[nodiscard]] std::size_t overdue() const { return overdue_.load(); }

  // Ends the thread. Nothing expires any more.
  void stop();

 private:
  void loop();
  // What the first of those that expired now would have changed; nothing: none has.
  std::optional<SectorRange> look_locked();
  bool expire_locked(RequestTimer& timer);

  DataPath& path_;
  Mutex mutex_;
  Condition wake_;
  std::vector<RequestTimer*> timers_;
  std::atomic<std::size_t> overdue_{0};
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace dmremap::remap
