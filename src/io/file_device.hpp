// SPDX-License-Identifier: GPL-2.0-or-later
// A block device or a regular file (an image) through pread and pwrite.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "io/block_device.hpp"
#include "io/ring.hpp"

namespace dmremap::io {

enum class Access { read_only, read_write };

// `shared` is for looking at a device that others may use (create reads a mounted main, examine
// anything). `exclusive` holds it until it is closed (promise 12): O_EXCL for block devices,
// flock(LOCK_EX) for images. For a loop device it also holds its backing file or device and other
// views of the same bytes. If it is held or mounted already, the error is device_in_use.
enum class Holding { shared, exclusive };

struct OpenMode {
  Access access = Access::read_only;
  Holding holding = Holding::shared;
  // The node of a block device with the same bytes, which holds the one that is opened: this one is
  // read and written in its place, and held. What the device is called, and what it is, are those
  // of the one below. Empty: the device itself. Valid during the call.
  std::string_view through{};
};

struct OpenedStorage;

class FileDevice final : public BlockDevice {
 public:
  // Opens with O_DIRECT wherever the file system offers it. Images on one that does not (tmpfs) are
  // read and written through the page cache, and `direct()` says so.
  //
  // Block devices: the sizes come from ioctls; a partition is opened as itself, not as its disk.
  // Images: the size is that of the file, rounded down to whole logical blocks (0 is fine here).
  // The logical block is 512 bytes unless direct I/O to that file needs more. The physical block is
  // the block of the file system (st_blksize), at most 4096, because that is the least the disk
  // below is likely to lose at once.
  //
  // Errors: no_such_device, not_a_device, permission, device_in_use (names the users; an image that
  // is attached to a loop device counts as in use when opened exclusively), device_read_only, io.
  static Result<std::unique_ptr<FileDevice>> open(const std::string& path, OpenMode mode);

  [[nodiscard]] bool is_block_device() const { return is_block_device_; }
  [[nodiscard]] bool direct() const { return direct_; }
  [[nodiscard]] int descriptor_for(SectorRange written) const override;
  [[nodiscard]] bool lies_in_memory() const override { return lies_in_memory_; }
  // Allocates the calling thread's bounce buffer, which unaligned direct requests go through. A
  // thread that did not call it does so in its first such request.
  static void prepare_thread();

  // Makes this a device of the given geometry. Sectors beyond `geometry.size` are not served, and
  // sectors within it that do not exist give errors. Requires logical blocks no smaller than its
  // own, and that no other code uses it yet.
  void serve_as(const Geometry& geometry) { set_geometry(geometry); }

  // Valid as long as this object; for fstat, ioctl and fingerprints.
  [[nodiscard]] int fd() const { return itself_.valid() ? itself_.get() : fd_.get(); }
  // For a main device that is taken into use. Error block_size if its size is no multiple of its
  // logical block, because the part behind the last whole block would not be served.
  [[nodiscard]] Result<void> check_whole_blocks() const;
  // The size that the device is known to have: when it was opened, or as accept_size() says.
  // serve_as() does not change it.
  [[nodiscard]] SectorCount size_opened() const {
    return {size_opened_.load(std::memory_order_relaxed)};
  }
  // Serves all that there is of the device now, what serve_as() left out too, and returns its size.
  // Thread-safe, whoever uses the device. A device that became smaller is left as it is.
  Result<SectorCount> take_growth();
  // That the device has this size is no news from now on.
  void accept_size(SectorCount size) { size_opened_.store(size.value, std::memory_order_relaxed); }
  // The size the kernel reports now.
  [[nodiscard]] Result<SectorCount> size_now() const;

 private:
  FileDevice(std::string path, const Geometry& geometry, OpenedStorage opened);
  IoStatus do_read(Sector first, std::span<std::byte> out) override;
  IoStatus do_write(Sector first, std::span<const std::byte> data) override;
  // A function of its own, so that writes that need no check before them do not pay for it.
  [[gnu::noinline]] IoStatus write_direct(Sector first, std::span<const std::byte> data);
  void do_read_many(std::span<ReadOp> ops) override;
  void do_write_many(std::span<WriteOp> ops) override;
  IoStatus do_flush() override;
  IoStatus do_write_zeroes(SectorRange range) override;
  IoStatus do_discard(SectorRange range) override;

  // True if the image has become too short to reach to `end`.
  [[nodiscard]] bool is_truncated_before(Sector end) const;
  // The number of bytes of an op that the ring transfers: all of them or none.
  [[nodiscard]] std::size_t ring_bytes(IoStatus status, std::span<const std::byte> memory) const;

  std::atomic<std::uint64_t> size_opened_;
  FileDescriptor fd_;
  FileDescriptor itself_;              // where fd_ is another device with the same bytes
  std::vector<FileDescriptor> below_;  // backing files of a loop device; held, never used
  bool is_block_device_;
  bool direct_;
  bool lies_in_memory_;  // an image on tmpfs
  // Made with the device, so that the I/O path allocates nothing; none where the kernel gives none.
  std::unique_ptr<Ring> ring_;
};

}  // namespace dmremap::io
