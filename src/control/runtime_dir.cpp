// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/runtime_dir.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "discovery/hints.hpp"
#include "os/trusted_directory.hpp"

namespace dmremap::control {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPidSuffix = ".pid";
// A killed process whose last request hangs in the disk may take longer: then it runs still.
constexpr std::chrono::milliseconds kEndOfKilled = std::chrono::seconds(10);

constexpr const char* kOwnDirectory =
    "set DMREMAP_RUNTIME_DIR to a directory of your own, mode 0700";

tl::unexpected<Error> with_hint(Error error) {
  error.hint = kOwnDirectory;
  return tl::unexpected(std::move(error));
}

// The directory that the runtime directory lies in; made, if need be, below directories that others
// cannot change.
Result<os::TrustedDirectory> open_parent(const fs::path& path) {
  const auto trust = os::PathTrust::no_foreign_changes;
  const fs::path parent = path.parent_path();
  fs::path existing = parent;
  std::error_code error;
  while (existing.has_relative_path() && !fs::exists(existing, error)) {
    existing = existing.parent_path();
  }
  auto opened = os::TrustedDirectory::open(existing.string(), trust);
  if (!opened || existing == parent) return opened;
  fs::create_directories(parent, error);
  if (error) return fail_errno(error.value(), "make the directory", parent.string());
  return os::TrustedDirectory::open(parent.string(), trust);
}

std::string from_variable(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? std::string() : std::string(value);
}

std::optional<pid_t> read_pid(int fd) {
  std::array<char, 16> text{};
  const ssize_t got = ::pread(fd, text.data(), text.size() - 1, 0);
  pid_t pid = 0;
  if (got <= 0 || std::from_chars(text.data(), text.data() + got, pid).ec != std::errc{}) {
    return std::nullopt;
  }
  return pid;
}

// Open file description locks: they end with the description, as flock's do, and whether one is
// held can be asked without taking it.
bool lock_exclusively(int fd) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

bool is_locked(int fd) {
  struct flock whole {};
  whole.l_type = F_RDLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

// A process that was killed holds its locks and devices until the last of its threads is gone,
// which takes a while with locked memory to give back. See proc(5), /proc/pid/stat: (3) state, (9)
// flags, (31) signal; PF_EXITING is in include/linux/sched.h.
bool is_ending(pid_t pid) {
  constexpr std::uint64_t kExiting = 0x4;
  constexpr std::size_t kState = 0;
  constexpr std::size_t kFlags = 6;
  constexpr std::size_t kPendingSignals = 28;
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string stat;
  std::getline(file, stat);
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream rest(stat.substr(name_end + 1));
  const std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
  if (fields.size() <= kPendingSignals) return false;
  const auto bits = [&](std::size_t field) {
    return std::strtoull(fields[field].c_str(), nullptr, 10);
  };
  return fields[kState] == "Z" || fields[kState] == "X" || (bits(kFlags) & kExiting) != 0 ||
         (bits(kPendingSignals) & (1ULL << (SIGKILL - 1))) != 0;
}

// Until all of it is gone, threads and open files too, or time is up.
void wait_until_gone(pid_t pid, std::chrono::milliseconds at_most) {
  const FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) return;
  pollfd gone{process.get(), POLLIN, 0};
  (void)::poll(&gone, 1, static_cast<int>(at_most.count()));
}

bool is_still_at(int fd, const std::string& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

}  // namespace

namespace {

std::string absolute(const std::string& path) {
  std::error_code error;
  const fs::path made = fs::absolute(path, error);
  return error ? path : made.lexically_normal().string();
}

// `runtime`: the runtime directory, if the environment names one; else empty.
std::string state_directory(const std::string& runtime) {
  if (auto named = from_variable("DMREMAP_STATE_DIR"); !named.empty()) return absolute(named);
  if (!runtime.empty()) return runtime;
  if (::geteuid() == 0) return "/var/lib/dm-remap";
  if (auto state = from_variable("XDG_STATE_HOME"); !state.empty()) return state + "/dm-remap";
  return from_variable("HOME") + "/.local/state/dm-remap";
}

}  // namespace

Result<RuntimeDir> RuntimeDir::from_environment() {
  std::string path = from_variable("DMREMAP_RUNTIME_DIR");
  const std::string state = state_directory(path.empty() ? path : absolute(path));
  if (path.empty() && ::geteuid() == 0) path = "/run/dmremap";
  if (path.empty()) {
    path = from_variable("XDG_RUNTIME_DIR");
    if (path.empty()) {
      return fail(ErrorCode::usage, "no runtime directory is known", "XDG_RUNTIME_DIR",
                  "set DMREMAP_RUNTIME_DIR to a directory of your own");
    }
    path += "/dmremap";
  }
  return RuntimeDir(absolute(path), state);
}

Result<void> RuntimeDir::make() const {
  const fs::path path(path_);
  const auto parent = open_parent(path);
  if (!parent) return with_hint(parent.error());
  const std::string name = path.filename().string();
  if (::mkdirat(parent->fd(), name.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno(errno, "make the runtime directory", path_, kOwnDirectory);
  }
  const auto opened = os::TrustedDirectory::open(path_, os::PathTrust::no_foreign_changes);
  if (!opened) return with_hint(opened.error());
  struct stat st {};
  if (::fstat(opened->fd(), &st) != 0) return fail_errno(errno, "open", path_);
  // The sticky bit, which the look at the path is content with, would still let others add files.
  if (st.st_uid != ::geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(ErrorCode::permission, "others can write to the runtime directory", path_,
                kOwnDirectory);
  }
  return {};
}

std::string RuntimeDir::file(const std::string& name, std::string_view suffix) const {
  return fmt::format("{}/{}{}", path_, name, suffix);
}

std::vector<std::string> RuntimeDir::names() const {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    std::string name = entry.path().filename();
    if (!name.ends_with(kPidSuffix)) continue;
    name.resize(name.size() - kPidSuffix.size());
    if (discovery::is_set_name(name)) found.push_back(std::move(name));
  }
  std::sort(found.begin(), found.end());
  return found;
}

Result<PidFile> PidFile::take(const std::string& path) {
  // A holder that ends removes the file before it lets go: then what was locked is no longer what
  // the path names, and the next try makes a new one.
  for (int tries = 0; tries < 16; ++tries) {
    FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid()) return fail_errno(errno, "make the pid file", path);
    // Also if the file is free: the devices are let go of after it.
    if (const auto pid = read_pid(fd.get()); pid && is_ending(*pid)) {
      wait_until_gone(*pid, kEndOfKilled);
    }
    if (!lock_exclusively(fd.get())) {
      if (errno != EAGAIN && errno != EACCES) return fail_errno(errno, "lock the pid file", path);
      const auto pid = read_pid(fd.get());
      return fail(ErrorCode::name_in_use,
                  pid ? fmt::format("runs already, as process {}", *pid) : "is being started",
                  fs::path(path).stem(), "see `dmremap status`, or stop it first");
    }
    if (!is_still_at(fd.get(), path)) continue;
    const std::string text = fmt::format("{}\n", ::getpid());
    if (::ftruncate(fd.get(), 0) != 0 ||
        ::pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
      return fail_errno(errno, "write the pid file", path);
    }
    return PidFile(path, std::move(fd));
  }
  return fail(ErrorCode::io, "the pid file keeps changing", path);
}

PidFile::~PidFile() {
  if (fd_.valid()) ::unlink(path_.c_str());
}

std::optional<pid_t> holder_of(const std::string& pid_file) {
  const FileDescriptor fd(::open(pid_file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return std::nullopt;
  if (!is_locked(fd.get())) return std::nullopt;
  return read_pid(fd.get()).value_or(0);
}

std::optional<pid_t> dead_holder_of(const std::string& pid_file) {
  const FileDescriptor fd(::open(pid_file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid() || is_locked(fd.get())) return std::nullopt;
  // A daemon that stopped between the open and the look has removed the file.
  if (!is_still_at(fd.get(), pid_file)) return std::nullopt;
  return read_pid(fd.get()).value_or(0);
}

}  // namespace dmremap::control
