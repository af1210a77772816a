// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/disk.hpp"

#include "base/assert.hpp"

namespace dmremap::remap {

io::IoStatus run(Disk& disk, const Request& request) {
  switch (request.kind) {
    case Request::Kind::read:
      return disk.read(request.range.first, request.out);
    case Request::Kind::write:
      return disk.write(request.range.first, request.data, request.fua, request.timer);
    case Request::Kind::zeroes:
      return disk.write_zeroes(request.range, request.timer);
    case Request::Kind::discard:
      return disk.discard(request.range, request.timer);
    case Request::Kind::flush:
      break;
  }
  if (request.heard != nullptr) return disk.flush_for(*request.heard, request.timer);
  if (request.timer == nullptr) return disk.flush();
  FlushHeard shared;
  disk.begin_hearing(shared);
  return disk.flush_for(shared, request.timer);
}

io::IoStatus issue(const DirectRequest& direct) {
  const Request& request = direct.request();
  io::BlockDevice& device = direct.device();
  switch (request.kind) {
    case Request::Kind::read:
      return device.read(direct.at(), request.out);
    case Request::Kind::write:
      return device.write(direct.at(), request.data);
    case Request::Kind::zeroes:
      return device.write_zeroes({direct.at(), request.range.count});
    case Request::Kind::discard:
      return device.discard({direct.at(), request.range.count});
    case Request::Kind::flush:
      break;
  }
  return device.flush();
}

// A disk that knows no direct requests answers at once.
std::optional<DirectRequest> Disk::begin(const Request& request) {
  request.done->complete(run(*this, request));
  return std::nullopt;
}

std::optional<io::IoStatus> Disk::finish(DirectRequest, io::IoStatus) {
  DMREMAP_ASSERT(false);
  return std::nullopt;
}

}  // namespace dmremap::remap
