// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/device_look.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <set>
#include <thread>
#include <utility>

#include <sys/stat.h>

#include "discovery/file_names.hpp"
#include "discovery/hardware_names.hpp"
#include "os/path.hpp"

namespace dmremap::discovery {

namespace {

// At most this many devices are read at the same time. The threads wait for disks, not for a
// processor, so there may be more of them than processors.
constexpr std::size_t kThreads = 16;
// At most this many devices stay open. Each takes a descriptor or two, and a process may have 1024.
constexpr std::size_t kStayOpen = 200;

// Calls `body` with 0 to count - 1, by several threads, and returns when all are done.
template <typename Body>
void in_parallel(std::size_t count, const Body& body) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) body(i);
  };
  std::vector<std::jthread> helpers;
  for (std::size_t i = 1; i < std::min(count, kThreads); ++i) helpers.emplace_back(work);
  work();
}

// A look must not disturb: the device may be in use by others, so it is neither held nor writable.
Result<std::unique_ptr<io::FileDevice>> open_to_look(const std::string& path) {
  return io::FileDevice::open(path, {io::Access::read_only, io::Holding::shared});
}

}  // namespace

Result<DeviceInstance> instance_of(const io::FileDevice& device) {
  struct stat st {};
  if (::fstat(device.fd(), &st) != 0) return fail_errno(errno, "look at", device.path());
  if (!device.is_block_device()) return DeviceInstance{{st.st_dev, st.st_ino}, {}};
  return DeviceInstance{{st.st_rdev, 0}, attachment_of_disk(device.fd())};
}

std::optional<Error> CandidateFacts::unsurveyed() const {
  if (unopened) return unopened;
  return survey && !*survey ? std::optional(survey->error()) : std::nullopt;
}

DeviceLook::DeviceLook() : DeviceLook(open_to_look) {}

void DeviceLook::open(const std::vector<std::string>& paths) {
  look(paths, Wanted::nothing);
}
void DeviceLook::survey(const std::vector<std::string>& paths) {
  look(paths, Wanted::survey);
}
void DeviceLook::identify(const std::vector<std::string>& paths) {
  look(paths, Wanted::identity);
}

void DeviceLook::look(const std::vector<std::string>& paths, Wanted wanted) {
  // All entries of both maps are made before the threads start: the maps do not change while
  // threads run, and each entry belongs to one thread.
  const std::set<std::string> distinct(paths.begin(), paths.end());
  std::vector<std::pair<CandidateFacts*, std::unique_ptr<io::FileDevice>*>> work;
  for (const std::string& path : distinct) {
    CandidateFacts& facts = facts_[path];
    facts.path = path;
    work.emplace_back(&facts, &devices_[path]);
  }
  for (std::size_t first = 0; first < work.size(); first += kStayOpen) {
    const std::size_t count = std::min(kStayOpen, work.size() - first);
    in_parallel(count, [&](std::size_t i) {
      look_at(*work[first + i].first, *work[first + i].second, wanted);
    });
    // If too many are open, those of this round are closed; what was learnt of them stays.
    const auto open_now =
        std::ranges::count_if(devices_, [](const auto& entry) { return entry.second != nullptr; });
    if (static_cast<std::size_t>(open_now) <= kStayOpen) continue;
    for (std::size_t i = 0; i < count; ++i) work[first + i].second->reset();
  }
}

void DeviceLook::look_at(CandidateFacts& facts, std::unique_ptr<io::FileDevice>& device,
                         Wanted wanted) const {
  if (!device && !facts.unopened) {
    auto opened = open_(facts.path);
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
        facts.unopened =
            Error{ErrorCode::missing_device, "is another device than it was a moment ago",
                  facts.path, "try again"};
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
}

io::FileDevice* DeviceLook::device(const std::string& path) const {
  const auto found = devices_.find(path);
  return found == devices_.end() ? nullptr : found->second.get();
}

void DeviceLook::close() {
  devices_.clear();
}

void DeviceLook::close_views_of(const std::string& file) {
  if (file.empty()) return;
  const std::string wanted = os::canonical(file);
  std::erase_if(devices_, [&](const auto& entry) {
    const auto& facts = facts_.at(entry.first);
    if (!facts.instance || !facts.instance->storage.is_block_device()) return false;
    const auto view = os::loop_backing(facts.instance->storage.device);
    return view && view->path == wanted;
  });
}

}  // namespace dmremap::discovery
