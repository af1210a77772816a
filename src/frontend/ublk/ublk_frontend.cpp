// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/ublk/ublk_frontend.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <unistd.h>

#include "base/endian.hpp"
#include "base/log.hpp"
#include "frontend/device_use.hpp"
#include "os/process_end.hpp"
#include "os/usage.hpp"

namespace dmremap::frontend {

namespace {

using std::chrono::milliseconds;

constexpr unsigned kDepth = 128;
constexpr std::size_t kBufferBytes = std::size_t{4} << 20;
// The kernel buries a dead server when its last request has ended: a failing disk keeps one for a
// minute.
constexpr milliseconds kBurialPatience{120'000};
constexpr milliseconds kPassingStep{50};
// A request has been answered by its deadline, which is 30 s unless the set's policy says more.
constexpr milliseconds kHoldPatience{60'000};

unsigned queues_of_this_machine() {
  return std::max(1U, std::thread::hardware_concurrency());
}

// The disk of a device must be what this start would make, for its users go on with it.
Result<void> check_same(const ublk::DiskParameters& was, const ublk::DiskParameters& wanted,
                        const std::string& node) {
  const auto differs = [&](const char* what) {
    return fail(ErrorCode::usage, fmt::format("was made with another {}", what), node,
                "start the set with the options it had; or end all use of it, and start it with "
                "another --export once, which removes it");
  };
  if (was.size != wanted.size) return differs("size");
  if (was.logical_block_bytes != wanted.logical_block_bytes) return differs("logical block");
  if (was.read_only != wanted.read_only) return differs("setting of --read-only");
  return {};
}

}  // namespace

std::uint64_t owner_number(const Uuid& set) {
  const std::span<const std::byte> bytes(set.bytes);
  return load_le<std::uint64_t>(bytes, 0) ^ load_le<std::uint64_t>(bytes, 8);
}

UblkFrontend::UblkFrontend(remap::Disk& disk, const UblkOptions& options, unsigned slots,
                           bool taken_over)
    : replies_(slots),
      requests_(disk, {.slots = slots, .gate = options.gate, .taken_over = taken_over}) {}

Result<std::unique_ptr<UblkFrontend>> UblkFrontend::start(remap::Disk& disk,
                                                          const UblkOptions& options) {
  const unsigned queues = queues_of_this_machine();
  std::unique_ptr<UblkFrontend> out(new UblkFrontend(disk, options, queues * kDepth, false));
  // By its link udev tells the device from a copy of main, and the link's unit is ready after the
  // first event. A kill before the device is there leaves a link to nothing, which the next start
  // replaces.
  const auto link = [&](const std::string& node) {
    out->links_ = std::make_unique<StableLinks>(options.stable_link, node);
  };
  auto server = ublk::Server::create(*out, {.disk = options.shape,
                                            .owner = options.owner,
                                            .queues = queues,
                                            .depth = kDepth,
                                            .buffer_bytes = kBufferBytes,
                                            .before_start = link});
  if (!server) return failure_of(server);
  out->server_ = std::move(*server);
  out->node_ = out->server_->path();
  out->links_->follow_partitions();
  return out;
}

Result<std::unique_ptr<UblkFrontend>> UblkFrontend::take_over(remap::Disk& disk,
                                                              const UblkOptions& options,
                                                              const ublk::DeviceInfo& device) {
  auto control = ublk::Control::open();
  if (!control) return failure_of(control);
  const auto was = control->parameters(device.id);
  if (!was) return failure_of(was);
  const std::string node = ublk::block_path(device.id);
  if (auto same = check_same(*was, options.shape, node); !same) return failure_of(same);
  std::unique_ptr<UblkFrontend> out(
      new UblkFrontend(disk, options, device.queues * device.depth, true));
  auto server = ublk::Server::recover(*out, device.id, kBufferBytes, kBurialPatience);
  if (!server) return failure_of(server);
  out->server_ = std::move(*server);
  out->node_ = node;
  out->links_ = std::make_unique<StableLinks>(options.stable_link, node);
  return out;
}

UblkFrontend::~UblkFrontend() {
  if (server_ && !stop()) log(Severity::warning, node_ + " stays: its users wait for a start");
  if (server_) end_server();
}

ublk::Step UblkFrontend::begin(ublk::Request& request) {
  SlotReply& reply = replies_[request.slot()];
  reply.set(request);
  return requests_.begin({.operation = request.operation(),
                          .range = request.range(),
                          .fua = request.fua(),
                          .data = request.data(),
                          .slot = request.slot()},
                         reply);
}

ublk::Step UblkFrontend::direct_done(ublk::Request* /*request*/, void* cookie, int error) {
  return requests_.direct_done(cookie, error);
}

bool UblkFrontend::ended() const {
  if (!server_) return true;
  pollfd raised{server_->ended(), POLLIN, 0};
  return ::poll(&raised, 1, 0) > 0;
}

// Programs that only look at the device are waited for.
Result<void> UblkFrontend::when_unused(const std::function<Result<void>()>& act) const {
  os::Patience patience;
  for (int step = 0;; ++step) {
    // The kernel would stop the disk although somebody has a partition open.
    const auto uses = os::uses_of(node_);
    if (uses.empty()) {
      auto done = act();
      if (done || done.error().code != ErrorCode::device_in_use) return done;
    }
    if (!patience.lasts(os::openers_of(node_), step * kPassingStep)) {
      if (auto none = check_none_kept(); !none) return none;
      return in_use(node_, os::uses_of(node_));
    }
    std::this_thread::sleep_for(kPassingStep);
  }
}

Result<void> UblkFrontend::check_unused() const {
  if (ended()) return {};
  return when_unused([this] { return check_none_kept(); });
}

Result<void> UblkFrontend::stop_unused() {
  return when_unused([this] {
    if (auto none = check_none_kept(); !none) return none;
    // What is still in the page cache is lost then, and said to be; a write that is kept would have
    // this wait for ever.
    if (keeps_changes_) requests_.release(DiskRequests::Changes::refused);
    // The kernel tells once that pages were lost, and drops them; a second try would look well.
    const auto saved = server_->sync();
    auto stopped = server_->stop();
    const bool goes_on = !stopped && stopped.error().code == ErrorCode::device_in_use;
    if (goes_on && keeps_changes_) requests_.release(DiskRequests::Changes::kept);
    if (!saved && !goes_on) note_unsaved(saved.error());
    return stopped;
  });
}

// A program that has such a write under way may have closed the device already, and is not found
// among its users.
Result<void> UblkFrontend::check_none_kept() const {
  if (!keeps_changes_ || requests_.kept() == 0) return {};
  return fail(ErrorCode::device_in_use,
              "what is written to it is kept back, for its clean stop is recorded", node_,
              "turn the machine off; or end the set's process with SIGKILL and start the set: then "
              "they are done");
}

Result<void> UblkFrontend::stop() {
  if (!server_) return {};
  if (!ended()) {
    auto stopped = stop_unused();
    if (!stopped && stopped.error().code == ErrorCode::device_in_use) return stopped;
    if (!stopped) log(Severity::warning, stopped.error().message());
  } else if (auto stopped = server_->stop_in_use(); !stopped) {
    log(Severity::warning, stopped.error().message());
  }
  end();
  return {};
}

Result<void> UblkFrontend::hand_over(const std::function<bool()>& is_wanted) {
  const bool held = requests_.hold(kHoldPatience);
  if (!held || !is_wanted()) {
    requests_.release();
    if (held) return fail(ErrorCode::timeout, "whoever was to take it over is gone", node_);
    return fail(ErrorCode::timeout, "a device does not answer what was asked of it", node_,
                "try again when it has");
  }
  // A kill from here on leaves what a kill at any other time does: a device that waits.
  links_->keep();
  server_.reset();
  return {};
}

Result<void> UblkFrontend::hold_changes(const std::function<Result<void>()>& record) {
  Result<void> done = fail(ErrorCode::timeout, "a device does not answer what was asked of it",
                           node_, "try again when it has");
  if (requests_.hold(kHoldPatience)) done = record();
  keeps_changes_ = done.has_value();
  requests_.release(keeps_changes_ ? DiskRequests::Changes::kept : DiskRequests::Changes::begun);
  return done;
}

void UblkFrontend::note_unsaved(const Error& error) {
  unsaved_ = Error{ErrorCode::io, "what was written to its cache could not be saved: " + error.what,
                   node_, "look at the events, check the file system, and write the data again"};
  log(Severity::error, unsaved_->message());
}

void UblkFrontend::end() {
  links_->remove();
  end_server();
}

// A queue that still serves gets requests until it ends: without holding them, the engine's threads
// would answer some to a queue that is gone.
void UblkFrontend::end_server() {
  static_cast<void>(requests_.hold(kHoldPatience));
  requests_.settle();
  server_.reset();
}

Result<LeftDevice> find_left_device(std::uint64_t owner, bool is_wanted) {
  // Without the driver's control device there are no devices; asking would load the driver.
  if (::access(ublk::abi::kControlPath, R_OK | W_OK) != 0) return LeftDevice{};
  auto control = ublk::Control::open();
  if (!control) return LeftDevice{};
  // Of a dead one that is held by a target only its number stays, until that lets go.
  std::optional<ublk::DeviceInfo> device;
  for (const ublk::DeviceInfo& one : control->devices()) {
    if (one.owner != owner) continue;
    if (one.state != ublk::DeviceState::dead) {
      device = one;
    } else if (auto removed = control->remove(one.id); !removed) {
      log(Severity::warning, removed.error().message());
    }
  }
  if (!device) return LeftDevice{};
  const std::string node = ublk::block_path(device->id);
  if (device->state == ublk::DeviceState::live && !os::is_ending(device->server_pid)) {
    return fail(ErrorCode::device_in_use,
                fmt::format("is served already, by process {}", device->server_pid), node,
                "stop that first");
  }
  if (is_wanted) return LeftDevice{*device};
  const auto uses = os::uses_of(node);
  if (!uses.empty()) {
    return fail(
        ErrorCode::leftovers_in_use,
        fmt::format("left behind by an earlier run and still in use: {}", fmt::join(uses, ", ")),
        node, "`--export ublk` takes it over, and its users go on");
  }
  if (auto removed = control->remove(device->id); !removed) return failure_of(removed);
  return LeftDevice{};
}

}  // namespace dmremap::frontend
