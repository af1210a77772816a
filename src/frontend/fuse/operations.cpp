// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/fuse/operations.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <exception>
#include <utility>

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.hpp"

// include/uapi/linux/fuse.h of Linux 6.2; older kernels pass it by.
#ifndef FOPEN_PARALLEL_DIRECT_WRITES
#define FOPEN_PARALLEL_DIRECT_WRITES (1 << 6)
#endif

namespace dmremap::fuse {

static_assert(sizeof(fuse_in_header) + sizeof(fuse_write_in) == kWriteHeaderBytes,
              "a write's data must land on a page boundary");
static_assert(sizeof(fuse_in_header) + sizeof(fuse_read_in) <= kWriteHeaderBytes,
              "a read's arguments must not lie in the payload it is answered from");

namespace {

using frontend::ByteDisk;

// Requests the kernel may have under way in the background; direct asynchronous I/O counts as
// such, and a loop device has a queue of 128, of which each may be two requests.
constexpr unsigned kMaxBackground = 256;

thread_local RequestMemory* this_threads_memory = nullptr;
thread_local remap::RequestTimer* this_threads_timer = nullptr;

frontend::Scratch scratch_of_thread() {
  DMREMAP_ASSERT(this_threads_memory != nullptr);
  return this_threads_memory->scratch();
}

FuseFile& file_of(fuse_req_t request) {
  return *static_cast<FuseFile*>(fuse_req_userdata(request));
}

// The account of the opening that a request came by (open below).
remap::FlushHeard& heard_by(const fuse_file_info& file) {
  return *std::bit_cast<remap::FlushHeard*>(static_cast<std::uintptr_t>(file.fh));
}

// Answers a request once: its thread does, or, if a device keeps that too long, somebody else.
class TimedReply final : public remap::TimedCaller {
 public:
  // `changed`: the blocks that the request may write.
  TimedReply(fuse_req_t request, SectorRange changed)
      : request_(request), threads_(file_of(request).threads), timer_(*this_threads_timer) {
    timer_.begin(changed, *this);
  }
  ~TimedReply() { (void)mine(); }
  TimedReply(const TimedReply&) = delete;
  TimedReply& operator=(const TimedReply&) = delete;

  [[nodiscard]] remap::RequestTimer* timer() const { return &timer_; }
  // True: nobody has answered, and nobody else will. False: the request is no more.
  [[nodiscard]] bool mine() {
    const bool claimed = timer_.claim();
    if (!claimed && !std::exchange(free_, true)) threads_.on_free();
    return claimed;
  }

  void expire() override {
    threads_.on_stuck();
    fuse_reply_err(request_, EIO);
  }

 private:
  fuse_req_t request_;
  ThreadBalance& threads_;
  remap::RequestTimer& timer_;
  bool free_ = false;
};

// No exception may pass through libfuse, which is C. Any exception makes the request fail.
template <typename Outcome, typename Function>
Outcome guarded(Function&& function, Outcome failed) {
  try {
    return function();
  } catch (const std::exception&) {
    return failed;
  }
}

struct stat attributes(const FuseFile& disk_file) {
  struct stat status {};
  status.st_ino = FUSE_ROOT_ID;
  status.st_mode = S_IFREG | (disk_file.read_only ? 0400U : 0600U);
  status.st_nlink = 1;
  status.st_uid = ::geteuid();
  status.st_gid = ::getegid();
  status.st_size = static_cast<off_t>(disk_file.disk.size_bytes());
  status.st_blocks = static_cast<blkcnt_t>(disk_file.disk.size_bytes() / kSectorBytes);
  status.st_blksize = std::max<blksize_t>(disk_file.disk.geometry().physical_block_bytes, 4096);
  status.st_atim = status.st_mtim = status.st_ctim = disk_file.since;
  return status;
}

// The attributes are not cached (timeout 0), so that a stat of the file tells whether its server is
// alive.
void reply_attributes(fuse_req_t request) {
  const struct stat status = attributes(file_of(request));
  fuse_reply_attr(request, &status, 0.0);
}

void init(void* user_data, fuse_conn_info* connection) {
  // No splicing: requests are read where their data can stay. No FUSE_CAP_ATOMIC_O_TRUNC: with it
  // the kernel would believe that opening with O_TRUNC emptied the file.
  connection->want = connection->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO);
  connection->max_write = kMaxRequestBytes;
  connection->max_read = 0;  // as many pages as for a write
  connection->max_readahead = 0;
  connection->max_background = kMaxBackground;
  connection->congestion_threshold = kMaxBackground;
  static_cast<FuseFile*>(user_data)->ready.store(true);
}

void getattr(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* /*file*/) {
  reply_attributes(request);
}

// The times may be set to no effect; the size is the disk's, owner and mode are ours.
void setattr(fuse_req_t request, fuse_ino_t /*inode*/, struct stat* wanted, int which,
             fuse_file_info* /*file*/) {
  constexpr int kRefused = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID;
  const auto size = static_cast<off_t>(file_of(request).disk.size_bytes());
  const bool resized = (which & FUSE_SET_ATTR_SIZE) != 0 && wanted->st_size != size;
  if (resized || (which & kRefused) != 0) {
    fuse_reply_err(request, EPERM);
    return;
  }
  reply_attributes(request);
}

void open(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* file) {
  FuseFile& disk_file = file_of(request);
  if (disk_file.read_only && (file->flags & O_ACCMODE) != O_RDONLY) {
    fuse_reply_err(request, EROFS);
    return;
  }
  // The answer is built here because libfuse 3.14 does not know parallel direct writes. NOFLUSH:
  // closing a disk is no reason to sync it, and there is no cache here that has to be told.
  remap::FlushHeard* handle = nullptr;
  try {
    handle = &disk_file.handles.add();
  } catch (const std::exception&) {
    fuse_reply_err(request, ENOMEM);
    return;
  }
  disk_file.disk.begin_hearing(*handle);
  fuse_open_out answer{};
  answer.fh = reinterpret_cast<std::uintptr_t>(handle);
  answer.open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_NOFLUSH;
  if (fuse_reply_buf(request, reinterpret_cast<const char*>(&answer), sizeof(answer)) != 0) {
    disk_file.handles.remove(*handle);  // the opener is gone, so no release will come
  }
}

void release(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* file) {
  file_of(request).handles.remove(heard_by(*file));
  fuse_reply_err(request, 0);
}

void reply_read(fuse_req_t request, int error, std::span<const std::byte> bytes) {
  if (error != 0) {
    fuse_reply_err(request, error);
  } else {
    fuse_reply_buf(request, reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

void read(fuse_req_t request, fuse_ino_t /*inode*/, std::size_t size, off_t offset,
          fuse_file_info* /*file*/) {
  FuseFile& disk_file = file_of(request);
  // This function object is small enough to be stored without an allocation.
  const auto later = [request, &disk_file](io::IoStatus status, std::span<const std::byte> bytes) {
    reply_read(request, status.ok() ? 0 : EIO, bytes);
    disk_file.answers_owed.fetch_sub(1);
  };
  TimedReply reply(request, {});
  const auto outcome = guarded<std::optional<ByteDisk::ReadOutcome>>(
      [&] {
        return disk_file.disk.read_or_later(static_cast<std::uint64_t>(offset), size,
                                            scratch_of_thread(), later, reply.timer());
      },
      ByteDisk::ReadOutcome{.error = EIO, .bytes = {}});
  if (!reply.mine()) return;
  if (outcome) {
    reply_read(request, outcome->error, outcome->bytes);
  } else {
    disk_file.answers_owed.fetch_add(1);  // it may have been answered already
  }
}

void write(fuse_req_t request, fuse_ino_t /*inode*/, const char* data, std::size_t size,
           off_t offset, fuse_file_info* file) {
  const bool fua = (file->flags & O_DSYNC) != 0;  // a part of O_SYNC
  FuseFile& disk_file = file_of(request);
  const auto at = static_cast<std::uint64_t>(offset);
  TimedReply reply(request, disk_file.disk.blocks_of(at, size));
  const auto outcome = guarded<ByteDisk::WriteOutcome>(
      [&] {
        return disk_file.disk.write(at, {reinterpret_cast<const std::byte*>(data), size}, fua,
                                    scratch_of_thread(), reply.timer());
      },
      {.error = EIO, .bytes = 0});
  if (!reply.mine()) return;
  if (outcome.error != 0) {
    fuse_reply_err(request, outcome.error);
  } else {
    fuse_reply_write(request, outcome.bytes);
  }
}

void fsync(fuse_req_t request, fuse_ino_t /*inode*/, int /*data_only*/, fuse_file_info* file) {
  FuseFile& disk_file = file_of(request);
  TimedReply reply(request, {});
  const int error =
      guarded<int>([&] { return disk_file.disk.flush_for(heard_by(*file), reply.timer()); }, EIO);
  if (reply.mine()) fuse_reply_err(request, error);
}

// Loop devices punch holes to discard and to write zeroes, so a hole must read as zeros. An answer
// of EOPNOTSUPP makes the kernel write the zeros itself where zeros were asked for, and do nothing
// where it was only a discard (docs/decisions/002).
void fallocate(fuse_req_t request, fuse_ino_t /*inode*/, int mode, off_t offset, off_t length,
               fuse_file_info* /*file*/) {
  const int kind = mode & ~FALLOC_FL_KEEP_SIZE;
  const bool is_hole = kind == FALLOC_FL_PUNCH_HOLE && file_of(request).punch_holes;
  if (!is_hole && kind != FALLOC_FL_ZERO_RANGE) {
    fuse_reply_err(request, EOPNOTSUPP);
    return;
  }
  FuseFile& disk_file = file_of(request);
  const auto at = static_cast<std::uint64_t>(offset);
  const auto bytes = static_cast<std::uint64_t>(length);
  TimedReply reply(request, disk_file.disk.blocks_of(at, bytes));
  const int error = guarded<int>(
      [&] { return disk_file.disk.write_zeroes(at, bytes, scratch_of_thread(), reply.timer()); },
      EIO);
  if (reply.mine()) fuse_reply_err(request, error);
}

// A loop device takes the block size as the granularity of its discards.
void statfs(fuse_req_t request, fuse_ino_t /*inode*/) {
  const FuseFile& disk_file = file_of(request);
  struct statvfs status {};
  status.f_bsize = disk_file.disk.geometry().physical_block_bytes;
  status.f_frsize = status.f_bsize;
  status.f_blocks = disk_file.disk.size_bytes() / status.f_bsize;
  status.f_files = 1;
  status.f_namemax = 255;
  fuse_reply_statfs(request, &status);
}

}  // namespace

remap::FlushHeard& OpenHandles::add() {
  const std::lock_guard<std::mutex> lock(mutex_);
  remap::FlushHeard& handle = handles_.emplace_back();
  count_.fetch_add(1);
  return handle;
}

void OpenHandles::remove(const remap::FlushHeard& handle) {
  const std::lock_guard<std::mutex> lock(mutex_);
  handles_.remove_if([&](const remap::FlushHeard& other) { return &other == &handle; });
  count_.fetch_sub(1);
}

void serve_with(RequestMemory& memory, remap::RequestTimer& timer) {
  this_threads_memory = &memory;
  this_threads_timer = &timer;
}

fuse_lowlevel_ops operations() {
  // Operations that are not set are answered with ENOSYS. The kernel then does not ask again
  // (flush, extended attributes, locks) or does the operation itself (lseek).
  fuse_lowlevel_ops table{};
  table.init = init;
  table.getattr = getattr;
  table.setattr = setattr;
  table.open = open;
  table.release = release;
  table.read = read;
  table.write = write;
  table.fsync = fsync;
  table.fallocate = fallocate;
  table.statfs = statfs;
  return table;
}

}  // namespace dmremap::fuse
