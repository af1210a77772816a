// SPDX-License-Identifier: GPL-2.0-or-later
// block_request DEVICE OPERATION [SECTOR COUNT [SEED [FLAG]]]: one request past the page cache, for
// payloads in guests. What is written depends on SEED and on the place, and reads compare with it.
//
//   OPERATION  read, write, flush, discard, zero
//   FLAG       nowait, poll, durable (a write with FUA)
//
// Prints the error, if there is one. Exit status 0 ok, 1 the request failed, 2 wrong usage, 3 other
// contents.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

constexpr std::uint64_t kSectorBytes = 512;
constexpr std::size_t kAlignment = 4096;

void fill(std::span<std::uint64_t> words, std::uint64_t offset_bytes, std::uint64_t seed) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = seed * 0x9e3779b97f4a7c15ULL + offset_bytes / sizeof(std::uint64_t) + i;
  }
}

int flag_of(const std::string& name) {
  if (name == "nowait") {
    return RWF_NOWAIT;
  }
  if (name == "poll") {
    return RWF_HIPRI;
  }
  return name == "durable" ? RWF_DSYNC : 0;
}

int answer(bool ok) {
  if (!ok) {
    std::puts(std::strerror(errno));
  }
  return ok ? 0 : 1;
}

int transfer(int fd, bool write, std::uint64_t offset, std::uint64_t bytes, std::uint64_t seed,
             int flags) {
  auto* data = static_cast<std::uint64_t*>(std::aligned_alloc(kAlignment, bytes + kAlignment));
  const std::span words(data, bytes / sizeof(std::uint64_t));
  if (write) {
    fill(words, offset, seed);
  }
  const iovec part{.iov_base = data, .iov_len = bytes};
  const ssize_t done = write ? pwritev2(fd, &part, 1, static_cast<off_t>(offset), flags)
                             : preadv2(fd, &part, 1, static_cast<off_t>(offset), flags);
  if (done >= 0 && done != static_cast<ssize_t>(bytes)) {
    errno = EIO;
  }
  if (done != static_cast<ssize_t>(bytes) || write) {
    return answer(done == static_cast<ssize_t>(bytes));
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::uint64_t expected = 0;
    fill({&expected, 1}, offset + i * sizeof expected, seed);
    if (words[i] != expected) {
      std::printf("other contents at byte %zu\n", i * sizeof expected);
      return 3;
    }
  }
  return answer(true);
}

}  // namespace

int main(int count, char** words) {
  const std::span arguments(words, static_cast<std::size_t>(count));
  const std::string operation = count > 2 ? arguments[2] : "";
  const int fd = count > 2 ? open(arguments[1], O_RDWR | O_DIRECT | O_CLOEXEC) : -1;
  if (fd < 0) {
    std::perror(count > 2 ? arguments[1] : "usage: block_request DEVICE OPERATION");
    return 2;
  }
  const auto number = [&](std::size_t at) {
    return arguments.size() > at ? std::strtoull(arguments[at], nullptr, 10) : 0;
  };
  std::uint64_t range[] = {number(3) * kSectorBytes, number(4) * kSectorBytes};
  if (operation == "read" || operation == "write") {
    return transfer(fd, operation == "write", range[0], range[1], number(5),
                    flag_of(arguments.size() > 6 ? arguments[6] : ""));
  }
  if (operation == "flush") {
    return answer(fdatasync(fd) == 0);
  }
  if (operation == "discard" || operation == "zero") {
    return answer(ioctl(fd, operation == "zero" ? BLKZEROOUT : BLKDISCARD, range) == 0);
  }
  std::fprintf(stderr, "no such operation: %s\n", operation.c_str());
  return 2;
}
