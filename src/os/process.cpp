// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include <fcntl.h>
#include <link.h>
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
#include "base/parse.hpp"
#include "os/sysfs.hpp"

namespace dmremap::os {

namespace {

// More than narrowing, recovery and a commit take at a time: a request each, and the table's slot.
constexpr int kLargeBlockBytes = 128 * 1024;
constexpr MemoryPolicy kUsualPolicy{.heap_reserve_bytes = 8 * std::size_t{1024} * 1024,
                                    .request_threads = 16};
// A request each for the threads that may be there, and the table's slot.
constexpr MemoryPolicy kSmallPolicy{.heap_reserve_bytes = 4 * std::size_t{1024} * 1024,
                                    .request_threads = 4};
// With less, the usual policy would take more than an eighth of it under load.
constexpr std::uint64_t kSmallMachineBytes = 512 * std::uint64_t{1024} * 1024;

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

// glibc gives a thread 8 MiB of stack and up to 64 MiB of heap of its own: locked, that would be
// most of a small machine. The deepest stack of a set that met bad sectors, moved data and was
// scanned held 24 KiB. Frames are larger under a sanitizer.
constexpr std::size_t kThreadStackBytes = (kShadowMemory ? 256 : 128) * std::size_t{1024};

// The libraries whose code requests run through, beside that of the program. All others serve
// commands, pictures, JSON, fingerprints and udev: their code may be read from its file when it is
// needed, which never lies on the device that this process serves, and no request waits for it.
constexpr std::array kLockedLibraries{"ld-linux",     "libc.so",     "libfmt.so",
                                      "libfuse3.so",  "libgcc_s",    "libisal.so",
                                      "libstdc++.so", "liburing.so", "nbdkit-"};

bool is_locked(std::string_view path) {
  // The program itself has no name, and the kernel's part is no file. A copy in memory could be
  // swapped out, to the device that this process serves.
  if (!path.starts_with('/') || path.starts_with("/proc/self/fd/")) return true;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return std::ranges::any_of(kLockedLibraries,
                             [name](const char* locked) { return name.starts_with(locked); });
}

// What a library writes to stays locked. What lies between its parts is address space only, but
// counts as locked.
int unlock_code_of(dl_phdr_info* library, std::size_t /*size*/, void* /*data*/) {
  if (is_locked(library->dlpi_name)) return 0;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto unlock = [](std::size_t first, std::size_t end) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as numbers.
    if (first < end) ::munlock(reinterpret_cast<const void*>(first), end - first);
  };
  std::size_t from = 0;
  // Parts are in order of address (elf(5)).
  for (std::size_t i = 0; i < library->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = library->dlpi_phdr[i];
    if (part.p_type != PT_LOAD) continue;
    const std::size_t begin = (library->dlpi_addr + part.p_vaddr) / page * page;
    const std::size_t end =
        (library->dlpi_addr + part.p_vaddr + part.p_memsz + page - 1) / page * page;
    const bool is_written = (part.p_flags & PF_W) != 0;
    unlock(from == 0 ? begin : from, is_written ? begin : end);
    from = end;
  }
  return 0;
}

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

MemoryPolicy memory_policy(std::uint64_t bytes) {
  return bytes < kSmallMachineBytes ? kSmallPolicy : kUsualPolicy;
}

MemoryPolicy memory_policy() {
  const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
  std::uint64_t bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  for (const std::string& path : memory_limits_of(read_attribute("/proc/self/cgroup"))) {
    // "max" is no number.
    if (const auto limit = parse_number(read_attribute(path))) bytes = std::min(bytes, *limit);
  }
  return memory_policy(bytes);
}

// A line for each hierarchy, NUMBER:CONTROLLERS:PATH (the kernel's cgroups(7)). That of version 2
// names no controllers, and has the memory controller unless version 1 has it.
std::vector<std::string> memory_limits_of(const std::string& groups) {
  std::vector<std::string> out;
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") out.push_back("/sys/fs/cgroup" + path + "/memory.max");
    if (controllers.find(",memory,") != std::string::npos) {
      out.push_back("/sys/fs/cgroup/memory" + path + "/memory.limit_in_bytes");
    }
  }
  return out;
}

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
  ::dl_iterate_phdr(unlock_code_of, nullptr);
  return {};
}

void reserve_heap() {
  // The compiler must not find out that nothing comes of it.
  void* volatile reserve = std::malloc(memory_policy().heap_reserve_bytes);
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

bool is_io_flusher() {
  return ::prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1;
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
