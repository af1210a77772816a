// SPDX-License-Identifier: GPL-2.0-or-later
// The binary interface of the kernel's ublk driver, as Linux 6.5 to 6.12 document it
// (Documentation/block/ublk.rst, linux/ublk_cmd.h). The header of Debian 12 is older: it has
// neither the encoded commands nor user copy, so the numbers and layouts are written down here.
#pragma once

#include <cstddef>
#include <cstdint>

#include <linux/ioctl.h>

namespace dmremap::ublk::abi {

inline constexpr const char* kControlPath = "/dev/ublk-control";

// ---- control commands: IORING_OP_URING_CMD on the control device, 128-byte entries ----

// At byte 48 of the submission entry.
struct ControlCommand {
  std::uint32_t device_id = 0;
  std::uint16_t queue_id = 0xffff;  // no command of ours is about one queue
  std::uint16_t bytes = 0;          // of the buffer
  std::uint64_t address = 0;        // of the buffer
  std::uint64_t data = 0;
  std::uint16_t path_bytes = 0;  // for devices without privileges
  std::uint16_t padding = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(ControlCommand) == 32);
static_assert(offsetof(ControlCommand, address) == 8);
static_assert(offsetof(ControlCommand, path_bytes) == 24);

inline constexpr std::uint32_t kGetDeviceInfo = _IOR('u', 0x02, ControlCommand);
inline constexpr std::uint32_t kAddDevice = _IOWR('u', 0x04, ControlCommand);
inline constexpr std::uint32_t kDeleteDevice = _IOWR('u', 0x05, ControlCommand);
inline constexpr std::uint32_t kStartDevice = _IOWR('u', 0x06, ControlCommand);
inline constexpr std::uint32_t kStopDevice = _IOWR('u', 0x07, ControlCommand);
inline constexpr std::uint32_t kSetParameters = _IOWR('u', 0x08, ControlCommand);
inline constexpr std::uint32_t kGetParameters = _IOR('u', 0x09, ControlCommand);
inline constexpr std::uint32_t kStartUserRecovery = _IOWR('u', 0x10, ControlCommand);
inline constexpr std::uint32_t kEndUserRecovery = _IOWR('u', 0x11, ControlCommand);
inline constexpr std::uint32_t kGetFeatures = _IOR('u', 0x13, ControlCommand);
inline constexpr std::uint32_t kDeleteDeviceAsync = _IOR('u', 0x14, ControlCommand);

// Features: of the driver (kGetFeatures), and of a device (DeviceInfo::flags).
inline constexpr std::uint64_t kUserRecovery = 1U << 3;
inline constexpr std::uint64_t kUserRecoveryReissue = 1U << 4;
inline constexpr std::uint64_t kEncodedCommands = 1U << 6;
inline constexpr std::uint64_t kUserCopy = 1U << 7;

struct DeviceInfo {
  std::uint16_t queues = 0;
  std::uint16_t depth = 0;
  std::uint16_t state = 0;
  std::uint16_t padding0 = 0;
  std::uint32_t request_bytes_max = 0;
  std::uint32_t device_id = 0;
  std::int32_t server_pid = 0;
  std::uint32_t padding1 = 0;
  std::uint64_t flags = 0;
  std::uint64_t server_flags = 0;  // the driver keeps it for the server and does not look at it
  std::uint32_t owner_uid = 0;
  std::uint32_t owner_gid = 0;
  std::uint64_t reserved1 = 0;
  std::uint64_t reserved2 = 0;
};
static_assert(sizeof(DeviceInfo) == 64);
static_assert(offsetof(DeviceInfo, server_pid) == 16);
static_assert(offsetof(DeviceInfo, flags) == 24);
static_assert(offsetof(DeviceInfo, server_flags) == 32);

inline constexpr std::uint16_t kStateDead = 0;
inline constexpr std::uint16_t kStateLive = 1;
inline constexpr std::uint16_t kStateQuiesced = 2;

// ---- parameters ----

inline constexpr std::uint32_t kAttributeReadOnly = 1U << 0;
inline constexpr std::uint32_t kAttributeRotational = 1U << 1;
inline constexpr std::uint32_t kAttributeVolatileCache = 1U << 2;
inline constexpr std::uint32_t kAttributeFua = 1U << 3;

struct BasicParameters {
  std::uint32_t attributes = 0;
  std::uint8_t logical_block_shift = 0;
  std::uint8_t physical_block_shift = 0;
  std::uint8_t io_opt_shift = 0;
  std::uint8_t io_min_shift = 0;
  std::uint32_t request_sectors_max = 0;
  std::uint32_t chunk_sectors = 0;
  std::uint64_t device_sectors = 0;
  std::uint64_t virtual_boundary_mask = 0;
};
static_assert(sizeof(BasicParameters) == 32);

struct DiscardParameters {
  std::uint32_t alignment = 0;
  std::uint32_t granularity = 0;
  std::uint32_t discard_sectors_max = 0;
  std::uint32_t write_zeroes_sectors_max = 0;
  std::uint16_t segments_max = 0;
  std::uint16_t reserved = 0;
};
static_assert(sizeof(DiscardParameters) == 20);

inline constexpr std::uint32_t kTypeBasic = 1U << 0;
inline constexpr std::uint32_t kTypeDiscard = 1U << 1;

// The driver's structure goes on with sections that are not used here; it takes and gives as much
// of it as `bytes` says.
struct Parameters {
  std::uint32_t bytes = sizeof(Parameters);
  std::uint32_t types = 0;
  BasicParameters basic;
  DiscardParameters discard;
  std::uint32_t padding = 0;  // the first word of the next section
};
static_assert(sizeof(Parameters) == 64);
static_assert(offsetof(Parameters, discard) == 40);

// ---- requests: IORING_OP_URING_CMD on /dev/ublkcN, only by the queue's own thread ----

// At byte 48 of the submission entry.
struct QueueCommand {
  std::uint16_t queue = 0;
  std::uint16_t tag = 0;
  std::int32_t result = 0;    // of a commit: bytes, or minus an errno
  std::uint64_t address = 0;  // must be 0 with user copy
};
static_assert(sizeof(QueueCommand) == 16);

inline constexpr std::uint32_t kFetch = _IOWR('u', 0x20, QueueCommand);
inline constexpr std::uint32_t kCommitAndFetch = _IOWR('u', 0x21, QueueCommand);

// What a tag asks for: an array by tag, written by the driver, in memory that the server maps.
struct RequestDescriptor {
  std::uint32_t operation_and_flags = 0;
  std::uint32_t sectors = 0;
  std::uint64_t first_sector = 0;
  std::uint64_t address = 0;
};
static_assert(sizeof(RequestDescriptor) == 24);

inline constexpr std::uint32_t kOperationMask = 0xff;
inline constexpr std::uint32_t kRead = 0;
inline constexpr std::uint32_t kWrite = 1;
inline constexpr std::uint32_t kFlush = 2;
inline constexpr std::uint32_t kDiscard = 3;
inline constexpr std::uint32_t kWriteZeroes = 5;
inline constexpr std::uint32_t kFlagFua = 1U << 13;
inline constexpr std::uint32_t kFlagNoUnmap = 1U << 15;

inline constexpr std::uint32_t kDepthMax = 4096;
inline constexpr std::uint64_t kPage = 4096;

constexpr std::uint64_t whole_pages(std::uint64_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}

// How much to map of the descriptors of a queue, exactly, and where they begin in /dev/ublkcN.
constexpr std::uint64_t descriptors_bytes(unsigned depth) {
  return whole_pages(depth * sizeof(RequestDescriptor));
}
constexpr std::uint64_t descriptors_offset(unsigned queue) {
  return queue * descriptors_bytes(kDepthMax);
}

// Where pread and pwrite on /dev/ublkcN find the data of a request (user copy): 25 bits of offset
// in the data, 16 of tag, 12 of queue, behind the descriptors.
constexpr std::uint64_t data_offset(unsigned queue, unsigned tag) {
  constexpr std::uint64_t kDataBegin = 0x80000000;
  return kDataBegin + (std::uint64_t{queue} << 41) + (std::uint64_t{tag} << 25);
}
inline constexpr std::uint32_t kRequestBytesMax = 1U << 25;

}  // namespace dmremap::ublk::abi
