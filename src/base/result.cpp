// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/result.hpp"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace dmremap {

std::string Error::message() const {
  std::string out;
  if (!where.empty()) out = where + ": ";
  out += what;
  if (!hint.empty()) out += "; " + hint;
  return out;
}

std::string errno_text(int error) {
  const char* text = ::strerrordesc_np(error);
  return text != nullptr ? text : fmt::format("errno {}", error);
}

namespace {

ErrorCode code_of_errno(int error) {
  switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return ErrorCode::no_such_device;
    case EACCES:
    case EPERM:
      return ErrorCode::permission;
    case EROFS:
      return ErrorCode::device_read_only;
    case EBUSY:
      return ErrorCode::device_in_use;
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::no_space;
    case ENOMEM:
      return ErrorCode::no_memory;
    default:
      return ErrorCode::io;
  }
}

}  // namespace

tl::unexpected<Error> fail_errno(int error, std::string_view doing, std::string where,
                                 std::string hint) {
  return fail(code_of_errno(error), fmt::format("cannot {}: {}", doing, errno_text(error)),
              std::move(where), std::move(hint));
}

}  // namespace dmremap
