// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/dm/message_ioctl.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>

#include "base/file_descriptor.hpp"
#include "frontend/dm/messages.hpp"

namespace dmremap::dm {

namespace {

constexpr const char* kControl = "/dev/mapper/control";
constexpr std::size_t kAnswerBytes = 16 << 10;
// A list of all regions comes in parts that fit; what needs more than this is no answer of the
// target's.
constexpr std::size_t kAnswerBytesMax = 1 << 20;

tl::unexpected<Error> failure(int error, const std::string& name) {
  switch (error) {
    case EPROTONOSUPPORT:
      return tl::unexpected(other_protocol(name));
    case ESTALE:
      return tl::unexpected(other_table(name));
    case ENXIO:
      return fail(ErrorCode::no_such_device, "there is no such device-mapper device", name);
    case EPERM:
    case EACCES:
      return fail(ErrorCode::permission, "device mapper takes messages from root only", name);
    default:
      return fail_errno(error, "send a message to the kernel target", name);
  }
}

}  // namespace

Result<std::string> send_message(const MessageReceiver& to, const std::string& message) {
  const std::string& where = to.name.empty() ? to.uuid : to.name;
  const FileDescriptor control(open(kControl, O_RDWR | O_CLOEXEC));
  if (!control.valid()) {
    return fail_errno(errno, "open device mapper", kControl, "modprobe dm_mod");
  }
  if (to.name.size() >= sizeof(dm_ioctl::name) || to.uuid.size() >= sizeof(dm_ioctl::uuid)) {
    return fail(ErrorCode::usage, "too long a name for a device-mapper device", where);
  }
  for (std::size_t room = std::max(kAnswerBytes, message.size() + 1); room <= kAnswerBytesMax;
       room *= 2) {
    // The answer takes the message's place.
    const std::size_t bytes = sizeof(dm_ioctl) + sizeof(dm_target_msg) + room;
    const auto buffer = std::make_unique<std::byte[]>(bytes);
    auto* const request = new (buffer.get()) dm_ioctl{};
    request->version[0] = DM_VERSION_MAJOR;
    request->data_size = static_cast<std::uint32_t>(bytes);
    request->data_start = sizeof(dm_ioctl);
    std::memcpy(request->name, to.name.data(), to.name.size());
    std::memcpy(request->uuid, to.uuid.data(), to.uuid.size());
    std::byte* const data = buffer.get() + sizeof(dm_ioctl);
    auto* const target = new (data) dm_target_msg{};
    std::memcpy(target->message, message.c_str(), message.size() + 1);
    if (ioctl(control.get(), DM_TARGET_MSG, request) < 0) {
      return failure(errno, where);
    }
    if ((request->flags & DM_BUFFER_FULL_FLAG) != 0) {
      continue;
    }
    if ((request->flags & DM_DATA_OUT_FLAG) == 0) {
      return std::string();
    }
    const auto* const text = reinterpret_cast<const char*>(buffer.get() + request->data_start);
    return std::string(text, strnlen(text, bytes - request->data_start));
  }
  return fail(ErrorCode::protocol, "the answer of the kernel target is too long", where);
}

}  // namespace dmremap::dm
