// SPDX-License-Identifier: GPL-2.0-or-later
// Read and write errors of disks in the kernel's log, as dmesg(1) and `journalctl -k` print it:
//
//   blk_update_request: critical medium error, dev sdb, sector 2048 op 0x0:(READ) flags 0x0 ...
//   I/O error, dev sdb, sector 4096 op 0x1:(WRITE) flags 0x800 ...
//   end_request: I/O error, dev sdb, sector 8192
//
// The sector is one of 512 bytes and counts from the start of the whole disk, also where a
// partition was read (block/blk-mq.c, blk_print_req_error). These lines are taken and no others:
// "Buffer I/O error on dev sdb1, logical block 7" does not say how large its blocks are, and the
// same request has a line of the first kind.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap::lists {

struct KernelLogErrors {
  // A read for which the drive itself reported a medium error: it names the sector.
  std::vector<SectorRange> lost;
  // Every other error. "I/O error" also stands for a cable or a controller, and names the first
  // sector of a request of which any sector may have failed; a write says nothing about reading;
  // kernels before 5.4 do not say which of the two it was.
  std::vector<SectorRange> suspect;
};

// True if a line is one of the above, of any disk.
[[nodiscard]] bool is_kernel_log(std::string_view text);

// Any bytes give the errors of `device` ("sdb" or "/dev/sdb"), in the order of the log, or an error
// (usage): no device is named, or the log has no error of it. The hint then names the disks that
// the log has errors of.
[[nodiscard]] Result<KernelLogErrors> parse_kernel_log(std::string_view text,
                                                       const std::string& name,
                                                       std::string_view device);

}  // namespace dmremap::lists
