// SPDX-License-Identifier: GPL-2.0-or-later
// request_cost DEVICE COUNT BYTES read|write: requests past the page cache, one after the other at
// places that look random and are the same every time. Prints the median of what they took, by the
// processor's time stamp counter: in a guest that counts instructions (QEMU's icount) that is how
// many the request took, in the whole guest.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

namespace {

constexpr std::size_t kBufferBytes = 2U << 20;
constexpr int kWarmUp = 200;

std::uint64_t now() {
  _mm_lfence();
  return __rdtsc();
}

}  // namespace

int main(int count, char** words) {
  if (count < 5) {
    std::fprintf(stderr, "usage: request_cost DEVICE COUNT BYTES read|write\n");
    return 2;
  }
  const bool write = std::strcmp(words[4], "write") == 0;
  const auto bytes = static_cast<std::size_t>(std::atol(words[3]));
  const int fd = open(words[1], (write ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);
  std::uint64_t size = 0;
  if (fd < 0 || bytes == 0 || bytes > kBufferBytes || ioctl(fd, BLKGETSIZE64, &size) != 0) {
    std::perror(words[1]);
    return 1;
  }
  // In one huge page: how many segments a request has does not depend on luck.
  void* buffer = std::aligned_alloc(kBufferBytes, kBufferBytes);
  madvise(buffer, kBufferBytes, MADV_HUGEPAGE);
  std::memset(buffer, 0, kBufferBytes);
  std::vector<std::uint64_t> took(static_cast<std::size_t>(std::atol(words[2])));
  mlockall(MCL_CURRENT);
  std::uint64_t place = 12345;
  for (long i = -kWarmUp; i < static_cast<long>(took.size()); ++i) {
    place = place * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto offset = static_cast<off_t>((place >> 20U) % (size / bytes) * bytes);
    const std::uint64_t begin = now();
    const ssize_t done =
        write ? pwrite(fd, buffer, bytes, offset) : pread(fd, buffer, bytes, offset);
    const std::uint64_t end = now();
    if (done != static_cast<ssize_t>(bytes)) {
      std::perror("request");
      return 1;
    }
    if (i >= 0) {
      took[static_cast<std::size_t>(i)] = end - begin;
    }
  }
  const auto middle = took.begin() + static_cast<long>(took.size() / 2);
  std::nth_element(took.begin(), middle, took.end());
  std::printf("%llu\n", static_cast<unsigned long long>(*middle));
  return 0;
}
