// SPDX-License-Identifier: GPL-2.0-or-later
#include "storage.hpp"

#include <cstdlib>
#include <stdexcept>
#include <vector>

#include <unistd.h>

#include "base/aligned_buffer.hpp"
#include "base/file_descriptor.hpp"

namespace dmremap::bench {

namespace {

// Written once, so that no measured write has to allocate or convert blocks of the file system.
void fill(io::BlockDevice& device) {
  const AlignedBuffer zeros(1 << 20U);
  const SectorCount step = SectorCount::from_bytes(zeros.size());
  for (Sector at{0}; at.value < device.geometry().size.value; at = at + step) {
    if (!device.write(at, zeros.span()).ok()) throw std::runtime_error("cannot fill the image");
  }
  if (!device.flush().ok()) throw std::runtime_error("cannot flush the image");
}

}  // namespace

Image::Image(const std::string& directory, SectorCount size)
    : path_(directory + "/dmremap-bench-XXXXXX") {
  const FileDescriptor made(::mkstemp(path_.data()));
  if (made.get() < 0 || ::ftruncate(made.get(), static_cast<off_t>(size.bytes())) != 0) {
    throw std::runtime_error("cannot make an image in " + directory);
  }
  auto device = io::FileDevice::open(path_, {io::Access::read_write, io::Holding::exclusive});
  if (!device) {
    ::unlink(path_.c_str());
    throw std::runtime_error(device.error().what);
  }
  device_ = std::move(*device);
  fill(*device_);
}

Image::~Image() {
  ::unlink(path_.c_str());
}

void add_extent(format::Content& content) {
  const std::uint64_t i = content.extents.size();
  content.extents.push_back(format::Extent(format::State::remapped, {{i * 16}, {8}},
                                           {kFirstSpare, kFirstFree + SectorCount{i * 8}}));
}

format::Content content_with(std::uint64_t extents) {
  format::Content content;
  content.identity.name = "bench";
  content.identity.set_uuid.bytes[0] = std::byte{1};
  content.identity.spare_uuid.bytes[0] = std::byte{2};
  content.identity.main.size = {1'000'000'000};
  content.identity.spare.size = kSpareSize;
  while (content.extents.size() < extents) add_extent(content);
  return content;
}

}  // namespace dmremap::bench
