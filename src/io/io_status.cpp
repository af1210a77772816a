// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/io_status.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace dmremap::io {

Fault classify(int error) {
  switch (error) {
    case ENODATA:
    case EILSEQ:
    case ETIME:  // a drive with duration limits gave the sector up in time (BLK_STS_DURATION_LIMIT)
      return Fault::media;
    case ENODEV:
    case ENXIO:
    case ENOLINK:
    case ETIMEDOUT:
    case ESHUTDOWN:
      return Fault::device;
    case EOPNOTSUPP:
    case ENOTTY:
    case ENOSYS:
      return Fault::unsupported;
    case ENOSPC:
    case EDQUOT:
      return Fault::no_space;
    case EINVAL:
    case EFAULT:
    case EROFS:
    case EBADF:
    case EPERM:
      return Fault::caller;
    default:
      // EIO says nothing about the cause. EREMOTEIO (target errors) and any other errno that a
      // driver may use say no more. Unknown is the class for which main is probed before anything
      // is concluded.
      return Fault::unknown;
  }
}

bool says_data_is_lost(int error) {
  return error == ENODATA || error == EILSEQ;
}

std::string_view name_of(Fault fault) {
  switch (fault) {
    case Fault::media:
      return "media";
    case Fault::device:
      return "device";
    case Fault::unknown:
      return "unknown";
    case Fault::unsupported:
      return "unsupported";
    case Fault::no_space:
      return "no-space";
    case Fault::caller:
      return "caller";
  }
  return "unknown";
}

std::string_view errno_name(int error) {
  const char* const name = ::strerrorname_np(error);
  if (name != nullptr) return name;
  thread_local std::array<char, 24> text;
  const auto written = fmt::format_to_n(text.data(), text.size(), "errno {}", error);
  return {text.data(), written.size};
}

}  // namespace dmremap::io
