// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/device_look.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include "discovery/file_names.hpp"
#include "discovery/hardware_names.hpp"
#include "os/mount_point.hpp"
#include "os/mount_table.hpp"
#include "os/path.hpp"
#include "os/sysfs.hpp"
#include "ublk/control.hpp"

namespace dmremap::discovery {

namespace {

// At most this many devices stay open. Each takes a descriptor or two, and a process may have 1024.
constexpr std::size_t kStayOpen = 200;

// A look must not disturb: the device may be in use by others, so it is neither held nor writable.
Result<std::unique_ptr<io::FileDevice>> open_to_look(const std::string& path) {
  return io::FileDevice::open(path, {io::Access::read_only, io::Holding::shared});
}

// True for the device of a set that runs, or that died: a loop device over its file, or one of
// ublk, also if another program serves that.
bool is_export(const os::Storage& storage) {
  if (!storage.is_block_device()) return false;
  const std::filesystem::path directory = os::canonical(os::sysfs_directory_of(storage.device));
  if (ublk::block_number(directory.filename().string())) return true;
  const auto view = os::loop_backing(storage.device);
  return view && os::is_set_file(view->path);
}

}  // namespace

Result<DeviceInstance> instance_of(const io::FileDevice& device) {
  struct stat st {};
  if (::fstat(device.fd(), &st) != 0) return fail_errno(errno, "look at", device.path());
  if (!device.is_block_device()) return DeviceInstance{{st.st_dev, st.st_ino}, {}};
  return DeviceInstance{{st.st_rdev, 0}, attachment_of_disk(device.fd())};
}

Error replaced_device(const std::string& path, const std::string& hint) {
  return {ErrorCode::missing_device, "is another device than it was a moment ago", path, hint};
}

Error silent_device(const std::string& path, std::chrono::nanoseconds patience) {
  return {ErrorCode::missing_device,
          fmt::format("did not answer within {:.3g} s",
                      std::chrono::duration<double>(patience).count()),
          path, "unplug it, or try again when it answers"};
}

std::optional<Error> CandidateFacts::unsurveyed() const {
  if (unopened) return unopened;
  return survey && !*survey ? std::optional(survey->error()) : std::nullopt;
}

DeviceLook::DeviceLook(std::chrono::nanoseconds patience) : DeviceLook(open_to_look, patience) {}

void DeviceLook::open(const std::vector<std::string>& paths) {
  look(paths, Wanted::descriptor);
}
void DeviceLook::measure(const std::vector<std::string>& paths) {
  look(paths, Wanted::size);
}
void DeviceLook::survey(const std::vector<std::string>& paths) {
  look(paths, Wanted::survey);
}
void DeviceLook::identify(const std::vector<std::string>& paths) {
  look(paths, Wanted::identity);
}

void DeviceLook::look(const std::vector<std::string>& paths, Wanted wanted) {
  const std::set<std::string> once(paths.begin(), paths.end());
  const std::vector<std::string> distinct(once.begin(), once.end());
  for (std::size_t first = 0; first < distinct.size(); first += kStayOpen) {
    const auto now =
        std::span(distinct).subspan(first).first(std::min(kStayOpen, distinct.size() - first));
    look_at_several(now, wanted);
    // If too many are open, those of this round are closed; what was learnt of them stays.
    const auto open_now =
        std::ranges::count_if(devices_, [](const auto& entry) { return entry.second != nullptr; });
    if (static_cast<std::size_t>(open_now) <= kStayOpen) continue;
    for (const std::string& path : now) devices_[path].reset();
  }
}

struct DeviceLook::Visit {
  CandidateFacts facts;
  std::unique_ptr<io::FileDevice> device;
};

void DeviceLook::look_at_several(std::span<const std::string> paths, Wanted wanted) {
  // A visit belongs to its task until that has ended. One that hangs keeps it for good.
  std::vector<std::shared_ptr<Visit>> visits;
  std::vector<std::function<void()>> tasks;
  for (const std::string& path : paths) {
    facts_[path].path = path;
    visits.push_back(std::make_shared<Visit>(Visit{facts_[path], std::move(devices_[path])}));
    tasks.emplace_back(
        [visit = visits.back(), open = open_, wanted] { look_at(*visit, open, wanted); });
  }
  os::ParallelLimits limits;
  limits.patience = patience_;
  const std::vector<bool> ended = os::run_parallel(std::move(tasks), limits);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    CandidateFacts& facts = facts_[paths[i]];
    if (ended[i]) {
      facts = std::move(visits[i]->facts);
      devices_[paths[i]] = std::move(visits[i]->device);
    } else {
      facts.silent = true;
      facts.unopened = silent_device(paths[i], patience_);
    }
  }
}

void DeviceLook::look_at(Visit& visit, const Open& open, Wanted wanted) {
  CandidateFacts& facts = visit.facts;
  std::unique_ptr<io::FileDevice>& device = visit.device;
  // One that was closed again stays closed.
  if (wanted == Wanted::survey && facts.survey) return;
  if (!device && !facts.unopened) {
    auto opened = open(facts.path);
    if (!opened) {
      facts.unopened = opened.error();
      return;
    }
    device = std::move(*opened);
    facts.size = device->geometry().size;
    if (const auto instance = instance_of(*device)) {
      // The device was open before and was closed meanwhile. If another one is at its path now,
      // what is known of the first must not be taken for knowledge of the second.
      if (facts.instance && *facts.instance != *instance) {
        facts.unopened = replaced_device(facts.path, "try again");
        device.reset();
        return;
      }
      facts.instance = *instance;
      const os::Storage& storage = instance->storage;
      facts.beneath = os::beneath(storage);
      if (storage.is_block_device()) facts.disk_names = hardware_names(storage.device);
    }
  }
  // What was read once is not read again, also not if it failed: an error is a fact, too, and a
  // failing disk may take a minute to give it.
  if (!device) return;
  if (wanted == Wanted::survey && !facts.survey) facts.survey = metadata::survey(*device);
  if (wanted == Wanted::identity && !facts.identity) {
    facts.identity = gather_facts(*device, DeviceUse::alone);
  }
  if (wanted != Wanted::descriptor && facts.instance && is_export(facts.instance->storage)) {
    device.reset();
  }
}

std::optional<Error> DeviceLook::silent() const {
  for (const auto& [path, facts] : facts_) {
    if (facts.silent) return facts.unopened;
  }
  return std::nullopt;
}

io::FileDevice* DeviceLook::device(const std::string& path) const {
  const auto found = devices_.find(path);
  return found == devices_.end() ? nullptr : found->second.get();
}

void DeviceLook::close() {
  devices_.clear();
}

void DeviceLook::keep_open_only(const std::vector<std::string>& paths) {
  std::erase_if(devices_, [&](const auto& entry) {
    return std::ranges::find(paths, entry.first) == paths.end();
  });
}

}  // namespace dmremap::discovery
