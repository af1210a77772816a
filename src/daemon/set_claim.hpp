// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps this host's claim of a set in step with a run of it. The claim says "served" from before
// anything is served until a clean stop, so that whatever ends the run, bare main stays hidden
// while the spare may hold newer data.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <unistd.h>

#include "claims/claim_store.hpp"
#include "discovery/assembly.hpp"
#include "os/root_storage.hpp"
#include "set/running_set.hpp"

namespace dmremap::daemon {

// Thread-safe.
class SetClaim {
 public:
  explicit SetClaim(std::string directory) : store_(std::move(directory)) {}

  // What a user has chosen for how long a boot waits, and no start has recorded yet.
  [[nodiscard]] std::optional<std::uint32_t> chosen_wait_s(const discovery::Members& members) const;
  // Claims the set as one that is served; call it before it is. Nothing is done for a set that was
  // started read-only, which changes nothing anywhere. A claim that cannot be written does not keep
  // the set from being served. Returns what the user must know, one line each.
  [[nodiscard]] std::vector<std::string> begin(const discovery::Members& members,
                                               const set::RunningSet& set);
  // Call it each second or so while the set is served: now and then it asks udev's database by
  // which links the set's device, its partitions and what is stacked on them are there, and writes
  // the claim anew if there are more. Nothing is read from a device. Does nothing unless begin()
  // wrote the claim, nor in a process that serves the root file system or began in an initramfs:
  // the claim may lie on the set, which may be about to stop, or to be handed over by a process
  // that could not end while it waits for the file.
  void look_at_links();
  // The set was stopped cleanly, and main lacks the newest data of so many sectors. Of the links
  // those stay that were there in this run. Does nothing unless begin() wrote the claim, nor when
  // called again. A failure is logged: the claim then goes on hiding main.
  void end(std::uint64_t sectors_elsewhere);

 private:
  // The claim as it is to be written now, for a user may have enabled or forgotten the set
  // meanwhile. False: it is not there any more. Requires the lock.
  bool follow_user();

  const claims::ClaimStore store_;
  std::mutex mutex_;
  claims::Claim claim_;
  // In this run, at any time: a logical volume may be gone long before the set is stopped.
  std::set<std::string> links_seen_;
  bool is_written_ = false;
  const bool follows_links_ = !os::is_initramfs() && !os::survives_shutdown(::getpid());
  std::chrono::steady_clock::time_point looked_at_ = std::chrono::steady_clock::now();
};

}  // namespace dmremap::daemon
