// SPDX-License-Identifier: GPL-2.0-or-later
// Looks every few seconds at the two devices of a running set, without a request to their media. It
// tells the engine what they show, and makes an event of each condition that comes or goes (promise
// 13).
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "io/device_state.hpp"
#include "remap/engine.hpp"
#include "set/condition_log.hpp"
#include "set/status.hpp"

namespace dmremap::set {

// A device when it was opened, and now.
struct WatchedDevice {
  std::string path;
  SectorCount size_opened;
  io::DeviceState now;
};

// Derives from both devices what the engine must know. Pure.
[[nodiscard]] remap::DeviceNews news_of(const WatchedDevice& main, const WatchedDevice& spare);

// Looks at a device as it is held now.
[[nodiscard]] WatchedDevice watched(const io::FileDevice& device);

class DeviceWatch {
 public:
  struct Parts {
    std::function<remap::DeviceNews()> look;
    std::function<Status()> status;
    remap::Admin* engine = nullptr;       // outlives the watch
    remap::Observer* observer = nullptr;  // outlives the watch; gets the events
  };

  // Starts the thread. `known`: the conditions that need no event, because they held before.
  DeviceWatch(Parts parts, const std::vector<ConditionReport>& known);
  ~DeviceWatch();
  DeviceWatch(const DeviceWatch&) = delete;
  DeviceWatch& operator=(const DeviceWatch&) = delete;
  // Ends the thread, after a last look at the conditions. May be called again.
  void stop();
  // After stop(): goes on. Not called at the same time as that.
  void go_on();

 private:
  void loop();
  void look();

  Parts parts_;
  ConditionLog conditions_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace dmremap::set
