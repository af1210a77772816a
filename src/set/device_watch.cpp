// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/device_watch.hpp"

#include <utility>

#include <fmt/format.h>

#include "base/thread_name.hpp"

namespace dmremap::set {

namespace {

// Well below the ten seconds within which a condition must be known.
constexpr std::chrono::seconds kLookEvery{2};

std::string absence_of(std::string_view what, const WatchedDevice& device) {
  if (device.now.present) return {};
  return fmt::format("{} is gone: the kernel no longer has {}", what, device.path);
}

// A device that is gone has no size.
std::string resize_of(std::string_view what, const WatchedDevice& device) {
  if (!device.now.present || !device.now.size || *device.now.size == device.size_opened) return {};
  return fmt::format("{} {} from {} to {} sectors", what,
                     *device.now.size < device.size_opened ? "shrank" : "grew",
                     device.size_opened.value, device.now.size->value);
}

bool shrank(const WatchedDevice& device) {
  return device.now.present && device.now.size && *device.now.size < device.size_opened;
}

}  // namespace

remap::DeviceNews news_of(const WatchedDevice& main, const WatchedDevice& spare) {
  remap::DeviceNews out;
  out.main_absence = absence_of("main", main);
  out.main_resize = resize_of("main", main);
  out.main_shrank = shrank(main);
  out.main_read_only = main.now.present && main.now.read_only;
  out.spare_absence = absence_of("the spare", spare);
  out.spare_resize = resize_of("the spare", spare);
  out.spare_shrank = shrank(spare);
  out.spare_read_only = spare.now.present && spare.now.read_only;
  return out;
}

WatchedDevice watched(const io::FileDevice& device) {
  return {device.path(), device.size_opened(), io::state_of(device)};
}

DeviceWatch::DeviceWatch(Parts parts, const std::vector<ConditionReport>& known)
    : parts_(std::move(parts)), conditions_(known) {
  thread_ = std::thread([this] { loop(); });
}

DeviceWatch::~DeviceWatch() {
  stop();
}

void DeviceWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  wake_.notify_all();
  thread_.join();
  // What came in the last moment is in the record of the stop.
  look();
}

void DeviceWatch::go_on() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(stopping_, false)) return;
  }
  thread_ = std::thread([this] { loop(); });
}

void DeviceWatch::loop() {
  name_this_thread("device-watch");
  std::unique_lock lock(mutex_);
  // The devices were looked at to open them, and at a boot this thread would compete with the first
  // users of the set.
  while (!wake_.wait_for(lock, kLookEvery, [this] { return stopping_; })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

void DeviceWatch::look() {
  parts_.engine->note_devices(parts_.look());
  for (format::Event& event : conditions_.update(parts_.status().reports)) {
    parts_.observer->on_event(std::move(event));
  }
}

}  // namespace dmremap::set
