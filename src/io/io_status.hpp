// SPDX-License-Identifier: GPL-2.0-or-later
// The outcome of one request to a device: an errno, and the class of fault that it tells of.
#pragma once

#include <cstdint>
#include <string_view>

namespace dmremap::io {

// 0 is success; else an errno as the kernel gave it. No allocation: this is the I/O path.
struct [[nodiscard]] IoStatus {
  int error = 0;

  [[nodiscard]] constexpr bool ok() const { return error == 0; }
  constexpr bool operator==(const IoStatus&) const = default;
};

inline constexpr IoStatus kIoOk{};

// The class of fault of a failed request, by its errno (the block layer's status to errno table:
// Linux, block/blk-core.c, blk_errors[]).
enum class Fault : std::uint8_t {
  media,        // this sector: ENODATA, EILSEQ, and ETIME of a drive with duration limits
  device,       // the device or the way to it: ENODEV, ENXIO, ENOLINK, ETIMEDOUT, ESHUTDOWN
  unknown,      // EIO: many drivers, USB bridges, FUSE and loop give it for everything: probe
  unsupported,  // EOPNOTSUPP, ENOTTY, ENOSYS: the operation, not the data
  no_space,     // ENOSPC, EDQUOT: the file system under an image is full
  caller,       // EINVAL, EFAULT, EROFS, EBADF, EPERM: our own mistake or a read-only device
};

[[nodiscard]] Fault classify(int error);
// True if the sector itself may be to blame, so that trying its neighbours one by one may help.
[[nodiscard]] constexpr bool may_be_the_sector(Fault fault) {
  return fault == Fault::media || fault == Fault::unknown;
}
// True if the drive itself says that the sector holds no data any more. A sector that it gave up in
// time (ETIME) is none: with more time it may read.
[[nodiscard]] bool says_data_is_lost(int error);
[[nodiscard]] std::string_view name_of(Fault fault);

// "EIO", "ENODATA": valid for ever. "errno 999" where there is no name: valid until this thread's
// next call.
[[nodiscard]] std::string_view errno_name(int error);

}  // namespace dmremap::io
