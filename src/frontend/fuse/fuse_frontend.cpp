// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/fuse/fuse_frontend.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <exception>
#include <iterator>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/log.hpp"
#include "base/thread_name.hpp"
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

// Of which some may wait for a device that hangs. Beyond it requests wait for them in the kernel.
constexpr unsigned kMostThreads = 64;
// How long a thread has not been needed before it ends.
constexpr std::chrono::seconds kNotNeeded{5};

// Interrupts a thread that waits for a request; nothing else in the process uses it.
int wake_signal() {
  return SIGRTMIN + 7;
}

void install_wake_signal() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: read(2) must return
  ::sigaction(wake_signal(), &action, nullptr);
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
      file_{.disk = disk_,
            .threads = *this,
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
  {
    std::unique_lock<std::mutex> lock(mutex_);
    most_ = std::max(threads, 1U);
    least_ = os::is_io_flusher() ? 1 : most_;
    wanted_ = least_;
    for (unsigned i = 0; i < least_ + 1; ++i) {
      if (!add_thread(lock)) {
        return fail(ErrorCode::no_memory, "too few threads can be started", path());
      }
    }
    starting_ = false;
    // Whoever was made to be on standby may have a request by now.
    refill_standby(lock);
  }
  // The kernel sends FUSE_INIT at once after a mount; without it no request can be served.
  for (int waited = 0; !file_.ready.load(); ++waited) {
    if (ended() || waited > 1000) {
      return fail(ErrorCode::io, "the kernel does not talk to the mount", path());
    }
    std::this_thread::sleep_for(milliseconds(10));
  }
  return {};
}

bool FuseFrontend::serve_one(Worker& self, std::byte* memory) {
  fuse_buf request{};
  request.mem = memory;
  self.receives.store(true);
  receiving_.fetch_add(1, std::memory_order_relaxed);
  const int got = fuse_session_receive_buf(session_.get(), &request);
  const bool is_last = receiving_.fetch_sub(1, std::memory_order_relaxed) == 1;
  self.receives.store(false);
  if (got == -EINTR || got == -EAGAIN) return true;
  // It was unmounted or the connection is broken, for all threads.
  if (got <= 0) {
    const bool is_first = !ended_.exchange(true);
    if (got < 0 && is_first) log(Severity::error, fmt::format("{}: {}", path(), errno_text(-got)));
    return false;
  }
  if (is_last) on_all_busy();
  fuse_session_process_buf(session_.get(), &request);
  return true;
}

void FuseFrontend::serve(Worker& self) {
  name_this_thread("fuse");
  // Signals to the process are handled by other threads; only the wake signal may reach this one.
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, wake_signal());
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);

  remap::RequestTimer timer(engine_);
  serve_with(self.memory, timer);
  io::FileDevice::prepare_thread();
  std::unique_lock<std::mutex> lock(mutex_, std::defer_lock);
  bool in_turn = false;
  while (!stopping_.load()) {
    if (!in_turn || too_many()) {
      lock.lock();
      if (in_turn) serving_.fetch_sub(1);
      in_turn = take_turn(lock);
      lock.unlock();
      if (!in_turn) break;
    }
    if (!serve_one(self, self.memory.request())) break;
  }
  lock.lock();
  if (in_turn) serving_.fetch_sub(1);
  --running_;
  self.over = true;
  finished_.notify_all();
  needed_.notify_all();
}

// Without the lock, because memory may be short, and threads that serve requests take it.
bool FuseFrontend::add_thread(std::unique_lock<std::mutex>& lock) {
  ++running_;
  lock.unlock();
  std::list<Worker> made;
  try {
    Worker& worker = made.emplace_back(disk_.geometry().logical_block_bytes);
    worker.thread = std::thread([this, &worker] { serve(worker); });
  } catch (const std::exception& error) {
    made.clear();
    log(Severity::warning, fmt::format("no more threads to serve {}: {}", path(), error.what()));
  }
  lock.lock();
  const bool is_made = !made.empty();
  if (!is_made) --running_;
  workers_.splice(workers_.end(), made);
  return is_made;
}

// Those that were made and have not come to take_turn() yet are on standby too. After one that
// could not be made, whoever takes the last place tries again, once a second at most.
void FuseFrontend::refill_standby(std::unique_lock<std::mutex>& lock) {
  using std::chrono::steady_clock;
  const bool is_there = running_ != serving_.load() || running_ >= kMostThreads;
  if (starting_ || is_there || stopping_.load() || steady_clock::now() < next_try_) return;
  if (!add_thread(lock)) next_try_ = steady_clock::now() + std::chrono::seconds(1);
}

// One thread is always on standby: whoever takes its place makes the next, so that nothing has to
// be made when a device hangs.
bool FuseFrontend::take_turn(std::unique_lock<std::mutex>& lock) {
  const auto over = [this] { return stopping_.load() || ended_.load(); };
  const auto needed = [&] { return over() || serving_.load() < wanted_.load() + stuck_.load(); };
  // Another one is on standby, and this one was told to go.
  if (standby_ > 0 && least_ < most_ && !needed()) return false;
  ++standby_;
  while (!needed_.wait_for(lock, kNotNeeded, needed)) shrink(lock);
  --standby_;
  if (over()) return false;
  serving_.fetch_add(1);
  refill_standby(lock);
  return true;
}

// The request that has come is served at once; the next one finds a thread.
void FuseFrontend::on_all_busy() {
  if (!all_busy_.load(std::memory_order_relaxed)) all_busy_.store(true, std::memory_order_relaxed);
  if (wanted_.load(std::memory_order_relaxed) >= most_) return;
  std::unique_lock<std::mutex> lock(mutex_);
  refill_standby(lock);
  // With nobody on standby nobody could follow.
  if (wanted_.load() >= most_ || running_ == serving_.load()) return;
  wanted_.fetch_add(1);
  needed_.notify_one();
}

void FuseFrontend::shrink(std::unique_lock<std::mutex>& lock) {
  if (least_ == most_) return;
  if (!all_busy_.exchange(false)) wanted_ = least_;
  // One that has a request finds out by itself after it; one that waits for one is woken. A signal
  // that comes before the wait is lost: the next round sends another.
  for (Worker& worker : workers_) {
    if (too_many() && worker.receives.load()) {
      ::pthread_kill(worker.thread.native_handle(), wake_signal());
    }
  }
  std::list<Worker> ended;
  for (auto at = workers_.begin(); at != workers_.end();) {
    const auto next = std::next(at);
    if (at->over) ended.splice(ended.end(), workers_, at);
    at = next;
  }
  lock.unlock();
  for (Worker& worker : ended) worker.thread.join();
  lock.lock();
}

void FuseFrontend::on_stuck() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stuck_.fetch_add(1);
  needed_.notify_one();
}

void FuseFrontend::on_free() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stuck_.fetch_sub(1);
}

void FuseFrontend::end_threads() {
  stopping_.store(true);
  std::list<Worker> workers;
  {
    // After an unmount the threads end by themselves, but not if the mount still exists in another
    // mount namespace. A signal may come just before the read that it is meant to interrupt, so it
    // is sent repeatedly.
    std::unique_lock<std::mutex> lock(mutex_);
    if (workers_.empty()) return;
    needed_.notify_all();
    while (!finished_.wait_for(lock, milliseconds(20), [this] { return running_ == 0; })) {
      for (Worker& worker : workers_) {
        if (!worker.over) ::pthread_kill(worker.thread.native_handle(), wake_signal());
      }
    }
    workers.splice(workers.end(), workers_);
  }
  for (Worker& worker : workers) worker.thread.join();
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
  install_wake_signal();
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
