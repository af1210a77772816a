// SPDX-License-Identifier: GPL-2.0-or-later
// A broken engine for tests: preloaded, it answers writes to the spare's data areas with success
// and forgets them. Metadata goes through, so the set looks sound while its remapped data is not
// there.
//
// DROP_FILE_SUFFIX: the end of the path whose writes are dropped. DROP_RANGES: "FIRST+COUNT,..." in
// sectors.
#include <array>
#include <cstdarg>
#include <cstdlib>
#include <string>
#include <string_view>

#include <dlfcn.h>
#include <sys/syscall.h>
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

bool is_dropped(int fd, off_t offset) {
  return is_data(offset) && is_the_spare(fd);
}

}  // namespace

extern "C" ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  using Pwrite = ssize_t (*)(int, const void*, size_t, off_t);
  static const auto real = reinterpret_cast<Pwrite>(dlsym(RTLD_NEXT, "pwrite64"));
  if (is_dropped(fd, offset)) return static_cast<ssize_t>(size);
  return real(fd, data, size, offset);
}

// The way of src/io/file_device.cpp. Whatever else is called so has up to six words, like any
// system call.
extern "C" long syscall(long number, ...) noexcept {
  std::array<long, 6> words{};
  va_list arguments;
  va_start(arguments, number);
  for (long& word : words) word = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_pwrite64 && is_dropped(static_cast<int>(words[0]), words[3])) return words[2];
  using Syscall = long (*)(long, ...);
  static const auto real = reinterpret_cast<Syscall>(dlsym(RTLD_NEXT, "syscall"));
  return real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
