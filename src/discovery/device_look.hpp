// SPDX-License-Identifier: GPL-2.0-or-later
// Reads devices to find out which sets there are and which devices belong to them. Each device is
// opened once, read-only and shared, and everything is read through that descriptor. Several
// devices are read in parallel, because a disk that answers after half a minute must not hold up
// the next one, and one that does not answer at all is left alone. What is learnt becomes values
// (CandidateFacts); the rules that judge them are pure (spare_choice, main_candidates,
// main_choice).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "discovery/device_facts.hpp"
#include "io/file_device.hpp"
#include "metadata/survey.hpp"
#include "os/parallel_tasks.hpp"
#include "os/usage.hpp"

namespace dmremap::discovery {

// Identifies an open device independently of its path: another disk at the same node, or another
// file at the same path, has another instance. Valid within one boot only.
struct DeviceInstance {
  os::Storage storage;
  std::string attachment;  // with the disk sequence number; empty: a file, or an old kernel

  bool operator==(const DeviceInstance&) const = default;
};
// Error io: fstat fails on the open descriptor.
[[nodiscard]] Result<DeviceInstance> instance_of(const io::FileDevice& device);
// The error of a device at `path` that has another instance than one that was looked at before:
// what was learnt of the one says nothing about the other.
[[nodiscard]] Error replaced_device(const std::string& path, const std::string& hint);
// The error of a device that has not answered for as long as it was waited for.
[[nodiscard]] Error silent_device(const std::string& path,
                                  std::chrono::nanoseconds patience = os::kTaskPatience);

// All that was learnt of one device that may belong to a set.
struct CandidateFacts {
  std::string path;                      // absolute
  std::vector<os::Storage> beneath;      // itself first; empty: nothing is there
  std::vector<format::Fact> disk_names;  // that hardware and drivers give its disk
  std::optional<Error> unopened;         // why it could not be opened, or is of no use any more
  bool silent = false;                   // did not answer in time: `unopened` says so
  SectorCount size;                      // zero if it could not be opened
  std::optional<DeviceInstance> instance;
  // These two take reads of the device, so each is gathered only if asked for. Empty if it was not
  // asked for, or the device could not be opened.
  std::optional<Result<metadata::Survey>> survey;
  std::optional<Result<DeviceFacts>> identity;

  // The error because of which there is no survey although one was asked for.
  [[nodiscard]] std::optional<Error> unsurveyed() const;
  [[nodiscard]] bool has_set() const { return survey && *survey && (*survey)->has_set(); }
};

// By absolute path. A device with several names is there several times.
using CandidateMap = std::map<std::string, CandidateFacts>;

// One look at the devices, for one decision: what was learnt is not learnt again. Not thread-safe.
//
// A slow device is waited for, because what it holds may decide. One that does not answer any
// request for `patience` is given up for this look, like one that cannot be opened; the thread that
// hangs in it and its descriptor stay until it answers or the process ends.
class DeviceLook {
 public:
  using Open = std::function<Result<std::unique_ptr<io::FileDevice>>(const std::string& path)>;

  // One that waits for as long as a failing disk may take, or as long as is said here.
  explicit DeviceLook(std::chrono::nanoseconds patience = os::kTaskPatience);
  // For tests with devices that are slow, hang or fail. Several threads call `open` at the same
  // time, and one that hangs may be in it when the look is gone.
  explicit DeviceLook(Open open, std::chrono::nanoseconds patience = os::kTaskPatience)
      : open_(std::move(open)), patience_(patience) {}

  // All paths are absolute. What was done for a path already is not done again. The failure of a
  // device is recorded in its facts and does not end the look.
  void open(const std::vector<std::string>& paths);
  // Gathers what takes no reads. The device that a set is served as is closed again at once, here
  // and after the reads below: its set could not stop while it is open, nor a start clear away what
  // a dead run left, and two starts would wait for each other.
  void measure(const std::vector<std::string>& paths);
  // Does not open again what was surveyed and closed.
  void survey(const std::vector<std::string>& paths);
  void identify(const std::vector<std::string>& paths);

  [[nodiscard]] const CandidateMap& facts() const { return facts_; }
  // The error of the first device that did not answer. What was not found may lie on it.
  [[nodiscard]] std::optional<Error> silent() const;
  // The open device that was read; null if it could not be opened or was closed again (of hundreds
  // of devices not all stay open; open() opens it again). Valid until the next non-const call.
  [[nodiscard]] io::FileDevice* device(const std::string& path) const;

  // Closes all devices; what was learnt stays. While a device is open it cannot be taken down, and
  // two processes that wait for what the other one looks at would wait for each other.
  void close();
  // The same for all but these. A search calls it after each step: the devices that it did not
  // choose belong to others, who may want to take them down.
  void keep_open_only(const std::vector<std::string>& paths);

 private:
  enum class Wanted { descriptor, size, survey, identity };
  // One device while it is read: what is known of it, and its descriptor.
  struct Visit;
  static void look_at(Visit& visit, const Open& open, Wanted wanted);
  void look(const std::vector<std::string>& paths, Wanted wanted);
  void look_at_several(std::span<const std::string> paths, Wanted wanted);

  Open open_;
  std::chrono::nanoseconds patience_;
  CandidateMap facts_;
  std::map<std::string, std::unique_ptr<io::FileDevice>> devices_;
};

}  // namespace dmremap::discovery
