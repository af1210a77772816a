// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuse_server.hpp"

#define FUSE_USE_VERSION 312
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include <fuse3/fuse_lowlevel.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount_file.hpp"

namespace dmremap::lab {

namespace {

constexpr std::size_t kMaxIoBytes = 1U << 20;
// Asynchronous requests that the kernel hands out at once: fewer than threads, so that a request
// of the other sort always finds one.
constexpr unsigned kBackground = FuseServer::kThreads - 16;
// Never cached: whoever looks at a disk whose lab was killed shall see that it is dead.
constexpr double kAttributesValidSeconds = 0;

// Held by a thread from before it receives a request until that has its place at the disk:
// otherwise requests that came one right after the other could overtake each other on their way
// there, and a stream would be none any more.
thread_local std::unique_lock<std::mutex> turn;

void end_turn() {
  if (turn.owns_lock()) turn.unlock();
}

// What libfuse last complained of on this thread; it would print it beside our own error line.
thread_local std::string complaint;

void on_complaint(fuse_log_level, const char* format, va_list values) {
  std::array<char, 256> text{};
  static_cast<void>(::vsnprintf(text.data(), text.size(), format, values));
  complaint = text.data();
  while (complaint.ends_with('\n')) complaint.pop_back();
}

Disk& disk_of(fuse_req_t req) {
  return *static_cast<Disk*>(::fuse_req_userdata(req));
}

struct stat attributes(const Disk& disk) {
  struct stat out {};
  out.st_ino = FUSE_ROOT_ID;
  out.st_mode = S_IFREG | 0600;
  out.st_nlink = 1;
  out.st_uid = ::geteuid();
  out.st_gid = ::getegid();
  out.st_size = static_cast<off_t>(disk.size_bytes());
  out.st_blocks = static_cast<blkcnt_t>(disk.size().value);
  out.st_blksize = 4096;
  return out;
}

void on_init(void*, fuse_conn_info* connection) {
  // Splicing would put pipes between the request and its buffer, for nothing: the data is copied
  // into the image anyway.
  connection->want &=
      ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
  connection->max_write = kMaxIoBytes;
  connection->max_background = kBackground;
  connection->congestion_threshold = kBackground;
}

void on_getattr(fuse_req_t req, fuse_ino_t, fuse_file_info*) {
  const struct stat facts = attributes(disk_of(req));
  ::fuse_reply_attr(req, &facts, kAttributesValidSeconds);
}

// A disk has a fixed size, and no owner, mode or times that anyone could set.
void on_setattr(fuse_req_t req, fuse_ino_t, struct stat* wanted, int what, fuse_file_info*) {
  const struct stat facts = attributes(disk_of(req));
  if (what == FUSE_SET_ATTR_SIZE && wanted->st_size == facts.st_size) {
    ::fuse_reply_attr(req, &facts, kAttributesValidSeconds);
  } else {
    ::fuse_reply_err(req, EPERM);
  }
}

void on_open(fuse_req_t req, fuse_ino_t, fuse_file_info*) {
  // fuse_reply_open() of libfuse before 3.15 cannot pass FOPEN_PARALLEL_DIRECT_WRITES (Linux 6.2,
  // include/uapi/linux/fuse.h); older kernels ignore it.
  fuse_open_out out{};
  out.open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
  ::fuse_reply_buf(req, reinterpret_cast<const char*>(&out), sizeof out);
}

void on_read(fuse_req_t req, fuse_ino_t, std::size_t bytes, off_t at, fuse_file_info*) {
  thread_local const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kMaxIoBytes);
  Disk& disk = disk_of(req);
  const auto offset = static_cast<std::uint64_t>(at);
  if (bytes > kMaxIoBytes) {
    ::fuse_reply_err(req, EINVAL);
    return;
  }
  const std::uint64_t left = disk.size_bytes() - std::min(offset, disk.size_bytes());
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, left));
  const int error = size == 0 ? 0 : disk.read(offset, {buffer.get(), size}, end_turn);
  if (error != 0) {
    ::fuse_reply_err(req, error);
  } else {
    ::fuse_reply_buf(req, reinterpret_cast<const char*>(buffer.get()), size);
  }
}

void on_write(fuse_req_t req, fuse_ino_t, const char* data, std::size_t bytes, off_t at,
              fuse_file_info*) {
  Disk& disk = disk_of(req);
  const auto offset = static_cast<std::uint64_t>(at);
  int error = ENOSPC;
  if (offset <= disk.size_bytes() && bytes <= disk.size_bytes() - offset) {
    error = disk.write(offset, std::as_bytes(std::span(data, bytes)), end_turn);
  }
  if (error != 0) {
    ::fuse_reply_err(req, error);
  } else {
    ::fuse_reply_write(req, bytes);
  }
}

void on_fsync(fuse_req_t req, fuse_ino_t, int, fuse_file_info*) {
  end_turn();
  ::fuse_reply_err(req, disk_of(req).flush());
}

void on_fallocate(fuse_req_t req, fuse_ino_t, int mode, off_t at, off_t length, fuse_file_info*) {
  Disk& disk = disk_of(req);
  const bool punch = mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
  const bool zero = (mode & ~FALLOC_FL_KEEP_SIZE) == FALLOC_FL_ZERO_RANGE;
  if (!punch && !zero) {
    ::fuse_reply_err(req, EOPNOTSUPP);
    return;
  }
  const auto offset = static_cast<std::uint64_t>(at);
  const std::uint64_t left = disk.size_bytes() - std::min(offset, disk.size_bytes());
  const auto bytes = static_cast<std::uint64_t>(length);
  if (bytes > left && (mode & FALLOC_FL_KEEP_SIZE) == 0) {
    ::fuse_reply_err(req, ENOSPC);
    return;
  }
  ::fuse_reply_err(req, disk.zero(offset, std::min(bytes, left), punch, end_turn));
}

constexpr fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops out{};
  out.init = on_init;
  out.getattr = on_getattr;
  out.setattr = on_setattr;
  out.open = on_open;
  out.read = on_read;
  out.write = on_write;
  out.fsync = on_fsync;
  out.fallocate = on_fallocate;
  return out;
}

constexpr fuse_lowlevel_ops kOperations = operations();

}  // namespace

Result<std::unique_ptr<FuseServer>> FuseServer::start(Disk& disk, const std::string& path) {
  std::unique_ptr<FuseServer> server(new FuseServer(disk, path));
  server->ended_ = FileDescriptor(::eventfd(0, EFD_CLOEXEC));
  if (!server->ended_.valid()) return fail_errno(errno, "make an eventfd", path);
  if (const auto mounted = server->mount(); !mounted) return failure_of(mounted);
  for (unsigned i = 0; i < kThreads; ++i) {
    server->threads_.emplace_back([raw = server.get()] { raw->work(); });
  }
  if (const auto ready = server->answers(); !ready) {
    // So that the threads end, which the destructor waits for.
    static_cast<void>(detach(path));
    return failure_of(ready);
  }
  return server;
}

Result<void> FuseServer::mount() {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    return fail_errno(errno, "use FUSE", "/dev/fuse",
                      "load the module with modprobe fuse, or pass the device to the container");
  }
  ::fuse_set_log_func(on_complaint);
  std::string program = "dmremap-lab";
  std::string option = "-ofsname=dmremap-lab,subtype=dmremap-lab";
  std::array<char*, 3> words{program.data(), option.data(), nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(2, words.data());
  session_ = ::fuse_session_new(&arguments, &kOperations, sizeof kOperations, &disk_);
  ::fuse_opt_free_args(&arguments);
  if (session_ == nullptr) {
    return fail(ErrorCode::internal, "cannot begin a FUSE session", path_);
  }
  if (::fuse_session_mount(session_, path_.c_str()) != 0) {
    return fail(ErrorCode::permission,
                complaint.empty() ? "cannot mount here with FUSE" : complaint, path_,
                "run it as root, or install fuse3");
  }
  return {};
}

Result<void> FuseServer::answers() const {
  struct stat facts {};
  if (::stat(path_.c_str(), &facts) != 0) return fail_errno(errno, "reach the mounted disk", path_);
  if (facts.st_size != static_cast<off_t>(disk_.size_bytes())) {
    return fail(ErrorCode::internal, "another mount covers the disk", path_, "unmount that first");
  }
  return {};
}

void FuseServer::work() {
  // libfuse allocates `mem` at the first request, of the size that it needs, and keeps it.
  fuse_buf request{};
  while (::fuse_session_exited(session_) == 0) {
    turn = std::unique_lock(receiving_);
    const int got = ::fuse_session_receive_buf(session_, &request);
    if (got <= 0) end_turn();
    if (got == -EINTR || got == -EAGAIN || got == -ENOENT) continue;
    if (got <= 0) break;  // the mount has gone
    ::fuse_session_process_buf(session_, &request);
    end_turn();
  }
  std::free(request.mem);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = ::write(ended_.get(), &one, sizeof one);
}

FuseServer::~FuseServer() {
  threads_.clear();
  if (session_ == nullptr) return;
  ::fuse_session_unmount(session_);
  ::fuse_session_destroy(session_);
}

}  // namespace dmremap::lab
