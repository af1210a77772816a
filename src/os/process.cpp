// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/process.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"

namespace dmremap::os {

namespace {

// glibc gives a thread 8 MiB of stack and up to 64 MiB of heap of its own: locked, that would be
// most of a small machine. The deepest stack of a set that met bad sectors, moved data and was
// scanned held 24 KiB.
constexpr std::size_t kThreadStackBytes = 256 * std::size_t{1024};
// More than narrowing, recovery and a commit take at a time: a request each, and the table's slot.
constexpr int kLargeBlockBytes = 128 * 1024;
constexpr std::size_t kHeapReserveBytes = 8 * std::size_t{1024} * 1024;

constexpr bool kShadowMemory =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    true;
#else
    false;
#endif
#else
    false;
#endif

// mlock(2) has no limit for a process with CAP_IPC_LOCK. Root in a container often has that
// capability, but not CAP_SYS_RESOURCE, with which a limit can be raised.
bool may_lock_beyond_limits() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return false;
  return (sets[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

// Under a limit, locking the present memory may still succeed, but then allocations fail at any
// later time.
bool may_lock_without_limit() {
  if (may_lock_beyond_limits()) return true;
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return false;
  if (limit.rlim_cur == RLIM_INFINITY) return true;
  limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  return ::setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

}  // namespace

void bound_thread_memory() {
  pthread_attr_t attributes;
  if (::pthread_getattr_default_np(&attributes) != 0) return;
  // Failure leaves the larger default: more memory, nothing wrong.
  if (::pthread_attr_setstacksize(&attributes, kThreadStackBytes) == 0) {
    ::pthread_setattr_default_np(&attributes);
  }
  ::pthread_attr_destroy(&attributes);
  ::mallopt(M_ARENA_MAX, 1);
  // Large blocks stand by themselves and are given back, however often there was one before.
  ::mallopt(M_MMAP_THRESHOLD, kLargeBlockBytes);
}

namespace {

// From now on the heap never shrinks, and holds large blocks too. So memory that reserve_heap() put
// into it can be allocated without asking the kernel.
void keep_heap() {
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, INT_MAX);
}

}  // namespace

Result<void> lock_memory() {
  if (kShadowMemory) {
    return fail(ErrorCode::not_supported, "memory is not locked in a build with a sanitizer");
  }
  constexpr const char* kHint = "run as root, or without a limit on locked memory (ulimit -l)";
  if (!may_lock_without_limit()) {
    return fail(ErrorCode::permission, "memory is not locked: there is a limit", {}, kHint);
  }
  bound_thread_memory();
  // What is free at the heap's end would be locked with the rest.
  ::malloc_trim(0);
  keep_heap();
  if (::mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    return fail_errno(errno, "lock memory", {}, kHint);
  }
  return {};
}

void reserve_heap() {
  // The compiler must not find out that nothing comes of it.
  void* volatile reserve = std::malloc(kHeapReserveBytes);
  std::free(reserve);
}

Result<void> become_io_flusher() {
  if (::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0) return {};
  if (errno == EINVAL) {
    return fail(ErrorCode::not_supported, "the kernel has no PR_SET_IO_FLUSHER", {},
                "Linux 5.6 or later has it");
  }
  return fail_errno(errno, "become an I/O flusher", {}, "run as root");
}

Result<void> avoid_oom_killer() {
  constexpr const char* kPath = "/proc/self/oom_score_adj";
  constexpr std::string_view kNever = "-1000\n";  // proc(5)
  const FileDescriptor file(::open(kPath, O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, "open", kPath);
  if (::write(file.get(), kNever.data(), kNever.size()) < 0) {
    return fail_errno(errno, "keep the OOM killer away", kPath, "run as root");
  }
  return {};
}

std::vector<std::string> protect_io_process() {
  std::vector<std::string> missing;
  for (const auto& step : {lock_memory, become_io_flusher, avoid_oom_killer}) {
    if (auto done = step(); !done) missing.push_back(done.error().message());
  }
  return missing;
}

}  // namespace dmremap::os
