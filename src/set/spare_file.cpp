// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/spare_file.hpp"

#include <cerrno>
#include <filesystem>
#include <limits>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/units.hpp"
#include "format/layout.hpp"

namespace dmremap::set {

Result<SpareFile> SpareFile::make(const std::string& path, std::uint64_t bytes) {
  if (bytes < format::kMinSpareSize.bytes()) {
    return fail(ErrorCode::device_too_small, "a spare needs at least 16 MiB", path,
                "give a larger --spare-size");
  }
  constexpr std::uint64_t kLargest = std::numeric_limits<off_t>::max() / 2;
  if (bytes > kLargest) {
    return fail(ErrorCode::device_too_large, "no file can be that large", path,
                "give a smaller --spare-size");
  }
  const FileDescriptor fd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid() && errno == EEXIST) {
    return fail(ErrorCode::spare_has_data, "is there already", path,
                "leave out --spare-size to use it, or name a new file");
  }
  if (!fd.valid()) return fail_errno(errno, "make the spare", path);
  SpareFile made(path);

  const std::uint64_t size = align_up(bytes, format::kBlockBytes);
  // Returns the error instead of setting errno.
  const int error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(size));
  if (error != 0) {
    return fail_errno(error, fmt::format("reserve {} MiB for the spare", size / kMiB), path,
                      "make room, or give a smaller --spare-size or another place");
  }
  if (::fsync(fd.get()) != 0) return fail_errno(errno, "write the spare", path);
  const std::string directory = std::filesystem::path(path).parent_path();
  const FileDescriptor parent(
      ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent.valid() || ::fsync(parent.get()) != 0) {
    return fail_errno(errno, "write the directory of the spare", path);
  }
  return made;
}

SpareFile::~SpareFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

}  // namespace dmremap::set
