// SPDX-License-Identifier: GPL-2.0-or-later
// The ublk front end: a set as /dev/ublkbN, whose requests outlive the process. When it dies the
// kernel keeps them, and the next process takes the device over and gets them again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "frontend/stable_links.hpp"
#include "frontend/ublk/disk_requests.hpp"
#include "remap/disk.hpp"
#include "ublk/control.hpp"
#include "ublk/server.hpp"

namespace dmremap::frontend {

// The number that the kernel keeps with each device of this set (ublk::DeviceInfo::owner).
[[nodiscard]] std::uint64_t owner_number(const Uuid& set);

struct UblkOptions {
  ublk::DiskParameters shape;
  std::uint64_t owner = 0;
  std::string stable_link;  // empty: none
  // Of all front ends of the disk; null: there is no other.
  std::shared_ptr<WriteGate> gate{};
};

// Used by one thread, but for what says otherwise.
class UblkFrontend final : private ublk::Handler {
 public:
  // Serves before it returns. `disk` outlives this.
  static Result<std::unique_ptr<UblkFrontend>> start(remap::Disk& disk, const UblkOptions& options);
  // The same with a device whose server has died. All that the dead process asked of main must have
  // ended, which holding main exclusively shows; the engine must have begun with what that left to
  // flush. Error usage: the device is not as options.shape wants it; it stays as it is.
  static Result<std::unique_ptr<UblkFrontend>> take_over(remap::Disk& disk,
                                                         const UblkOptions& options,
                                                         const ublk::DeviceInfo& device);
  // Removes the device if it is not in use; else leaves it as a killed process does.
  ~UblkFrontend();
  UblkFrontend(const UblkFrontend&) = delete;
  UblkFrontend& operator=(const UblkFrontend&) = delete;

  [[nodiscard]] std::string node() const { return server_->path(); }
  [[nodiscard]] const std::string& stable() const { return links_->path(); }  // empty: none
  void follow_partitions() { links_->follow_partitions(); }

  // Fails as stop() would if the device is in use now.
  [[nodiscard]] Result<void> check_unused() const;
  // Writes back the page cache of the device and removes it. Fails with device_in_use, naming the
  // users, and then all goes on. If the cache could not be written back, unsaved() says so
  // afterwards.
  Result<void> stop();
  [[nodiscard]] const std::optional<Error>& unsaved() const { return unsaved_; }
  // Answers what is under way, begins nothing more, and leaves the device to the next process: its
  // users wait in the kernel meanwhile. Error timeout: a device below does not answer, or
  // `is_wanted`, which is asked last of all, says no; all goes on then.
  Result<void> hand_over(const std::function<bool()>& is_wanted);
  // Answers what is under way, and begins no more that would change the disk: what would is kept
  // back for good. `record` is done meanwhile. A stop() afterwards fails with device_in_use if
  // something is kept. Errors: timeout, and those of `record`; then all goes on.
  Result<void> hold_changes(const std::function<Result<void>()>& record);
  // True once somebody else has stopped the device.
  [[nodiscard]] bool ended() const;

 private:
  // The answers to the requests of one slot.
  class SlotReply final : public Reply {
   public:
    void answer(int error) override { request_->answer(error); }
    ublk::BufferPool::Lease answer_early(int error) override {
      return request_->answer_early(error);
    }
    // A slot has the same object of the queue at all times.
    void set(ublk::Request& request) {
      if (request_ != &request) request_ = &request;
    }

   private:
    ublk::Request* request_ = nullptr;
  };

  UblkFrontend(remap::Disk& disk, const UblkOptions& options, unsigned slots, bool taken_over);
  ublk::Step begin(ublk::Request& request) override;
  ublk::Step direct_done(ublk::Request* request, void* cookie, int error) override;
  void flush_told(std::uint32_t slot) override { requests_.flush_told(slot); }
  // Does `act` once nobody uses the device, and again if it finds that somebody does. Errors: those
  // of `act`; device_in_use.
  Result<void> when_unused(const std::function<Result<void>()>& act) const;
  Result<void> stop_unused();
  [[nodiscard]] Result<void> check_none_kept() const;
  void note_unsaved(const Error& error);
  void end();
  void end_server();

  std::vector<SlotReply> replies_;
  DiskRequests requests_;
  std::unique_ptr<ublk::Server> server_;  // ends first; null once stopped
  std::unique_ptr<StableLinks> links_;
  std::string node_;
  bool keeps_changes_ = false;  // hold_changes() has succeeded
  std::optional<Error> unsaved_;
};

// What to do with the device that a dead run of this set left, before anything of the set is
// touched.
struct LeftDevice {
  std::optional<ublk::DeviceInfo> to_take_over;  // nothing: there is none
};
// Finds it. One without a disk, from a process that died while it made it, is removed. If
// `is_wanted`, a quiesced one is to be taken over; else it is removed if it is not in use. Errors:
// leftovers_in_use names its users; device_in_use: a live process serves it. Where this process may
// not ask, there is none.
[[nodiscard]] Result<LeftDevice> find_left_device(std::uint64_t owner, bool is_wanted);

}  // namespace dmremap::frontend
