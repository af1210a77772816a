// SPDX-License-Identifier: GPL-2.0-or-later
// The shell that looks at devices for those who ask which sets there are. Each device is opened
// once, read-only and shared, and everything is read through that descriptor, of several devices in
// parallel: a disk that answers after half a minute must not hold up the next one. What is learnt
// are values; the rules that judge them are pure (spare_choice, main_candidates, main_choice).
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "discovery/device_facts.hpp"
#include "io/file_device.hpp"
#include "metadata/survey.hpp"
#include "os/usage.hpp"

namespace dmremap::discovery {

// Which device it is that was opened, whatever it is called: another disk at the same node, or
// another file at the same path, has another one. Of this boot alone.
struct DeviceInstance {
  os::Storage storage;
  std::string attachment;  // with the disk sequence number; empty: a file, or an old kernel

  bool operator==(const DeviceInstance&) const = default;
};
// Error io: not even the descriptor answers.
[[nodiscard]] Result<DeviceInstance> instance_of(const io::FileDevice& device);

struct CandidateFacts {
  std::string path;                      // absolute
  std::vector<os::Storage> beneath;      // itself first; empty: nothing is there
  std::vector<format::Fact> disk_names;  // that hardware and drivers give its disk
  std::optional<Error> unopened;         // why it could not be opened
  SectorCount size;                      // of one that could
  std::optional<DeviceInstance> instance;
  // What had to be read of it, each asked for apart. None: not asked for, or it was not opened.
  std::optional<Result<metadata::Survey>> survey;
  std::optional<Result<DeviceFacts>> identity;

  // Why there is no survey, where one was asked for.
  [[nodiscard]] std::optional<Error> unsurveyed() const;
  [[nodiscard]] bool has_set() const { return survey && *survey && (*survey)->has_set(); }
};

// By absolute path. A device with several names is there several times.
using CandidateMap = std::map<std::string, CandidateFacts>;

// One look, for one decision: what was learnt is not learnt again. One thread.
//
// There is no deadline: the slowest device is waited for, because what it holds may decide.
class DeviceLook {
 public:
  using Open = std::function<Result<std::unique_ptr<io::FileDevice>>(const std::string& path)>;

  DeviceLook();
  // For tests: devices that are slow, or fail. `open` is called by several threads.
  explicit DeviceLook(Open open) : open_(std::move(open)) {}

  // Each path is absolute, and what was done for it already is not done again. A device that fails
  // becomes a fact.
  void open(const std::vector<std::string>& paths);
  void survey(const std::vector<std::string>& paths);
  void identify(const std::vector<std::string>& paths);

  [[nodiscard]] const CandidateMap& facts() const { return facts_; }
  // The descriptor that was read through; null: not open, or no longer (of hundreds of devices not
  // all stay open; open() opens it again). Valid until the next call that is not const.
  [[nodiscard]] io::FileDevice* device(const std::string& path) const;

  // A loop device that is open cannot be taken down, and a device cannot be waited for. What was
  // learnt stays.
  void close();
  // Those that show this file.
  void close_views_of(const std::string& file);

 private:
  enum class Wanted { nothing, survey, identity };
  void look(const std::vector<std::string>& paths, Wanted wanted);
  void look_at(CandidateFacts& facts, std::unique_ptr<io::FileDevice>& device, Wanted wanted) const;

  Open open_;
  CandidateMap facts_;
  std::map<std::string, std::unique_ptr<io::FileDevice>> devices_;
};

}  // namespace dmremap::discovery
