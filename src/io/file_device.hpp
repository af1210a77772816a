// SPDX-License-Identifier: GPL-2.0-or-later
// A block device or a regular file (an image) through pread and pwrite.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "io/block_device.hpp"
#include "io/ring.hpp"

namespace dmremap::io {

enum class Access { read_only, read_write };

// shared: to look at a device that others may use (create reads a mounted main, examine anything).
// exclusive: O_EXCL for block devices, flock(LOCK_EX) for images, held until the device is closed
// (promise 12); of a loop device also what it is a view of, and other views of the same bytes. A
// held or mounted device is error device_in_use.
enum class Holding { shared, exclusive };

struct OpenMode {
  Access access = Access::read_only;
  Holding holding = Holding::shared;
};

struct OpenedStorage;

class FileDevice final : public BlockDevice {
 public:
  // O_DIRECT wherever the file system offers it; images on one that does not (tmpfs) are read and
  // written through the page cache, and `direct()` says so.
  //
  // Block devices: sizes from ioctls, a partition as itself, not as its disk. Images: the size is
  // the file's, down to whole logical blocks (0 is fine here); the logical block is 512 unless
  // direct I/O to that file needs more; the physical block is the file system's block (st_blksize),
  // at most 4096, because that is the least the disk below is likely to lose at once.
  //
  // Errors: no_such_device, not_a_device, permission, device_in_use (says by whom; an image that is
  // attached to a loop device counts as in use when opened exclusively), device_read_only, io.
  static Result<std::unique_ptr<FileDevice>> open(const std::string& path, OpenMode mode);

  [[nodiscard]] bool is_block_device() const { return is_block_device_; }
  [[nodiscard]] bool direct() const { return direct_; }
  // Allocates the calling thread's bounce buffer, which unaligned direct requests go through. A
  // thread that did not call it does so in its first such request.
  static void prepare_thread();

  // From now on it is a device of this geometry: what lies beyond `geometry.size` is not served,
  // and what of that size is not there gives errors. Requires logical blocks no smaller than its
  // own, and that nobody else uses it yet.
  void serve_as(const Geometry& geometry) { set_geometry(geometry); }

  // Valid as long as this object; for fstat, ioctl and fingerprints.
  [[nodiscard]] int fd() const { return fd_.get(); }
  // For a main device that is taken into use: error block_size if its size is no multiple of its
  // logical block, because what lies behind the last whole block would not be served.
  [[nodiscard]] Result<void> check_whole_blocks() const;
  // What it had when it was opened, whatever it serves as.
  [[nodiscard]] SectorCount size_opened() const { return size_opened_; }
  // The size the kernel reports now.
  [[nodiscard]] Result<SectorCount> size_now() const;

 private:
  FileDevice(std::string path, const Geometry& geometry, OpenedStorage opened);
  IoStatus do_read(Sector first, std::span<std::byte> out) override;
  IoStatus do_write(Sector first, std::span<const std::byte> data) override;
  // Apart, so that a write that needs no look before it does not pay for one.
  [[gnu::noinline]] IoStatus write_direct(Sector first, std::span<const std::byte> data);
  void do_read_many(std::span<ReadOp> ops) override;
  void do_write_many(std::span<WriteOp> ops) override;
  IoStatus do_flush() override;
  IoStatus do_write_zeroes(SectorRange range) override;
  IoStatus do_discard(SectorRange range) override;

  // An image that became shorter than that.
  [[nodiscard]] bool is_truncated_before(Sector end) const;
  // How much of an op goes through the ring: all or nothing.
  [[nodiscard]] std::size_t ring_bytes(IoStatus status, std::span<const std::byte> memory) const;

  SectorCount size_opened_;
  FileDescriptor fd_;
  std::vector<FileDescriptor> below_;  // held, never used
  bool is_block_device_;
  bool direct_;
  // Made with the device, so that the I/O path allocates nothing; none where the kernel gives none.
  std::unique_ptr<Ring> ring_;
};

}  // namespace dmremap::io
