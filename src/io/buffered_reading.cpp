// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/buffered_reading.hpp"

#include <fcntl.h>

namespace dmremap::io {

BufferedReading::BufferedReading(const FileDevice& device)
    : fd_(device.fd()), flags_(::fcntl(fd_, F_GETFL)) {
  if (flags_ < 0) return;
  // If either is refused, reads of odd places fail, and what they were for is not learnt.
  (void)::fcntl(fd_, F_SETFL, flags_ & ~O_DIRECT);
  (void)::posix_fadvise(fd_, 0, 0, POSIX_FADV_RANDOM);
}

BufferedReading::~BufferedReading() {
  if (flags_ < 0) return;
  (void)::posix_fadvise(fd_, 0, 0, POSIX_FADV_NORMAL);
  (void)::fcntl(fd_, F_SETFL, flags_);
}

}  // namespace dmremap::io
