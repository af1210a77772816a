// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/probe.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>

namespace dmremap::discovery {

Result<Probe> Probe::open(const io::FileDevice& device) {
  const std::string same_file = fmt::format("/proc/self/fd/{}", device.fd());
  FileDescriptor fd(::open(same_file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "open for probing", device.path());
  // Advice only: without it probing is slower.
  (void)::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_RANDOM);
  Owned probe(::blkid_new_probe());
  if (probe == nullptr) return fail_errno(ENOMEM, "probe", device.path());
  if (::blkid_probe_set_device(probe.get(), fd.get(), 0, 0) != 0) {
    return fail(ErrorCode::io, "cannot be probed", device.path());
  }
  (void)::blkid_probe_set_sectorsize(probe.get(), device.geometry().logical_block_bytes);
  return Probe(std::move(fd), std::move(probe));
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
