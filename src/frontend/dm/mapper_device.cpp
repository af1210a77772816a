// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/dm/mapper_device.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "frontend/dm/message_ioctl.hpp"
#include "os/program_run.hpp"

namespace dmremap::dm {

namespace {

constexpr const char* kControl = "/dev/mapper/control";
constexpr std::size_t kRoom = 16 << 10;

// What libdevmapper tells udev with a device (libdevmapper.h, DM_UDEV_*): in the upper half of
// dm_ioctl::event_nr. The lower half would be a semaphore that udev's rules release; we do not
// wait, and they do without.
constexpr std::uint32_t kDisableSubsystemRules = 0x0002;
constexpr std::uint32_t kDisableDiskRules = 0x0004;
constexpr std::uint32_t kDisableOtherRules = 0x0008;
constexpr std::uint32_t kPrimarySource = 0x0040;

std::uint32_t udev_flags(MapperUse use) {
  const std::uint32_t flags =
      use == MapperUse::of_users
          ? kPrimarySource
          : kPrimarySource | kDisableSubsystemRules | kDisableDiskRules | kDisableOtherRules;
  return flags << 16;
}

// One call and its answer: the header and what follows it.
class Call {
 public:
  explicit Call(const std::string& uuid) {
    header().version[0] = DM_VERSION_MAJOR;
    header().data_size = static_cast<std::uint32_t>(bytes_.size());
    header().data_start = sizeof(dm_ioctl);
    std::memcpy(header().uuid, uuid.data(), std::min(uuid.size(), sizeof(dm_ioctl::uuid) - 1));
  }

  [[nodiscard]] dm_ioctl& header() { return *reinterpret_cast<dm_ioctl*>(bytes_.data()); }
  [[nodiscard]] std::byte* data() { return bytes_.data() + sizeof(dm_ioctl); }
  [[nodiscard]] std::byte* answer() { return bytes_.data() + header().data_start; }
  [[nodiscard]] std::size_t room() const { return bytes_.size() - sizeof(dm_ioctl); }

  // 0, or the errno.
  int run(unsigned long request) {
    const FileDescriptor control(::open(kControl, O_RDWR | O_CLOEXEC));
    if (!control.valid()) return errno;
    return ::ioctl(control.get(), request, bytes_.data()) < 0 ? errno : 0;
  }

  [[nodiscard]] MapperStatus status() {
    return {static_cast<dev_t>(header().dev), static_cast<unsigned>(header().open_count),
            (header().flags & DM_ACTIVE_PRESENT_FLAG) != 0};
  }

 private:
  alignas(8) std::array<std::byte, sizeof(dm_ioctl) + kRoom> bytes_{};
};

tl::unexpected<Error> failure(int error, const char* what, const std::string& where) {
  if (error == EBUSY) return fail(ErrorCode::device_in_use, "is in use", where);
  if (error == ENXIO) return fail(ErrorCode::no_such_device, "there is no such device", where);
  if (error == EPERM || error == EACCES) {
    return fail(ErrorCode::permission,
                "device mapper takes the right to administer the system (CAP_SYS_ADMIN)", where);
  }
  return fail_errno(error, what, where);
}

Result<void> simple(const std::string& uuid, unsigned long request, std::uint32_t flags,
                    std::uint32_t event, const char* what) {
  const auto call = std::make_unique<Call>(uuid);
  call->header().flags = flags;
  call->header().event_nr = event;
  if (const int error = call->run(request); error != 0) return failure(error, what, uuid);
  return {};
}

Result<void> load(const std::string& uuid, const MapperTable& table) {
  const auto call = std::make_unique<Call>(uuid);
  call->header().target_count = 1;
  auto* const target = reinterpret_cast<dm_target_spec*>(call->data());
  target->length = table.size.value;
  target->next =
      static_cast<std::uint32_t>((sizeof(dm_target_spec) + table.parameters.size() + 8) & ~7UL);
  std::strncpy(target->target_type, table.target.c_str(), sizeof target->target_type - 1);
  std::memcpy(call->data() + sizeof(dm_target_spec), table.parameters.c_str(),
              table.parameters.size() + 1);
  if (const int error = call->run(DM_TABLE_LOAD); error != 0) {
    Error told = failure(error, "load a table of device mapper", table.parameters).value();
    told.hint = "the kernel's log has the reason";
    return tl::unexpected(std::move(told));
  }
  return {};
}

}  // namespace

std::string MapperStatus::node() const {
  return fmt::format("/dev/dm-{}", minor(device));
}

Result<void> check_target(const std::string& target) {
  // Where udev makes the node, opening it loads the driver; elsewhere nothing does.
  if (::access(kControl, F_OK) != 0) {
    static_cast<void>(os::run_to_end({.words = {"modprobe", "dm_mod"}}));
  }
  const auto call = std::make_unique<Call>("");
  std::strncpy(call->header().name, target.c_str(), sizeof(dm_ioctl::name) - 1);
  switch (const int error = call->run(DM_GET_TARGET_VERSION)) {
    case 0:
      return {};
    case EPERM:
    case EACCES:
      return fail(ErrorCode::permission,
                  "device mapper takes the right to administer the system (CAP_SYS_ADMIN)",
                  kControl);
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return fail(ErrorCode::not_supported, "the kernel has no device mapper here", kControl,
                  "modprobe dm_mod; a container needs that device");
    case EINVAL:
      return fail(ErrorCode::not_supported, fmt::format("the kernel has no target `{}`", target),
                  "",
                  "build and install the module dm-remap (docs/kernel.md), then `modprobe "
                  "dm-remap` says what keeps it away");
    default:
      return fail_errno(error, "ask device mapper", kControl);
  }
}

Result<std::optional<MapperStatus>> find_mapper(const std::string& uuid) {
  const auto call = std::make_unique<Call>(uuid);
  const int error = call->run(DM_DEV_STATUS);
  // Without device mapper there are none of its devices.
  if (error == ENXIO || error == ENOENT || error == ENODEV) return std::optional<MapperStatus>();
  if (error != 0) return failure(error, "ask device mapper", uuid);
  return std::optional(call->status());
}

Result<MapperTable> mapper_table(const std::string& uuid) {
  const auto call = std::make_unique<Call>(uuid);
  call->header().flags = DM_STATUS_TABLE_FLAG | DM_NOFLUSH_FLAG;
  if (const int error = call->run(DM_TABLE_STATUS); error != 0) {
    return failure(error, "read a table of device mapper", uuid);
  }
  if (call->header().target_count != 1) {
    return fail(ErrorCode::usage, "has not one target", uuid);
  }
  const auto* const target = reinterpret_cast<dm_target_spec*>(call->answer());
  const auto* const parameters =
      reinterpret_cast<const char*>(call->answer() + sizeof(dm_target_spec));
  return MapperTable{target->target_type, {target->length}, parameters};
}

Result<MapperStatus> make_mapper(const std::string& name, const std::string& uuid,
                                 const MapperTable& table, MapperUse use) {
  const auto call = std::make_unique<Call>(uuid);
  if (name.size() >= sizeof(dm_ioctl::name) || table.parameters.size() >= 1024) {
    return fail(ErrorCode::usage, "too long a name for a device-mapper device", name);
  }
  std::memcpy(call->header().name, name.data(), name.size());
  if (const int error = call->run(DM_DEV_CREATE); error == EBUSY) {
    return fail(ErrorCode::device_in_use, "there is a device-mapper device of that name", name,
                "it is not this set's: see `dmsetup info`");
  } else if (error != 0) {
    return failure(error, "make a device-mapper device", name);
  }
  auto made = load(uuid, table);
  if (made) {
    made = simple(uuid, DM_DEV_SUSPEND, 0, udev_flags(use), "resume a device-mapper device");
  }
  if (!made) {
    (void)remove_mapper(uuid);
    return failure_of(made);
  }
  const auto found = find_mapper(uuid);
  if (!found) return failure_of(found);
  if (!*found) return fail(ErrorCode::no_such_device, "is gone again", name);
  return **found;
}

Result<void> suspend_mapper(const std::string& uuid) {
  return simple(uuid, DM_DEV_SUSPEND, DM_SUSPEND_FLAG, 0, "suspend a device-mapper device");
}

Result<void> resume_mapper(const std::string& uuid) {
  return simple(uuid, DM_DEV_SUSPEND, 0, kPrimarySource << 16, "resume a device-mapper device");
}

// A kill after the load leaves a table that is not live, and one after the suspend a device whose
// requests wait: resumed by anyone, it has the new table.
Result<void> exchange_table(const std::string& uuid, const MapperTable& table, MapperUse use,
                            const std::function<void()>& in_between) {
  if (auto loaded = load(uuid, table); !loaded) return loaded;
  // A file system on it is not frozen: it has nothing to do with what lies below.
  if (auto suspended =
          simple(uuid, DM_DEV_SUSPEND, DM_SUSPEND_FLAG | DM_NOFLUSH_FLAG | DM_SKIP_LOCKFS_FLAG, 0,
                 "suspend a device-mapper device");
      !suspended) {
    (void)forget_loaded_table(uuid);
    return suspended;
  }
  if (in_between) in_between();
  auto resumed = simple(uuid, DM_DEV_SUSPEND, 0, udev_flags(use), "resume a device-mapper device");
  if (resumed) return resumed;
  (void)forget_loaded_table(uuid);
  (void)simple(uuid, DM_DEV_SUSPEND, 0, udev_flags(use), "resume a device-mapper device");
  return resumed;
}

Result<void> forget_loaded_table(const std::string& uuid) {
  return simple(uuid, DM_TABLE_CLEAR, 0, 0, "clear a table of device mapper");
}

Result<void> remove_mapper(const std::string& uuid) {
  return simple(uuid, DM_DEV_REMOVE, 0, kPrimarySource << 16, "remove a device-mapper device");
}

Result<void> remove_mapper_when_closed(const std::string& uuid) {
  return simple(uuid, DM_DEV_REMOVE, DM_DEFERRED_REMOVE, kPrimarySource << 16,
                "remove a device-mapper device");
}

Result<std::string> send_to_mapper(const std::string& uuid, const std::string& message) {
  return send_message({.uuid = uuid}, message);
}

}  // namespace dmremap::dm
