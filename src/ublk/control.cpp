// SPDX-License-Identifier: GPL-2.0-or-later
#include "ublk/control.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <liburing.h>
#include <unistd.h>

#include "base/parse.hpp"
#include "os/program_run.hpp"
#include "os/sysfs.hpp"

namespace dmremap::ublk {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr unsigned kRingEntries = 4;
constexpr std::size_t kCommandAt = 48;  // in the submission entry
constexpr std::size_t kEntryBytes = 128;
constexpr milliseconds kPause{10};
// For the last user of a removed disk: udev looks at disks when they come and go.
constexpr milliseconds kRemovePatience{2'000};
constexpr std::uint64_t kNeeded =
    abi::kUserRecovery | abi::kUserRecoveryReissue | abi::kEncodedCommands | abi::kUserCopy;

DeviceState state_of(std::uint16_t state) {
  switch (state) {
    case abi::kStateDead:
      return DeviceState::dead;
    case abi::kStateLive:
      return DeviceState::live;
    case abi::kStateQuiesced:
      return DeviceState::quiesced;
    default:
      return DeviceState::unknown;
  }
}

DeviceInfo from_kernel(const abi::DeviceInfo& info) {
  constexpr std::uint64_t kRecovery = abi::kUserRecovery | abi::kUserRecoveryReissue;
  return {.id = info.device_id,
          .state = state_of(info.state),
          .queues = info.queues,
          .depth = info.depth,
          .request_bytes_max = info.request_bytes_max,
          .recoverable = (info.flags & kRecovery) == kRecovery,
          .user_copy = (info.flags & abi::kUserCopy) != 0,
          .owner = info.server_flags,
          .server_pid = info.server_pid};
}

FileDescriptor open_control_device() {
  return FileDescriptor(::open(abi::kControlPath, O_RDWR | O_CLOEXEC));
}

tl::unexpected<Error> too_old() {
  return fail(ErrorCode::not_supported, "the ublk driver of this kernel is too old",
              abi::kControlPath, "it takes Linux 6.5 or later");
}

}  // namespace

tl::unexpected<Error> fail_server_lives(const std::string& path) {
  return fail(ErrorCode::timeout, "the server of the ublk device has not ended", path,
              "end its process, or wait for the device that its last requests wait for");
}

std::string block_path(std::uint32_t id) {
  return fmt::format("/dev/ublkb{}", id);
}

std::optional<std::uint32_t> block_number(std::string_view name) {
  constexpr std::string_view kPrefix = "ublkb";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  const auto number = parse_number(name.substr(0, name.find_first_not_of("0123456789")));
  if (!number || *number > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::string character_path(std::uint32_t id) {
  return fmt::format("/dev/ublkc{}", id);
}

Control::Control(FileDescriptor device, std::unique_ptr<io_uring> ring)
    : device_(std::move(device)), ring_(std::move(ring)) {}

Control::Control(Control&&) noexcept = default;

Control::~Control() {
  if (ring_ != nullptr) io_uring_queue_exit(ring_.get());
}

Result<Control> Control::open() {
  FileDescriptor device = open_control_device();
  if (!device.valid() && (errno == ENOENT || errno == ENODEV || errno == ENXIO)) {
    // Nothing loads it by itself. Without the right to, or without modprobe, the error below says
    // what is missing.
    static_cast<void>(os::run_to_end({.words = {"modprobe", "ublk_drv"}}));
    device = open_control_device();
  }
  if (!device.valid() && (errno == ENOENT || errno == ENODEV || errno == ENXIO)) {
    return fail(ErrorCode::not_supported, "the kernel has no ublk driver", abi::kControlPath,
                "load it with modprobe ublk_drv; Debian 12 has it in the kernels of its backports");
  }
  if (!device.valid()) return fail_errno(errno, "open it", abi::kControlPath, "run it as root");
  auto ring = std::make_unique<io_uring>();
  const int made = io_uring_queue_init(kRingEntries, ring.get(), IORING_SETUP_SQE128);
  if (made < 0) return fail_errno(-made, "make a ring for ublk", abi::kControlPath);
  Control control(std::move(device), std::move(ring));
  std::uint64_t features = 0;
  const int asked = control.run(abi::kGetFeatures, 0, &features, sizeof features);
  if (asked == -EPERM || asked == -EACCES) {
    return fail_errno(-asked, "use ublk", abi::kControlPath, "run it as root");
  }
  if (asked < 0 || (features & kNeeded) != kNeeded) return too_old();
  return control;
}

int Control::run(std::uint32_t operation, std::uint32_t id, void* buffer, std::size_t bytes,
                 std::uint64_t data) {
  io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
  if (entry == nullptr) return -EBUSY;
  // The ring has entries of 128 bytes; liburing's type knows of the first 64.
  auto* const raw = reinterpret_cast<std::byte*>(entry);
  std::memset(raw, 0, kEntryBytes);
  entry->opcode = IORING_OP_URING_CMD;
  entry->fd = device_.get();
  entry->cmd_op = operation;
  abi::ControlCommand command;
  command.device_id = id;
  command.address = reinterpret_cast<std::uintptr_t>(buffer);
  command.bytes = static_cast<std::uint16_t>(bytes);
  command.data = data;
  std::memcpy(raw + kCommandAt, &command, sizeof command);
  int submitted = 0;
  do submitted = io_uring_submit(ring_.get());
  while (submitted == -EINTR || submitted == -EAGAIN);
  if (submitted < 0) return submitted;
  io_uring_cqe* done = nullptr;
  int waited = 0;
  // The buffer is the caller's: whatever interrupts the waiting, the command must have ended.
  do waited = io_uring_wait_cqe(ring_.get(), &done);
  while (waited == -EINTR || waited == -EAGAIN);
  if (waited < 0) return waited;
  const int result = done->res;
  io_uring_cqe_seen(ring_.get(), done);
  return result;
}

std::vector<DeviceInfo> Control::devices() {
  constexpr std::string_view kPrefix = "ublkc";
  std::vector<DeviceInfo> out;
  for (const std::string& name : os::names_in("/sys/class/ublk-char")) {
    if (!name.starts_with(kPrefix)) continue;
    const auto id = parse_number(std::string_view(name).substr(kPrefix.size()));
    if (!id) continue;
    const auto device = info(static_cast<std::uint32_t>(*id));
    if (device) out.push_back(*device);
  }
  std::ranges::sort(out, {}, &DeviceInfo::id);
  return out;
}

Result<DeviceInfo> Control::info(std::uint32_t id) {
  abi::DeviceInfo info;
  const int asked = run(abi::kGetDeviceInfo, id, &info, sizeof info);
  if (asked < 0) return fail_errno(-asked, "ask for the ublk device", block_path(id));
  return from_kernel(info);
}

std::optional<DeviceInfo> Control::find(std::uint64_t owner) {
  for (const DeviceInfo& device : devices()) {
    if (device.owner == owner) return device;
  }
  return std::nullopt;
}

Result<DiskParameters> Control::parameters(std::uint32_t id) {
  abi::Parameters parameters;
  const int asked = run(abi::kGetParameters, id, &parameters, sizeof parameters);
  if (asked < 0) return fail_errno(-asked, "ask for its parameters", block_path(id));
  return ublk::from_kernel(parameters);
}

Result<DeviceInfo> Control::add(const NewDevice& device) {
  constexpr std::uint32_t kNextFree = 0xffff'ffff;
  abi::DeviceInfo info;
  info.queues = static_cast<std::uint16_t>(device.queues);
  info.depth = static_cast<std::uint16_t>(device.depth);
  info.request_bytes_max = device.request_bytes_max;
  info.device_id = device.id.value_or(kNextFree);
  info.server_pid = ::getpid();
  info.flags = abi::kEncodedCommands | abi::kUserCopy;
  if (device.recoverable) info.flags |= abi::kUserRecovery | abi::kUserRecoveryReissue;
  info.server_flags = device.owner;
  const int added = run(abi::kAddDevice, info.device_id, &info, sizeof info);
  if (added == -EEXIST) {
    return fail(ErrorCode::device_in_use, "there is a ublk device of this number",
                block_path(device.id.value_or(0)), "leave the number to the kernel");
  }
  if (added < 0) {
    // Else who may open the control device may make disks with it.
    return fail_errno(-added, "make a ublk device", abi::kControlPath,
                      added == -EPERM ? "run it as root, with CAP_SYS_ADMIN in a container" : "");
  }
  return from_kernel(info);
}

Result<void> Control::set_parameters(std::uint32_t id, const DiskParameters& disk) {
  auto parameters = to_kernel(disk);
  if (!parameters) return failure_of(parameters);
  const int set = run(abi::kSetParameters, id, &*parameters, sizeof *parameters);
  if (set < 0) return fail_errno(-set, "set the parameters of the ublk device", block_path(id));
  return {};
}

Result<void> Control::start(std::uint32_t id) {
  const int started =
      run(abi::kStartDevice, id, nullptr, 0, static_cast<std::uint64_t>(::getpid()));
  if (started < 0) return fail_errno(-started, "start the ublk device", block_path(id));
  return {};
}

Result<void> Control::start_recovery(std::uint32_t id, milliseconds patience) {
  const auto give_up = steady_clock::now() + patience;
  while (true) {
    const int begun = run(abi::kStartUserRecovery, id);
    if (begun >= 0) return {};
    if (begun != -EBUSY) return fail_errno(-begun, "take over the ublk device", block_path(id));
    if (steady_clock::now() >= give_up) return fail_server_lives(block_path(id));
    std::this_thread::sleep_for(kPause);
  }
}

Result<void> Control::end_recovery(std::uint32_t id) {
  const int ended =
      run(abi::kEndUserRecovery, id, nullptr, 0, static_cast<std::uint64_t>(::getpid()));
  if (ended < 0) return fail_errno(-ended, "take over the ublk device", block_path(id));
  return {};
}

Result<void> Control::stop(std::uint32_t id) {
  const int stopped = run(abi::kStopDevice, id);
  if (stopped < 0) return fail_errno(-stopped, "stop the ublk device", block_path(id));
  return {};
}

Result<void> Control::remove(std::uint32_t id) {
  int removed = run(abi::kDeleteDeviceAsync, id);
  // Before Linux 6.9 there is only the way that waits for the last user.
  if (removed == -EOPNOTSUPP || removed == -EINVAL) removed = run(abi::kDeleteDevice, id);
  if (removed < 0) return fail_errno(-removed, "remove the ublk device", block_path(id));
  const auto give_up = steady_clock::now() + kRemovePatience;
  while (info(id) && steady_clock::now() < give_up) std::this_thread::sleep_for(kPause);
  return {};
}

}  // namespace dmremap::ublk
