// SPDX-License-Identifier: GPL-2.0-or-later
// Answers requests over the control socket of a running set: one handler a request
// (control/messages.hpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "control/messages.hpp"
#include "control/server.hpp"
#include "daemon/exports.hpp"
#include "set/running_set.hpp"

namespace dmremap::daemon {

// A set and its exports. Thread-safe: the control socket's threads and the main thread use it.
class SetService {
 public:
  SetService(std::unique_ptr<set::RunningSet> set, std::unique_ptr<Exports> exports,
             std::vector<std::string> warnings);

  // The handlers refer to this object.
  [[nodiscard]] control::Handlers handlers();

  // Stops the set. If it is in use, it fails with device_in_use, naming the users, and changes
  // nothing. Later calls return the result of the first stop.
  Result<void> stop(ConnectedClients clients);
  // Ends the set, and leaves its device with its users to the next process (Exports::hand_over).
  // `is_wanted`: whether somebody still waits to take it; asked until the device is left. After an
  // error all goes on.
  Result<void> hand_over(const std::function<bool()>& is_wanted);
  // True after the one above.
  [[nodiscard]] bool is_handed_over() const;
  // As control::PowerOffRequest says.
  Result<void> prepare_power_off();
  // Readable once stopped.
  [[nodiscard]] int stopped_fd() const { return stopped_fd_.get(); }
  // Tells the set what of its exports does not work: call it every second. True once nothing is
  // served any more although stop() was not called.
  [[nodiscard]] bool look_at_exports();
  // Requests were given up, and a device still has them: a stop is refused until it has answered.
  [[nodiscard]] bool waits_for_device() const;
  // After a stop: the sectors whose newest data main does not have.
  [[nodiscard]] std::uint64_t sectors_elsewhere() const;
  // The report for the process that started the set.
  [[nodiscard]] control::StartReport start_report() const;

 private:
  control::SetReport status() const;
  bool follow_events(const control::EventsRequest& request, control::Call& call);
  Result<control::RemapReply> remap(const control::RemapRequest& request,
                                    const control::Call& call);
  Result<control::UnremapReply> unremap(const control::UnremapRequest& request,
                                        const control::Call& call);
  bool retry(const control::RetryRequest& request, control::Call& call);
  Result<control::MarkReply> mark(const control::MarkRequest& request);
  Result<control::BackfillReply> backfill(const control::BackfillRequest& request,
                                          const control::Call& call);
  Result<control::SpareGrowReply> grow_spare(const control::SpareGrowRequest& request);
  Result<control::ScrubReply> scrub(const control::ScrubRequest& request);
  Result<control::SettleReply> settle();
  Result<control::DoneReply> note_copy(const control::CopiedRequest& request);
  Result<control::HistoryReply> disk_history() const;
  Result<control::DiskMap> disk_map() const;

  // Does work by hand on a range, one step after the other, each under the lock.
  template <typename Step>
  Result<void> in_steps(SectorRange range, SectorCount largest, const control::Call& call,
                        const Step& step);
  // They require the lock.
  void end(Result<void> outcome);
  [[nodiscard]] Result<void> check_overdue() const;
  [[nodiscard]] Result<void> check_running() const;
  // Checks that something may be recorded: that it runs, and its clean stop is not recorded yet.
  [[nodiscard]] Result<void> check_recording() const;
  // Checks that a change by hand to these sectors is possible.
  [[nodiscard]] Result<void> check_change(SectorRange range) const;

  mutable std::shared_mutex mutex_;
  std::atomic<unsigned> stops_asked_{0};  // calls of stop() that wait for the lock or have it
  std::unique_ptr<set::RunningSet> set_;
  std::unique_ptr<Exports> exports_;         // ends before the set
  const std::vector<std::string> warnings_;  // for whoever starts the set
  FileDescriptor stopped_fd_;
  bool stopped_ = false;
  bool handed_over_ = false;
  bool is_powered_off_ = false;
  Result<void> outcome_;
  control::SetReport last_status_;
};

}  // namespace dmremap::daemon
