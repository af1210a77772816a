// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/device_wait.hpp"

#include <algorithm>
#include <csignal>
#include <ctime>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <libudev.h>
#include <poll.h>
#include <systemd/sd-daemon.h>

#include "claims/present_devices.hpp"
#include "cli/common/output.hpp"
#include "daemon/set_daemon.hpp"
#include "discovery/assembly.hpp"
#include "io/file_device.hpp"

namespace dmremap::cli {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// What no event tells of, an image on a file system that was mounted, say, is looked for this
// often.
constexpr milliseconds kLookEvery{1000};

// Tells of block devices that come. It listens to the kernel, not to udevd, which an initramfs may
// lack. Without it there is only the time.
class BlockDeviceNews {
 public:
  BlockDeviceNews() : context_(::udev_new()) {
    if (context_ == nullptr) return;
    monitor_.reset(::udev_monitor_new_from_netlink(context_.get(), "kernel"));
    if (monitor_ == nullptr) return;
    (void)::udev_monitor_filter_add_match_subsystem_devtype(monitor_.get(), "block", nullptr);
    if (::udev_monitor_enable_receiving(monitor_.get()) != 0) monitor_.reset();
  }

  // Signals that are not in `mask` end the process meanwhile.
  void wait(milliseconds patience, const sigset_t& mask) {
    pollfd fd{monitor_ ? ::udev_monitor_get_fd(monitor_.get()) : -1, POLLIN, 0};
    const timespec time{patience.count() / 1000, (patience.count() % 1000) * 1'000'000};
    (void)::ppoll(&fd, 1, &time, &mask);
    while (monitor_) {
      udev_device* const device = ::udev_monitor_receive_device(monitor_.get());
      if (device == nullptr) break;
      ::udev_device_unref(device);
    }
  }

 private:
  struct Deleter {
    void operator()(udev* context) const { ::udev_unref(context); }
    void operator()(udev_monitor* monitor) const { ::udev_monitor_unref(monitor); }
  };
  std::unique_ptr<udev, Deleter> context_;
  std::unique_ptr<udev_monitor, Deleter> monitor_;
};

// What was found at one look.
struct Found {
  std::optional<Error> missing;  // the error of a device that is not there
  bool has_spare = false;
};
Found look_for(const claims::Claim& claim, const discovery::Hints& hints) {
  Found out;
  discovery::DeviceLook look;
  const auto spare = discovery::find_spare(to_string(claim.set_uuid), hints, look);
  std::optional<Error> error;
  if (!spare) {
    error = spare.error();
  } else {
    out.has_spare = true;
    const auto hint = hints.find(claim.name);
    const auto members =
        discovery::find_main(*spare, {hint ? hint->main_path : std::string(), {}}, look);
    if (!members) error = members.error();
  }
  if (error && error->code == ErrorCode::missing_device) out.missing = std::move(error);
  return out;
}

// Null: it is not there, or somebody has it.
std::unique_ptr<io::FileDevice> hold_main(const claims::Claim& claim) {
  for (const claims::FoundDevice& device : claims::find_devices(claim)) {
    if (device.role != claims::Role::main) continue;
    auto held = io::FileDevice::open(device.path, {io::Access::read_only, io::Holding::exclusive});
    if (held) return std::move(*held);
  }
  return nullptr;
}

sigset_t block_end_signals() {
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  for (const int number : daemon::kEndSignals) ::sigaddset(&blocked, number);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  return before;
}

}  // namespace

Result<void> wait_for_devices(const claims::Claim& claim, const discovery::Hints& hints,
                              std::chrono::seconds patience) {
  const auto deadline = steady_clock::now() + patience;
  // Threads that look at devices must not take the signals either.
  const sigset_t before = block_end_signals();
  // Before the first look: what comes after it is heard.
  BlockDeviceNews news;
  std::unique_ptr<io::FileDevice> main;
  for (bool is_told = false;; is_told = true) {
    const Found found = look_for(claim, hints);
    if (!found.missing) return {};
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return tl::unexpected(*found.missing);
    if (!is_told) {
      const std::string text = fmt::format("{}: waiting for up to {} s: {}", claim.name,
                                           patience.count(), found.missing->what);
      warn(text);
      ::sd_notify(0, ("STATUS=" + text).c_str());
    }
    if (!main && !found.has_spare) main = hold_main(claim);
    news.wait(std::min(left, kLookEvery), before);
  }
}

}  // namespace dmremap::cli
