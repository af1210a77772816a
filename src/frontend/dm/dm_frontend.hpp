// SPDX-License-Identifier: GPL-2.0-or-later
// A set by the kernel target: the device NAME of set_mappers.hpp, whose engine device is the set's
// ublk device. When the process dies, requests to clear regions go on; the others wait for the next
// process in the ublk device.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "frontend/dm/set_mappers.hpp"
#include "frontend/dm/target_partitions.hpp"
#include "frontend/dm/target_regions.hpp"
#include "frontend/stable_links.hpp"
#include "remap/admin.hpp"
#include "remap/disk.hpp"

namespace dmremap::dm {

struct DmOptions {
  SetMappers names;
  std::string main;         // a block device
  std::string engine_node;  // of ublk
  std::string stable_link;  // empty: none
};

// Attaches `regions` to the target that a dead run left. Its table must be over `main` and the
// engine device at `engine_node`, or over what is gone: then it reaches what is not main, and is
// exchanged when it is taken over. Do it before the engine begins: what is clear there is in use.
// `engine_node` is empty if no engine device was left.
[[nodiscard]] Result<void> attach_left_target(TargetRegions& regions, const DmOptions& options);

// What a target whose engine died let through, and should not have: sectors of these extents that
// lie in clear regions. They are withheld from now on.
[[nodiscard]] std::vector<SectorRange> withhold_known(TargetRegions& regions,
                                                      const std::vector<format::Extent>& extents);

// Used by one thread.
class DmFrontend final {
 public:
  // Makes the target, with all regions marked, and begins to clear what is clean. `disk`, `admin`
  // and `regions` outlive this; the engine device is served.
  static Result<std::unique_ptr<DmFrontend>> start(remap::Disk& disk, remap::Admin& admin,
                                                   TargetRegions& regions,
                                                   const DmOptions& options);
  // Goes on with the one that `regions` is attached to. Where that is over what is gone, the engine
  // leads it to main and the engine device when it looks for main next, and its users notice
  // nothing: this waits for that, but not for long.
  static Result<std::unique_ptr<DmFrontend>> take_over(remap::Disk& disk, remap::Admin& admin,
                                                       TargetRegions& regions,
                                                       const DmOptions& options);
  // Removes the target if it is not in use; else leaves it as a killed process does.
  ~DmFrontend();
  DmFrontend(const DmFrontend&) = delete;
  DmFrontend& operator=(const DmFrontend&) = delete;

  [[nodiscard]] const std::string& node() const { return node_; }
  [[nodiscard]] const std::string& stable() const { return links_.path(); }  // empty: none

  // Fails as stop() would if the device is in use now.
  [[nodiscard]] Result<void> check_unused() const;
  // Writes back the page cache of the device, flushes main while it can be told what is dirty, and
  // removes the target. Fails with device_in_use, naming the users, and then all goes on.
  Result<void> stop();
  // As the engine device before is gone, users' requests go to the one at `node` within seconds,
  // when the engine looks for main next.
  void lead_to_engine(const std::string& node);
  // The target is there no more, whoever removed it.
  [[nodiscard]] bool is_removed() const;
  [[nodiscard]] bool is_in_use() const;
  // What users have asked of the device since this began, whichever way it went.
  struct UserRequests {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
  };
  [[nodiscard]] UserRequests user_requests() const;
  [[nodiscard]] const std::optional<Error>& unsaved() const { return unsaved_; }

 private:
  DmFrontend(remap::Disk& disk, remap::Admin& admin, TargetRegions& regions,
             const DmOptions& options, std::string node);
  // Since the device was made.
  [[nodiscard]] UserRequests all_requests() const;
  void save();
  Result<void> remove_unused();
  void make_partitions();

  remap::Disk& disk_;
  TargetRegions& regions_;
  const SetMappers names_;
  const std::string node_;
  frontend::StableLinks links_;
  std::optional<Error> unsaved_;
  // Of those who suspend the target; shared with the exchange, which may outlive this.
  struct Suspending {
    std::mutex mutex;
    bool is_over = false;  // the target is removed, or left to the next process
    std::string engine_node;
  };
  std::shared_ptr<Suspending> suspending_ = std::make_shared<Suspending>();
  bool stopped_ = false;
  UserRequests before_;
  std::unique_ptr<TargetPartitions> partitions_;  // ends first
};

}  // namespace dmremap::dm
