// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/probe.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>

namespace dmremap::discovery {

Result<Probe> Probe::open(const io::FileDevice& device, DeviceUse use) {
  Probe out;
  int fd = device.fd();
  if (use == DeviceUse::alone) {
    out.buffered_ = std::make_unique<io::BufferedReading>(device);
  } else {
    const std::string same_file = fmt::format("/proc/self/fd/{}", device.fd());
    out.fd_ = FileDescriptor(::open(same_file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!out.fd_.valid()) return fail_errno(errno, "open for probing", device.path());
    fd = out.fd_.get();
    // Advice only: without it more is read than need be.
    (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  }
  out.probe_.reset(::blkid_new_probe());
  if (out.probe_ == nullptr) return fail_errno(ENOMEM, "probe", device.path());
  if (::blkid_probe_set_device(out.get(), fd, 0, 0) != 0) {
    return fail(ErrorCode::io, "cannot be probed", device.path());
  }
  (void)::blkid_probe_set_sectorsize(out.get(), device.geometry().logical_block_bytes);
  return out;
}

std::string Probe::value(const char* name) const {
  const char* data = nullptr;
  std::size_t size = 0;
  if (::blkid_probe_lookup_value(probe_.get(), name, &data, &size) != 0 || data == nullptr)
    return {};
  std::string text(data, size);
  return text.substr(0, text.find('\0'));
}

}  // namespace dmremap::discovery
