// SPDX-License-Identifier: GPL-2.0-or-later
// A start that takes a set over from the process that serves it, whose users go on: the program of
// an earlier version is replaced by a newer one, and that of the initramfs by the one of the host
// (decision 030).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/runtime_dir.hpp"
#include "daemon/exports.hpp"
#include "daemon/set_daemon.hpp"
#include "os/memory_root.hpp"

namespace dmremap::daemon {

enum class Replaced {
  nobody,           // no process serves the set, and nothing was done
  handed_over,      // the users of the device wait for this process
  ended_by_itself,  // before it had handed the set over: it was stopped, or died
};

struct Replacement {
  Replaced what = Replaced::nobody;
  std::vector<std::string> devices;  // of the set; empty: nobody serves it
  std::string warning;               // for the user; empty if all went as it should
  // SetClaim::chosen_wait_s(), read before anybody waited.
  std::optional<std::uint32_t> boot_wait_s;
  // The root file system lies on the set: the root directory of this process until it serves. Null:
  // it does not.
  std::unique_ptr<os::MemoryRoot> memory_root;
};

// Finds the devices of the set, locks the memory of this process, and has the process that serves
// the set hand its device over and end (SetService::hand_over). Once it has, the users of the
// device wait, and this program and all that it reads may lie on it: what follows must look for no
// devices but those whose paths are returned, must read no file that is not in memory, and must not
// give up. If the root file system lies on the set, no file of it can be reached then, and this
// process survives a shutdown as the other one did. After a process that has ended by itself users
// may wait too, as they do if it was killed. Errors: those of the look for the devices, and of the
// other process, which goes on; not_supported: what holds the root file system cannot be taken over
// like this; timeout: the other process has not said whether it does.
[[nodiscard]] Result<Replacement> take_from_running(const StartOptions& options,
                                                    const control::RuntimeDir& runtime);

// A runtime directory like this one, in which what is known of the set's places is in memory too.
[[nodiscard]] control::RuntimeDir in_memory(const control::RuntimeDir& runtime);

// Makes the exports of another maker, and leaves a root directory in memory when they serve.
class FilesWhenServed final : public ExportMaker {
 public:
  // Both outlive it. Null: there is nothing to leave.
  FilesWhenServed(ExportMaker& maker, os::MemoryRoot* memory_root)
      : maker_(maker), memory_root_(memory_root) {}

  Result<void> prepare(const format::Identity& identity) override {
    return maker_.prepare(identity);
  }
  [[nodiscard]] bool takes_over() const override { return maker_.takes_over(); }
  [[nodiscard]] bool is_served_without_us() const override { return maker_.is_served_without_us(); }
  Result<MainUse> hold_main(const std::string& main) override { return maker_.hold_main(main); }
  Result<std::unique_ptr<Exports>> make(set::RunningSet& set) override;

 private:
  ExportMaker& maker_;
  os::MemoryRoot* memory_root_;
};

}  // namespace dmremap::daemon
