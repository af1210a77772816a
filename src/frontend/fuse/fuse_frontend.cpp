// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/fuse/fuse_frontend.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/log.hpp"
#include "frontend/fuse/loop_device.hpp"
#include "frontend/fuse/mount_file.hpp"
#include "frontend/fuse/operations.hpp"
#include "io/file_device.hpp"
#include "os/process.hpp"
#include "os/usage.hpp"

namespace dmremap::fuse {

namespace {

using std::chrono::milliseconds;

// For fusermount3(1); they make the same names in /proc/mounts as MountFile does.
constexpr const char* kMountOptions = "fsname=dm-remap,subtype=dm-remap,default_permissions";

// The text that libfuse's complaints are added to while a session is made, so that they become part
// of the error. Later they go to the log.
thread_local std::string* complaints = nullptr;

[[gnu::format(printf, 2, 0)]] void take_complaint(fuse_log_level /*level*/, const char* format,
                                                  va_list arguments) {
  std::array<char, 512> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  std::string line(text.data());
  while (line.ends_with('\n')) line.pop_back();
  if (complaints == nullptr) {
    log(Severity::warning, line);
  } else if (complaints->empty()) {
    *complaints = line;
  }
}

// Root mounts over the file that is held. For other users fusermount3(1) mounts, by the path and
// with the rights of the user. Returns false if fusermount3 has to do it.
Result<bool> mount_as_root(fuse_session* session, const MountFile& file, bool read_only) {
  if (::geteuid() != 0) return false;
  auto connection = file.mount(read_only);
  if (!connection) {
    if (connection.error().code == ErrorCode::permission) return false;
    return failure_of(connection);
  }
  // The session takes the connection over and closes it (libfuse, fuse_session_mount).
  const std::string name = fmt::format("/dev/fd/{}", connection->get());
  if (fuse_session_mount(session, name.c_str()) != 0) {
    (void)file.unmount(os::UnmountMode::detached);
    return fail(ErrorCode::io, "libfuse does not take the mount", file.path());
  }
  (void)connection->release();
  return true;
}

}  // namespace

void FuseFrontend::SessionDestroyer::operator()(fuse_session* session) const {
  // Also frees the path that libfuse keeps. The mount itself is gone by then.
  fuse_session_unmount(session);
  fuse_session_destroy(session);
}

Result<FuseFrontend::Session> FuseFrontend::mount_session(FuseFile& file,
                                                          const MountFile& mount_file) {
  std::string complaint;
  complaints = &complaint;
  std::string program = "dm-remap";
  std::string flag = "-o";
  std::string options = fmt::format("{}{}", kMountOptions, file.read_only ? ",ro" : "");
  std::array<char*, 4> argv{program.data(), flag.data(), options.data(), nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(3, argv.data());
  const fuse_lowlevel_ops table = operations();
  Session session(fuse_session_new(&arguments, &table, sizeof(table), &file));
  fuse_opt_free_args(&arguments);
  Result<bool> mounted = false;
  if (session) mounted = mount_as_root(session.get(), mount_file, file.read_only);
  if (session && mounted && !*mounted) {
    mounted = fuse_session_mount(session.get(), mount_file.path().c_str()) == 0;
  }
  complaints = nullptr;
  if (!mounted) return failure_of(mounted);
  if (*mounted) return session;
  return fail(ErrorCode::io,
              complaint.empty() ? "cannot mount" : fmt::format("cannot mount: {}", complaint),
              mount_file.path(), "see that fuse3 is installed and that mounting is allowed here");
}

FuseFrontend::FuseFrontend(remap::Disk& disk, const FuseOptions& options, MountFile mount_file)
    : mount_file_(std::move(mount_file)),
      engine_(disk),
      disk_(disk, options.gate),
      threads_({.name = mount_file_.path(), .unit_bytes = disk_.geometry().logical_block_bytes},
               [this](ThreadPool::Worker& worker) { serve(worker); }),
      file_{.disk = disk_,
            .threads = threads_,
            .read_only = options.read_only,
            .punch_holes = options.punch_holes} {
  ::clock_gettime(CLOCK_REALTIME, &file_.since);
}

FuseFrontend::~FuseFrontend() {
  // An ended session need not be unmounted: the connection may have broken and left a dead mount.
  const bool mounted = ended()
                           ? os::mount_state(path(), os::kSetFileSystemType) == os::MountState::dead
                           : os::is_mounted(path());
  if (session_ && mounted) {
    if (auto done = mount_file_.unmount(os::UnmountMode::detached); !done) {
      log(Severity::warning, done.error().message());
    }
  }
  end_threads();
  session_.reset();  // closes the connection: programs that still have the file open get errors
  mount_file_.remove();
}

Result<void> FuseFrontend::run(unsigned threads) {
  auto session = mount_session(file_, mount_file_);
  if (!session) return failure_of(session);
  session_ = std::move(*session);
  // Where making a thread could wait for the disk itself, none is made later.
  if (auto made = threads_.start(threads, !os::is_io_flusher()); !made) return made;
  // The kernel sends FUSE_INIT at once after a mount; without it no request can be served.
  for (int waited = 0; !file_.ready.load(); ++waited) {
    if (ended() || waited > 1000) {
      return fail(ErrorCode::io, "the kernel does not talk to the mount", path());
    }
    std::this_thread::sleep_for(milliseconds(10));
  }
  return {};
}

bool FuseFrontend::serve_one(ThreadPool::Worker& self) {
  fuse_buf request{};
  request.mem = self.memory.request();
  threads_.waits(self);
  const int got = fuse_session_receive_buf(session_.get(), &request);
  threads_.has(self, got > 0);
  if (got == -EINTR || got == -EAGAIN) return true;
  // It was unmounted or the connection is broken, for all threads.
  if (got <= 0) {
    const bool is_first = !ended_.exchange(true);
    if (got < 0 && is_first) log(Severity::error, fmt::format("{}: {}", path(), errno_text(-got)));
    return false;
  }
  fuse_session_process_buf(session_.get(), &request);
  return true;
}

// One thread of the pool.
void FuseFrontend::serve(ThreadPool::Worker& self) {
  remap::RequestTimer timer(engine_);
  serve_with(self.memory, timer);
  io::FileDevice::prepare_thread();
  while (threads_.next(self) && serve_one(self)) {
  }
}

void FuseFrontend::end_threads() {
  // After an unmount the threads end by themselves, but not if the mount still exists in another
  // mount namespace.
  threads_.end();
  // Every answer comes by its deadline at the latest. It is polled for, because nothing has to be
  // quick here.
  while (file_.answers_owed.load() != 0) std::this_thread::sleep_for(milliseconds(5));
}

Result<void> FuseFrontend::unmount_unused() {
  // A close reaches this process a little after close(2) returned in the user's. The handles are
  // counted too because another mount namespace may use the file, which our unmount does not see.
  for (int tries = 0; tries < 20; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(milliseconds(50));
    // An aborted connection has no users any more, though no release is ever sent for its handles.
    // A dead mount that it leaves in the file tree is removed.
    if (ended()) {
      return os::mount_state(path(), os::kSetFileSystemType) == os::MountState::dead
                 ? mount_file_.unmount(os::UnmountMode::detached)
                 : Result<void>();
    }
    if (open_handles() > 0) continue;
    // Another program unmounted it (umount -l). A mount that is there now is not ours to unmount.
    if (!os::is_mounted(path())) return {};
    auto done = mount_file_.unmount(os::UnmountMode::if_unused);
    if (done || done.error().code != ErrorCode::device_in_use) return done;
  }
  const auto uses = os::uses_of(path());
  return fail(ErrorCode::device_in_use,
              uses.empty() ? fmt::format("in use: opened {} times", open_handles())
                           : fmt::format("in use: {}", fmt::join(uses, ", ")),
              path(), "end what uses it, then stop again");
}

Result<void> FuseFrontend::stop() {
  const std::lock_guard<std::mutex> alone(stop_mutex_);
  if (!session_) return {};
  if (auto done = unmount_unused(); !done) return done;
  // Nothing is mounted any more. The threads must have ended before the session is destroyed.
  end_threads();
  session_.reset();
  ended_.store(true);
  mount_file_.remove();
  return {};
}

Result<void> FuseFrontend::check_device() {
  const FileDescriptor device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (device.valid()) return {};
  switch (errno) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return fail(ErrorCode::not_supported, "this system has no FUSE", "/dev/fuse",
                  "load the module (modprobe fuse), or give the container the device");
    default:
      return fail_errno(errno, "use FUSE", "/dev/fuse",
                        "run as root, or allow this user or container the device");
  }
}

Result<std::unique_ptr<FuseFrontend>> FuseFrontend::start(remap::Disk& disk,
                                                          const FuseOptions& options) {
  fuse_set_log_func(take_complaint);
  if (auto there = check_device(); !there) return failure_of(there);
  if (auto cleared = clear_leftovers(options.mount_path, {}); !cleared) {
    return failure_of(cleared);
  }
  auto file = MountFile::provide(options.mount_path);
  if (!file) return failure_of(file);
  std::unique_ptr<FuseFrontend> frontend(new FuseFrontend(disk, options, std::move(*file)));
  if (auto running = frontend->run(options.threads); !running) {
    return failure_of(running);
  }
  return frontend;
}

}  // namespace dmremap::fuse
