// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/device_wait.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <libudev.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "claims/present_devices.hpp"
#include "cli/common/output.hpp"
#include "cli/common/waiting_mounts.hpp"
#include "daemon/set_daemon.hpp"
#include "discovery/assembly.hpp"
#include "os/json_line.hpp"
#include "os/program_run.hpp"
#include "os/spawn.hpp"
#include "set/kept_sections.hpp"

namespace dmremap::cli {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// What no event tells of, an image on a file system that was mounted, say, is looked for this
// often.
constexpr milliseconds kLookEvery{1000};
// Once the deadline has passed, disks are read again when something came, and to be sure this
// often: they may sleep meanwhile.
constexpr std::chrono::minutes kLookAnyway{10};
// A disk that has come may not answer yet, and udev may not have its names yet: for so long after
// the last event they are read as often as before the deadline.
constexpr seconds kSettles{30};
// A wait is announced when a first look takes longer than this.
constexpr seconds kSilent{5};
// How long the service manager gives a start beyond the deadline: its own mounts may take a while
// to fail, and a disk to answer.
constexpr seconds kStartAllowance{300};

}  // namespace

// Listens to the kernel, not to udevd, which an initramfs may lack. Without it there is only the
// time.
class BlockDeviceNews {
 public:
  BlockDeviceNews() : context_(::udev_new()) {
    if (context_ == nullptr) return;
    monitor_.reset(::udev_monitor_new_from_netlink(context_.get(), "kernel"));
    if (monitor_ == nullptr) return;
    (void)::udev_monitor_filter_add_match_subsystem_devtype(monitor_.get(), "block", nullptr);
    if (::udev_monitor_enable_receiving(monitor_.get()) != 0) monitor_.reset();
  }

  // Signals that are not in `mask` end the process meanwhile. Returns true if one has come.
  bool wait(milliseconds patience, const sigset_t& mask) {
    pollfd fd{monitor_ ? ::udev_monitor_get_fd(monitor_.get()) : -1, POLLIN, 0};
    const timespec time{patience.count() / 1000, (patience.count() % 1000) * 1'000'000};
    (void)::ppoll(&fd, 1, &time, &mask);
    bool has_come = false;
    while (monitor_) {
      udev_device* const device = ::udev_monitor_receive_device(monitor_.get());
      if (device == nullptr) break;
      ::udev_device_unref(device);
      has_come = true;
    }
    if (has_come) last_ = steady_clock::now();
    return has_come;
  }
  // True if the last event was heard of within that time.
  [[nodiscard]] bool are_fresh(seconds time) const {
    return last_ && steady_clock::now() - *last_ < time;
  }

 private:
  struct Deleter {
    void operator()(udev* context) const { ::udev_unref(context); }
    void operator()(udev_monitor* monitor) const { ::udev_monitor_unref(monitor); }
  };
  std::unique_ptr<udev, Deleter> context_;
  std::unique_ptr<udev_monitor, Deleter> monitor_;
  std::optional<steady_clock::time_point> last_;
};

// What was seen at one look.
struct DeviceWait::Sighting {
  std::optional<Error> missing;  // the error of a device that is not there
  bool has_spare = false;
  std::optional<std::uint32_t> wait_s;  // as the metadata has it
  std::vector<std::string> mains;       // paths of main, if the spare is awaited
};

// One look at all devices, in a child process. When the look is dropped the child is killed; one
// that hangs in a device stays behind, and ends when the device answers.
class DeviceWait::Look {
 public:
  // `holds_main`: it need not be looked for while the spare is awaited.
  static Sighting at(const claims::Claim& claim, const discovery::Hints& hints, bool holds_main) {
    Sighting out;
    discovery::DeviceLook look;
    const auto spare = discovery::find_spare(to_string(claim.set_uuid), hints, look);
    std::optional<Error> error;
    if (!spare) {
      error = spare.error();
      if (!holds_main) out.mains = mains_of(claim);
    } else {
      out.has_spare = true;
      if (spare->survey.content) out.wait_s = set::policy_of(*spare->survey.content).boot_wait_s;
      const auto hint = hints.find(claim.name);
      const auto members =
          discovery::find_main(*spare, {hint ? hint->main_path : std::string(), {}}, look);
      if (!members) error = awaited(members.error());
    }
    if (error && error->code == ErrorCode::missing_device) out.missing = std::move(error);
    return out;
  }

  // `main` is held by this process, and must not be held on by the child.
  Look(const claims::Claim& claim, const discovery::Hints& hints,
       std::unique_ptr<io::FileDevice>& main) {
    const bool holds_main = main != nullptr;
    auto pipe = os::make_pipe();
    const pid_t child = pipe ? ::fork() : -1;
    if (child == 0) {
      main.reset();
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      tell(Look::at(claim, hints, holds_main), pipe->writing.get());
      ::_exit(0);
    }
    if (child < 0) {
      seen_ = Look::at(claim, hints, holds_main);
      return;
    }
    child_ = child;
    reading_ = std::move(pipe->reading);
  }
  ~Look() {
    if (!child_) return;
    (void)::kill(*child_, SIGKILL);
    (void)os::reap(*child_);
  }
  Look(const Look&) = delete;
  Look& operator=(const Look&) = delete;

  // Waits for the child, at most so long. Signals that are not in `mask` end the process meanwhile.
  [[nodiscard]] bool is_over(milliseconds patience, const sigset_t& mask) {
    if (seen_) return true;
    pollfd fd{reading_.get(), POLLIN, 0};
    const timespec time{patience.count() / 1000, (patience.count() % 1000) * 1'000'000};
    if (::ppoll(&fd, 1, &time, &mask) <= 0) return false;
    char bytes[4096];
    const ssize_t got = ::read(reading_.get(), bytes, sizeof bytes);
    if (got > 0) {
      said_.append(bytes, static_cast<std::size_t>(got));
      return false;
    }
    if (got < 0 && errno == EINTR) return false;
    (void)os::wait_for(*std::exchange(child_, std::nullopt));
    seen_ = heard();
    return true;
  }
  [[nodiscard]] const Sighting& seen() const { return *seen_; }

 private:
  // Nobody has named a device here: one that is not main, at the node where main was, and one of
  // which nothing tells whether it is, say no more than that main is not there yet.
  static Error awaited(Error error) {
    if (error.code == ErrorCode::wrong_main) {
      return {ErrorCode::missing_device,
              fmt::format("the main device was not found, and {} {}", error.where, error.what), "",
              ""};
    }
    if (error.code == ErrorCode::main_unproven) {
      return {ErrorCode::missing_device, "the main device was not found for certain: " + error.what,
              "", error.hint};
    }
    return error;
  }

  static std::vector<std::string> mains_of(const claims::Claim& claim) {
    std::vector<std::string> out;
    for (const claims::FoundDevice& device : claims::find_devices(claim)) {
      if (device.role == claims::Role::main) out.push_back(device.path);
    }
    return out;
  }

  static void tell(const Sighting& seen, int fd) {
    const std::string line =
        os::to_line({{"missing", seen.missing ? os::to_json(*seen.missing) : nlohmann::json()},
                     {"has_spare", seen.has_spare},
                     {"wait_s", seen.wait_s ? nlohmann::json(*seen.wait_s) : nlohmann::json()},
                     {"mains", seen.mains}});
    // A pipe takes that much at once; the parent is there, or this process is not.
    (void)!::write(fd, line.data(), line.size());
  }

  // A child that was killed has seen nothing; the next look is made soon.
  [[nodiscard]] Sighting heard() const {
    Sighting out;
    const auto json = nlohmann::json::parse(said_, nullptr, false);
    if (!json.is_object()) {
      out.missing = Error{ErrorCode::missing_device, "the devices could not be read", "", ""};
      return out;
    }
    if (!json["missing"].is_null()) out.missing = os::error_from_json(json["missing"]);
    out.has_spare = json["has_spare"];
    if (!json["wait_s"].is_null()) out.wait_s = json["wait_s"].get<std::uint32_t>();
    out.mains = json["mains"].get<std::vector<std::string>>();
    return out;
  }

  std::optional<pid_t> child_;
  FileDescriptor reading_;
  std::string said_;
  std::optional<Sighting> seen_;
};

namespace {

sigset_t block_end_signals() {
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  for (const int number : daemon::kEndSignals) ::sigaddset(&blocked, number);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  return before;
}

// Changes when another file, or one at all, lies where a device was last seen. Nothing is read from
// what lies there.
std::string what_lies_at(const claims::Claim& claim) {
  std::string out;
  for (const std::string& path : {claim.main.path, claim.spares.front().device.path}) {
    struct stat st {};
    if (::stat(path.c_str(), &st) == 0) out += fmt::format("{}:{}", st.st_dev, st.st_ino);
    out += ' ';
  }
  return out;
}

// What is known of the devices before any look has ended.
Error unread_devices(const claims::Claim& claim) {
  return {ErrorCode::missing_device,
          fmt::format("the devices do not answer; main was last seen at {}, the spare at {}",
                      claim.main.path, claim.spares.front().device.path),
          claim.name, ""};
}

}  // namespace

DeviceWait::DeviceWait(claims::Claim claim, discovery::Hints hints, AfterDeadline after)
    : claim_(std::move(claim)),
      hints_(std::move(hints)),
      after_(after),
      began_(steady_clock::now()),
      patience_(claim_.wait_s),
      signals_(block_end_signals()),
      news_(std::make_unique<BlockDeviceNews>()) {
  extend_start();
}

DeviceWait::~DeviceWait() = default;

milliseconds DeviceWait::left() const {
  return std::chrono::duration_cast<milliseconds>(began_ + patience_ - steady_clock::now());
}

// The service manager counts from the moment at which it is told.
void DeviceWait::extend_start() const {
  const std::chrono::microseconds allowed = left() + kStartAllowance;
  ::sd_notify(0, fmt::format("EXTEND_TIMEOUT_USEC={}", allowed.count()).c_str());
}

// What a user has chosen since it was recorded is in the claim alone.
void DeviceWait::wait_as_recorded(seconds recorded) {
  if (!claim_.wait_is_recorded || recorded == patience_) return;
  patience_ = recorded;
  if (!is_over_) extend_start();
}

void DeviceWait::announce(const std::string& text) {
  if (std::exchange(is_announced_, true)) return;
  warn(text);
  ::sd_notify(0, ("STATUS=" + text).c_str());
}

void DeviceWait::lost(const Error& missing) {
  missing_ = missing;
  is_announced_ = is_over_;
  announce(fmt::format("{}: a device is gone again: {}", claim_.name, missing.message()));
  (void)news_->wait(kLookEvery, signals_);
}

// Says what is missing where a person at the console sees it, and lets the boot go on.
void DeviceWait::give_up() {
  is_over_ = true;
  // A look that ends later has found what this says already.
  is_announced_ = true;
  const std::string text = fmt::format(
      "{}: not served, for after {} s a device is missing: {}; the set is served when it comes",
      claim_.name, patience_.count(), missing_.value_or(unread_devices(claim_)).message());
  (void)report(Error{ErrorCode::missing_device, text, "", ""}, false);
  fail_waiting_mounts(claim_);
  // For the mounts above all: what is ordered after this start waits no longer, and finds nothing.
  ::sd_notify(0, ("READY=1\nSTATUS=" + text).c_str());
}

void DeviceWait::check_time() {
  if (is_over_) return;
  if (left() <= milliseconds(0)) {
    if (after_ == AfterDeadline::wait_on) give_up();
    return;
  }
  if (!missing_ && steady_clock::now() - began_ >= kSilent) {
    announce(fmt::format("{}: waiting for up to {} s: {}", claim_.name, patience_.count(),
                         unread_devices(claim_).what));
  }
}

std::optional<DeviceWait::Sighting> DeviceWait::look() {
  Look look(claim_, hints_, main_);
  while (!look.is_over(kLookEvery, signals_)) {
    if (after_ == AfterDeadline::fail && left() <= milliseconds(0)) return std::nullopt;
    check_time();
  }
  return look.seen();
}

// Fails silently: somebody has it. A look has just opened main, and nothing else is opened here.
void DeviceWait::hold_main(const std::vector<std::string>& paths) {
  if (main_) return;
  for (const std::string& path : paths) {
    auto held = io::FileDevice::open(path, {io::Access::read_only, io::Holding::exclusive});
    if (held) main_ = std::move(*held);
    if (held) return;
  }
}

Result<void> DeviceWait::until_present() {
  for (;;) {
    const std::string places = what_lies_at(claim_);
    const auto seen = look();
    if (!seen) return tl::unexpected(missing_.value_or(unread_devices(claim_)));
    if (seen->wait_s) wait_as_recorded(seconds(*seen->wait_s));
    if (!seen->missing) {
      main_.reset();
      return {};
    }
    missing_ = seen->missing;
    if (!is_over_ && left() <= milliseconds(0)) {
      if (after_ == AfterDeadline::fail) return tl::unexpected(*missing_);
      give_up();
    }
    announce(fmt::format("{}: waiting for up to {} s: {}", claim_.name, patience_.count(),
                         missing_->what));
    hold_main(seen->mains);
    pause(places);
  }
}

void DeviceWait::pause(const std::string& places) {
  if (!is_over_) {
    (void)news_->wait(std::clamp(left(), milliseconds(1), kLookEvery), signals_);
    return;
  }
  const auto until = steady_clock::now() + kLookAnyway;
  while (!news_->wait(kLookEvery, signals_) && what_lies_at(claim_) == places &&
         !news_->are_fresh(kSettles) && steady_clock::now() < until) {
  }
}

}  // namespace dmremap::cli
