// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "io/file_device.hpp"

namespace dmremap::io {

// While it lives, reads through the descriptor of the device go through the page cache: at any
// offset, into any memory, and without read-ahead, because each sector of a failing disk that need
// not be read may cost a minute. For libraries that read by themselves. Nobody else may use the
// device meanwhile; the device outlives it. Several at once are ended in reverse order.
class BufferedReading {
 public:
  explicit BufferedReading(const FileDevice& device);
  BufferedReading(const BufferedReading&) = delete;
  BufferedReading& operator=(const BufferedReading&) = delete;
  ~BufferedReading();

 private:
  int fd_;
  int flags_;  // of before; negative: they could not be learnt, and nothing was changed
};

}  // namespace dmremap::io
