// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/runtime_dir.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "discovery/hints.hpp"
#include "os/path.hpp"
#include "os/process_end.hpp"
#include "os/runtime_directory.hpp"

namespace dmremap::control {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPidSuffix = ".pid";
// A killed process may take longer than this if its last request hangs in the disk. Then it counts
// as still running.
constexpr std::chrono::milliseconds kEndOfKilled = std::chrono::seconds(10);

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

bool is_still_at(int fd, const std::string& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

// `runtime`: the runtime directory, if the environment names one; else empty.
std::string state_directory(const std::string& runtime) {
  if (auto named = os::environment("DMREMAP_STATE_DIR"); !named.empty()) return os::absolute(named);
  if (!runtime.empty()) return runtime;
  if (::geteuid() == 0) return "/var/lib/dm-remap";
  if (auto state = os::environment("XDG_STATE_HOME"); !state.empty()) return state + "/dm-remap";
  return os::environment("HOME") + "/.local/state/dm-remap";
}

// `runtime`: as above.
std::string config_directory(const std::string& runtime) {
  if (auto named = os::environment("DMREMAP_CONFIG_DIR"); !named.empty()) {
    return os::absolute(named);
  }
  if (!runtime.empty()) return runtime;
  return ::geteuid() == 0 ? "/etc/dm-remap" : "";
}

}  // namespace

Result<RuntimeDir> RuntimeDir::from_environment() {
  const auto path = os::runtime_directory();
  if (!path) return failure_of(path);
  const bool is_named = !os::environment("DMREMAP_RUNTIME_DIR").empty();
  const std::string named = is_named ? *path : std::string();
  return RuntimeDir(*path, state_directory(named), config_directory(named));
}

Result<void> RuntimeDir::make() const {
  return os::make_runtime_directory(path_);
}

std::string RuntimeDir::file(const std::string& name, std::string_view suffix) const {
  return fmt::format("{}/{}{}", path_, name, suffix);
}

std::string RuntimeDir::hidden_sets() const {
  for (const std::string& directory : {path_, std::string(os::kRootRuntimeDirectory)}) {
    // ENOENT is no secret: nothing was ever started there.
    if (::access(directory.c_str(), R_OK | X_OK) != 0 && errno == EACCES) return directory;
    // Whoever names another directory means the sets in there alone.
    if (!os::environment("DMREMAP_RUNTIME_DIR").empty()) break;
  }
  return {};
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
  // A holder that ends removes the file before it unlocks it. Then the path no longer names the
  // file that was locked here, and the next try makes a new one.
  for (int tries = 0; tries < 16; ++tries) {
    FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid()) return fail_errno(errno, "make the pid file", path);
    // A process that is ending is waited for even if its pid file is free already: it releases its
    // devices after the file.
    if (const auto pid = read_pid(fd.get()); pid && is_ending(*pid)) {
      (void)os::ProcessEnd(*pid).wait(kEndOfKilled);
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
