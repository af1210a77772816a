// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/nbd_server.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.hpp"
#include "daemon/reporter.hpp"
#include "os/descriptor_io.hpp"
#include "os/event_loop.hpp"
#include "os/spawn.hpp"
#include "os/trusted_directory.hpp"

namespace dmremap::daemon {

namespace fs = std::filesystem;

namespace {

constexpr const char* kPluginFile = "nbdkit-dmremap-plugin.so";

// Finds the plugin by the place of this program: in a build tree or an installation.
std::string find_plugin() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const fs::path above = program.parent_path().parent_path();
  for (const fs::path& path :
       {above / "lib" / kPluginFile, above / DMREMAP_PLUGIN_DIR / kPluginFile}) {
    if (fs::exists(path, error)) return path.lexically_normal();
  }
  return {};
}

std::string find_nbdkit() {
  const char* variable = std::getenv("PATH");
  const std::string path = std::string(variable == nullptr ? "" : variable) + ":/usr/bin:/usr/sbin";
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    fs::path candidate = fs::path(path.substr(at, end - at)) / "nbdkit";
    if (candidate.is_absolute() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    at = end + 1;
  }
  return {};
}

// Returns the path at which nbdkit is to listen, without symbolic links. A socket on which no
// process listens any more was left by a killed server, and is removed. nbdkit makes its socket,
// and the plugin removes it, by the path: so no other user may be able to exchange anything on the
// way.
Result<std::string> clear_socket(const std::string& wanted) {
  const auto directory =
      os::TrustedDirectory::open_parent_of(wanted, os::PathTrust::no_foreign_changes);
  if (!directory) {
    Error error = directory.error();
    if (error.code == ErrorCode::no_such_device) error.code = ErrorCode::io;
    return tl::unexpected(std::move(error));
  }
  const std::string name = fs::path(wanted).filename().string();
  std::string path = (fs::path(directory->path()) / name).string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(
        ErrorCode::usage,
        fmt::format("the name of a socket has at most {} bytes", sizeof address.sun_path - 1), path,
        "name a shorter one with --socket");
  }
  struct stat st {};
  if (::fstatat(directory->fd(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return path;
    return fail_errno(errno, "look at", path);
  }
  if (!S_ISSOCK(st.st_mode)) {
    return fail(ErrorCode::file_exists, "is there and no socket", path,
                "name another with --socket, or remove it");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const FileDescriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno != ECONNREFUSED) {
    return fail(ErrorCode::device_in_use, "somebody listens on this socket", path,
                "name another with --socket");
  }
  if (::unlinkat(directory->fd(), name.c_str(), 0) != 0) {
    return fail_errno(errno, "remove a dead socket", path);
  }
  return path;
}

std::vector<std::string> command_line(const NbdOptions& options, const std::string& nbdkit,
                                      const std::string& socket) {
  std::vector<std::string> out{nbdkit, "--unix", socket, "--log=stderr"};
  if (options.foreground) {
    out.insert(out.end(), {"--foreground", "--exit-with-parent"});
  }
  out.push_back(find_plugin());
  const set::OpenOptions& open = options.serve.open;
  if (!options.serve.name.empty()) out.push_back("device=" + options.serve.name);
  for (const std::string& device : options.serve.devices) out.push_back("device=" + device);
  if (open.read_only) out.emplace_back("read-only=true");
  if (open.main_read_only) out.emplace_back("main-read-only=true");
  if (open.stale_ok) out.emplace_back("stale-ok=true");
  if (open.degraded) out.emplace_back("degraded=true");
  if (open.accept_main_changed) out.emplace_back("accept-main-changed=true");
  if (!open.accept_main.empty()) out.push_back("accept-main=" + open.accept_main);
  out.push_back(fmt::format("report-fd={}", os::kPassedFd));
  return out;
}

// An nbdkit that was started, and the pipes and files through which its parent watches it.
struct NbdkitProcess {
  pid_t pid = 0;
  FileDescriptor report;      // the report of the plugin
  FileDescriptor complaints;  // the output of nbdkit before it writes to the set's log
};

Result<NbdkitProcess> spawn(const NbdOptions& options, const std::string& socket) {
  auto pipe = os::make_pipe();
  if (!pipe) return failure_of(pipe);
  NbdkitProcess out;
  out.report = std::move(pipe->reading);
  out.complaints = FileDescriptor(::memfd_create("nbdkit", MFD_CLOEXEC));
  if (!out.complaints.valid()) return fail_errno(errno, "make a file in memory", {});
  os::Command command{command_line(options, find_nbdkit(), socket)};
  command.errors = out.complaints.get();
  command.passed = {pipe->writing.get()};
  // In a session of its own it gets no signals of the terminal. In the foreground its parent passes
  // them on.
  command.own_session = true;
  const auto child = os::spawn(command);
  if (!child) return fail_errno(child.error(), "start", command.words.front());
  out.pid = *child;
  return out;
}

// The last line that nbdkit printed, which gives the reason; lines before it say less.
std::string last_complaint(const FileDescriptor& complaints) {
  std::array<char, 4096> text{};
  const ssize_t got = ::pread(complaints.get(), text.data(), text.size(), 0);
  std::string out(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  while (out.ends_with('\n')) out.pop_back();
  return out.substr(out.rfind('\n') + 1);
}

// Waits until the set is served or has failed. In the background the process that was spawned ends
// as soon as the serving process has detached from it.
Result<control::StartReport> wait_until_served(const NbdkitProcess& nbdkit,
                                               const std::string& socket, bool foreground) {
  const std::string said = os::read_to_end(nbdkit.report.get());
  // In the background the spawned process ends in any case. Without a report it ended because it
  // failed, and its output says why.
  if (said.empty() || !foreground) {
    const std::string how = os::end_in_words(os::wait_for(nbdkit.pid));
    if (said.empty()) {
      const std::string why = last_complaint(nbdkit.complaints);
      return fail(ErrorCode::io, "nbdkit does not serve: " + (why.empty() ? how : why), socket,
                  "see that nbdkit works here, or use another --export");
    }
  }
  auto served = report_in(said);
  if (!served && foreground) (void)os::wait_for(nbdkit.pid);
  return served;
}

// Checks everything that can be checked before nbdkit is started. Returns the path of the socket.
Result<std::string> prepare(const NbdOptions& options, const control::RuntimeDir& runtime) {
  if (auto there = check_nbd_server(); !there) return failure_of(there);
  const auto name = name_to_start(options.serve, runtime);
  if (!name) return failure_of(name);
  return clear_socket(options.socket.empty() ? runtime.nbd_socket(*name) : options.socket);
}

}  // namespace

Result<void> check_nbd_server() {
  constexpr const char* kOther = "or use `--export block` or `--export fuse`";
  if (find_nbdkit().empty()) {
    return fail(ErrorCode::not_supported, "NBD is served by nbdkit, which is not here", "nbdkit",
                fmt::format("install it, {}", kOther));
  }
  if (find_plugin().empty()) {
    return fail(ErrorCode::not_supported, "the plugin for nbdkit is not where this program is",
                kPluginFile, fmt::format("install dm-remap whole, {}", kOther));
  }
  return {};
}

Result<control::StartReport> start_nbd_server(const NbdOptions& options,
                                              const control::RuntimeDir& runtime) {
  const auto socket = prepare(options, runtime);
  if (!socket) return failure_of(socket);
  const auto starting = spawn(options, *socket);
  if (!starting) return failure_of(starting);
  return wait_until_served(*starting, *socket, false);
}

Result<void> run_nbd_server(const NbdOptions& options, const control::RuntimeDir& runtime,
                            StartObserver& observer) {
  auto loop = os::EventLoop::make();
  if (!loop) return failure_of(loop);
  NbdkitProcess nbdkit;
  const auto pass_on = [&](int number) {
    if (number != SIGHUP) ::kill(nbdkit.pid, SIGTERM);
  };
  // A signal that comes before nbdkit serves waits until the loop runs.
  auto watched = loop->on_signals(kEndSignals, pass_on);
  if (!watched) return watched;
  const auto socket = prepare(options, runtime);
  if (!socket) return failure_of(socket);
  auto starting = spawn(options, *socket);
  if (!starting) return failure_of(starting);
  nbdkit = std::move(*starting);
  const auto served = wait_until_served(nbdkit, *socket, true);
  if (!served) return failure_of(served);
  // Readable when nbdkit has ended (pidfd_open(2)).
  const FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, nbdkit.pid, 0)));
  if (!process.valid()) return fail_errno(errno, "watch nbdkit", *socket);
  ::sd_notify(0, "READY=1");
  if (!observer.serving(*served)) ::kill(nbdkit.pid, SIGTERM);
  watched = loop->on_readable(process.get(), [&] { loop->end(); });
  if (watched) watched = loop->run();
  if (!watched) return watched;
  const int status = os::wait_for(nbdkit.pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorCode::io, "nbdkit did not end as it should", *socket,
              "see the log in the runtime directory");
}

}  // namespace dmremap::daemon
