// SPDX-License-Identifier: GPL-2.0-or-later
// What a running set does when it is asked to over its control socket: one handler a request
// (control/messages.hpp).
#pragma once

#include <atomic>
#include <memory>
#include <shared_mutex>
#include <string>

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
             std::string warning);

  // They use this object.
  [[nodiscard]] control::Handlers handlers();

  // Ends the set, or refuses with device_in_use, naming who, and changes nothing. Else what the
  // first stop came to.
  Result<void> stop();
  // Readable once stopped.
  [[nodiscard]] int stopped_fd() const { return stopped_fd_.get(); }
  // Nothing is served any more though nobody stopped it.
  [[nodiscard]] bool cut_off() const;
  // What the one who started the set is told.
  [[nodiscard]] control::StartReport start_report() const;

 private:
  control::SetReport status() const;
  bool follow_events(const control::EventsRequest& request, control::Call& call);
  Result<control::RemapReply> remap(const control::RemapRequest& request,
                                    const control::Call& call);
  Result<control::UnremapReply> unremap(const control::UnremapRequest& request,
                                        const control::Call& call);
  Result<control::MarkReply> mark(const control::MarkRequest& request);
  Result<control::BackfillReply> backfill(const control::BackfillRequest& request,
                                          const control::Call& call);
  Result<control::SettleReply> settle();
  Result<control::DoneReply> note_copy(const control::CopiedRequest& request);
  Result<control::DiskMap> disk_map() const;

  // Work by hand on a range, one step after the other, each under the lock.
  template <typename Step>
  Result<void> in_steps(SectorRange range, SectorCount largest, const control::Call& call,
                        const Step& step);
  // Both require the lock.
  [[nodiscard]] Result<void> check_running() const;
  // By hand, to these sectors.
  [[nodiscard]] Result<void> check_change(SectorRange range) const;

  mutable std::shared_mutex mutex_;
  std::atomic<unsigned> stops_asked_{0};  // that wait for the lock, or have it
  std::unique_ptr<set::RunningSet> set_;
  std::unique_ptr<Exports> exports_;  // ends before the set
  const std::string warning_;         // what its user should know; empty: nothing
  FileDescriptor stopped_fd_;
  bool stopped_ = false;
  Result<void> outcome_;
  control::SetReport last_status_;
};

}  // namespace dmremap::daemon
