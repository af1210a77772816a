// SPDX-License-Identifier: GPL-2.0-or-later
// A broken engine for tests: preloaded, it answers writes to the spare's data areas with success
// and forgets them. Metadata goes through, so the set looks sound while its remapped data is not
// there.
//
// DROP_FILE_SUFFIX: the end of the path whose writes are dropped. DROP_RANGES: "FIRST+COUNT,..." in
// sectors.
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include <dlfcn.h>
#include <unistd.h>

namespace {

constexpr off_t kSectorBytes = 512;

bool is_the_spare(int fd) {
  const char* suffix = std::getenv("DROP_FILE_SUFFIX");
  if (suffix == nullptr) {
    return false;
  }
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = readlink(link.c_str(), path.data(), path.size());
  return length > 0 &&
         std::string_view(path.data(), static_cast<std::size_t>(length)).ends_with(suffix);
}

bool is_data(off_t offset) {
  const char* ranges = std::getenv("DROP_RANGES");
  while (ranges != nullptr && *ranges != '\0') {
    char* end = nullptr;
    const off_t first = std::strtoll(ranges, &end, 10) * kSectorBytes;
    const off_t count = std::strtoll(end + 1, &end, 10) * kSectorBytes;
    if (offset >= first && offset < first + count) {
      return true;
    }
    ranges = *end == ',' ? end + 1 : end;
  }
  return false;
}

}  // namespace

extern "C" ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  using Pwrite = ssize_t (*)(int, const void*, size_t, off_t);
  static const auto real = reinterpret_cast<Pwrite>(dlsym(RTLD_NEXT, "pwrite64"));
  if (is_data(offset) && is_the_spare(fd)) {
    return static_cast<ssize_t>(size);
  }
  return real(fd, data, size, offset);
}
