// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/file_device.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/aligned_buffer.hpp"
#include "io/file_geometry.hpp"
#include "io/file_opening.hpp"

namespace dmremap::io {

namespace {

// Any multiple of the largest logical block will do; longer unaligned requests go in pieces.
constexpr std::size_t kBounceBytes = 256 * kKiB;

AlignedBuffer& bounce_buffer() {
  thread_local AlignedBuffer buffer(kBounceBytes);
  return buffer;
}

bool is_aligned(const void* memory) {
  return reinterpret_cast<std::uintptr_t>(memory) % AlignedBuffer::kAlignment == 0;
}

// Goes on with a request after the first transfer moved only `moved` of `bytes` (-1: it failed with
// errno). `transfer(done)` is one system call for the part that is left. A device that transfers
// nothing inside its size, or less than a block, has lost its end or is no longer there. That is an
// error of the device; it is neither read as zeros nor taken for a bad sector.
template <typename Transfer>
[[gnu::noinline]] IoStatus transfer_rest(ssize_t moved, std::size_t bytes, std::size_t block_bytes,
                                         Transfer transfer) {
  std::size_t done = 0;
  for (;;) {
    if (moved < 0) {
      if (errno != EINTR) return {errno};
    } else {
      // Direct I/O can only go on from the start of a block.
      const std::size_t whole = align_down(static_cast<std::size_t>(moved), block_bytes);
      if (whole == 0) return {ENXIO};
      done += whole;
      if (done >= bytes) return kIoOk;
    }
    moved = transfer(done);
  }
}

// The C library's pread and pwrite are points at which their thread may be cancelled, and prepare
// for that in every call of a process with threads. No thread of ours is ever cancelled, so the
// system call is made by itself. The sanitizers look at buffers in the library's functions.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCallsKernelItself = false;
#else
constexpr bool kCallsKernelItself =
    sizeof(long) == sizeof(off_t);  // else the offset takes two words
#endif

ssize_t read_at(int fd, std::span<std::byte> out, off_t offset) {
  if constexpr (kCallsKernelItself) {
    return ::syscall(SYS_pread64, fd, out.data(), out.size(), offset);
  }
  return ::pread(fd, out.data(), out.size(), offset);
}

ssize_t write_at(int fd, std::span<const std::byte> data, off_t offset) {
  if constexpr (kCallsKernelItself) {
    return ::syscall(SYS_pwrite64, fd, data.data(), data.size(), offset);
  }
  return ::pwrite(fd, data.data(), data.size(), offset);
}

// Nearly every request is one system call and nothing else: docs/performance.md, "Instructions".
IoStatus read_all(int fd, off_t offset, std::span<std::byte> out, std::size_t block_bytes) {
  const ssize_t moved = read_at(fd, out, offset);
  if (moved == static_cast<ssize_t>(out.size())) [[likely]]
    return kIoOk;
  return transfer_rest(moved, out.size(), block_bytes, [&](std::size_t done) {
    return read_at(fd, out.subspan(done), offset + static_cast<off_t>(done));
  });
}

IoStatus write_all(int fd, off_t offset, std::span<const std::byte> data, std::size_t block_bytes) {
  const ssize_t moved = write_at(fd, data, offset);
  if (moved == static_cast<ssize_t>(data.size())) [[likely]]
    return kIoOk;
  return transfer_rest(moved, data.size(), block_bytes, [&](std::size_t done) {
    return write_at(fd, data.subspan(done), offset + static_cast<off_t>(done));
  });
}

// Reads into memory that is not aligned for direct I/O, through an aligned buffer.
[[gnu::noinline]] IoStatus read_bounced(int fd, off_t offset, std::span<std::byte> out,
                                        std::size_t block_bytes) {
  while (!out.empty()) {
    const auto piece = bounce_buffer().span().first(std::min(out.size(), kBounceBytes));
    const IoStatus status = read_all(fd, offset, piece, block_bytes);
    if (!status.ok()) return status;
    std::memcpy(out.data(), piece.data(), piece.size());
    out = out.subspan(piece.size());
    offset += static_cast<off_t>(piece.size());
  }
  return kIoOk;
}

[[gnu::noinline]] IoStatus write_bounced(int fd, off_t offset, std::span<const std::byte> data,
                                         std::size_t block_bytes) {
  while (!data.empty()) {
    const auto piece = bounce_buffer().span().first(std::min(data.size(), kBounceBytes));
    std::memcpy(piece.data(), data.data(), piece.size());
    const IoStatus status = write_all(fd, offset, piece, block_bytes);
    if (!status.ok()) return status;
    data = data.subspan(piece.size());
    offset += static_cast<off_t>(piece.size());
  }
  return kIoOk;
}

// True if `end` lies beyond the end of the file, as far as the kernel knows without asking the
// server of a network or FUSE file system.
bool reaches_beyond_file(int fd, std::uint64_t end) {
  struct statx facts {};
  return ::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_SIZE, &facts) == 0 &&
         facts.stx_size < end;
}

bool is_in_memory(int fd) {
  struct statfs where {};
  return ::fstatfs(fd, &where) == 0 && (where.f_type == TMPFS_MAGIC || where.f_type == RAMFS_MAGIC);
}

IoStatus allocate(int fd, int mode, SectorRange range) {
  while (::fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(range.first.byte_offset()),
                     static_cast<off_t>(range.count.bytes())) != 0) {
    if (errno != EINTR) return {errno};
  }
  return kIoOk;
}

}  // namespace

FileDevice::FileDevice(std::string path, const Geometry& geometry, OpenedStorage opened)
    : BlockDevice(std::move(path), geometry),
      size_opened_(geometry.size.value),
      fd_(std::move(opened.fd)),
      itself_(std::move(opened.itself)),
      below_(std::move(opened.below)),
      is_block_device_(opened.is_block_device),
      direct_(opened.direct),
      lies_in_memory_(!is_block_device_ && is_in_memory(fd_.get())),
      ring_(Ring::create()) {}

Result<std::unique_ptr<FileDevice>> FileDevice::open(const std::string& path, OpenMode mode) {
  auto opened = open_storage(path, mode);
  if (!opened) return failure_of(opened);
  const auto geometry = opened->is_block_device
                            ? block_device_geometry(opened->fd.get(), path)
                            : image_geometry(opened->fd.get(), opened->direct, path);
  if (!geometry) return failure_of(geometry);
  return std::unique_ptr<FileDevice>(new FileDevice(path, *geometry, std::move(*opened)));
}

void FileDevice::prepare_thread() {
  bounce_buffer();
}

Result<SectorCount> FileDevice::size_now() const {
  const auto bytes = size_bytes(fd(), is_block_device_, path());
  if (!bytes) return failure_of(bytes);
  return SectorCount::from_bytes(align_down(*bytes, geometry().logical_block_bytes));
}

Result<SectorCount> FileDevice::take_growth() {
  auto now = size_now();
  // What it serves may be less than what it was opened with: serve_as().
  if (!now || *now <= geometry().size) return now;
  grow_to(*now);
  return now;
}

Result<void> FileDevice::check_whole_blocks() const {
  const auto bytes = size_bytes(fd_.get(), is_block_device_, path());
  if (!bytes) return failure_of(bytes);
  return io::check_whole_blocks(*bytes, geometry(), is_block_device_, path());
}

IoStatus FileDevice::do_read(Sector first, std::span<std::byte> out) {
  const std::size_t block_bytes = geometry().logical_block_bytes;
  const auto offset = static_cast<off_t>(first.byte_offset());
  if (!direct_ || is_aligned(out.data())) return read_all(fd_.get(), offset, out, block_bytes);
  return read_bounced(fd_.get(), offset, out, block_bytes);
}

// A write must not make a truncated image longer: the part between its old end and the write would
// read as zeros. The check and the write are two steps; docs/fault-model.md names what may happen
// in between.
bool FileDevice::is_truncated_before(Sector end) const {
  return !is_block_device_ && reaches_beyond_file(fd_.get(), end.byte_offset());
}

int FileDevice::descriptor_for(SectorRange written) const {
  // Buffered requests may wait for a disk in the kernel's own threads, and what a truncated image
  // is told by write() alone.
  if (!direct_ || (!written.empty() && is_truncated_before(written.end()))) return -1;
  return fd_.get();
}

IoStatus FileDevice::do_write(Sector first, std::span<const std::byte> data) {
  // An image without direct I/O lies in memory (tmpfs), where the check would cost as much as the
  // write. There DeviceWatch alone notices a truncation.
  if (direct_) return write_direct(first, data);
  return write_all(fd_.get(), static_cast<off_t>(first.byte_offset()), data,
                   geometry().logical_block_bytes);
}

IoStatus FileDevice::write_direct(Sector first, std::span<const std::byte> data) {
  const std::size_t block_bytes = geometry().logical_block_bytes;
  const auto offset = static_cast<off_t>(first.byte_offset());
  if (is_truncated_before(first + SectorCount::from_bytes(data.size()))) return {ENXIO};
  if (is_aligned(data.data())) return write_all(fd_.get(), offset, data, block_bytes);
  return write_bounced(fd_.get(), offset, data, block_bytes);
}

std::size_t FileDevice::ring_bytes(IoStatus status, std::span<const std::byte> memory) const {
  return status.ok() && (!direct_ || is_aligned(memory.data())) ? memory.size() : 0;
}

// Requests that the ring did not do, or did only in part, are done again one by one.
void FileDevice::do_read_many(std::span<ReadOp> ops) {
  std::vector<Ring::Transfer> transfers;
  for (const ReadOp& op : ops) {
    transfers.push_back({op.out.data(), ring_bytes(op.status, op.out), op.first.byte_offset()});
  }
  if (ring_ && ops.size() > 1) ring_->read(fd_.get(), transfers);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (!ops[i].status.ok() || transfers[i].is_whole()) continue;
    ops[i].status =
        transfers[i].failed() ? IoStatus{transfers[i].error()} : do_read(ops[i].first, ops[i].out);
  }
}

void FileDevice::do_write_many(std::span<WriteOp> ops) {
  std::vector<Ring::Transfer> transfers;
  for (WriteOp& op : ops) {
    if (op.status.ok() && is_truncated_before(op.first + SectorCount::from_bytes(op.data.size()))) {
      op.status = {ENXIO};
    }
    // The ring takes pointers to mutable memory, but a write does not change it.
    auto* memory = const_cast<std::byte*>(op.data.data());
    transfers.push_back({memory, ring_bytes(op.status, op.data), op.first.byte_offset()});
  }
  if (ring_ && ops.size() > 1) ring_->write(fd_.get(), transfers);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (!ops[i].status.ok() || transfers[i].is_whole()) continue;
    ops[i].status = transfers[i].failed() ? IoStatus{transfers[i].error()}
                                          : do_write(ops[i].first, ops[i].data);
  }
}

IoStatus FileDevice::do_flush() {
  // On a block device fdatasync also issues the cache flush (Linux, block/fops.c, blkdev_fsync).
  while (::fdatasync(fd_.get()) != 0) {
    if (errno != EINTR) return {errno};
  }
  return kIoOk;
}

IoStatus FileDevice::do_write_zeroes(SectorRange range) {
  if (range.empty()) return kIoOk;
  if (is_truncated_before(range.end())) return {ENXIO};
  // Both modes leave zeros, on block devices too; ZERO_RANGE also where a device cannot unmap
  // (Linux, block/fops.c, blkdev_fallocate).
  const IoStatus status = allocate(fd_.get(), FALLOC_FL_PUNCH_HOLE, range);
  if (status.error != EOPNOTSUPP) return status;
  return allocate(fd_.get(), FALLOC_FL_ZERO_RANGE, range);
}

IoStatus FileDevice::do_discard(SectorRange range) {
  if (range.empty()) return kIoOk;
  if (!is_block_device_) return allocate(fd_.get(), FALLOC_FL_PUNCH_HOLE, range);
  std::array<std::uint64_t, 2> bytes{range.first.byte_offset(), range.count.bytes()};
  while (::ioctl(fd_.get(), BLKDISCARD, bytes.data()) != 0) {
    if (errno != EINTR) return {errno};
  }
  return kIoOk;
}

}  // namespace dmremap::io
