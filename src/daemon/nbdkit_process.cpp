// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/nbdkit_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/log.hpp"
#include "os/process_end.hpp"
#include "os/spawn.hpp"

namespace dmremap::daemon {

namespace fs = std::filesystem;

namespace {

constexpr const char* kPluginFile = "nbdkit-dmremap-relay-plugin.so";
constexpr std::size_t kLongestLine = 1024;

// nbdkit takes a listening socket as systemd hands it over (sd_listen_fds(3)): it must find its own
// process number in the environment, which only the process itself knows.
constexpr const char* kHandOver =
    R"(LISTEN_FDS=1 LISTEN_PID=$$; export LISTEN_FDS LISTEN_PID; unset LISTEN_FDNAMES; exec "$@")";
constexpr int kControlFd = os::kPassedFd + 1;

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

Result<NbdkitProcess> NbdkitProcess::start(int listening_socket, int control) {
  if (auto there = check_nbd_server(); !there) return failure_of(there);
  auto pipe = os::make_pipe();
  if (!pipe) return failure_of(pipe);
  NbdkitProcess out;
  out.output_ = std::move(pipe->reading);
  if (::fcntl(out.output_.get(), F_SETFL, O_NONBLOCK) != 0) {
    return fail_errno(errno, "set up a pipe", {});
  }
  os::Command command{{"/bin/sh", "-c", kHandOver, "nbdkit", find_nbdkit(), "--foreground",
                       "--log=stderr", find_plugin(), fmt::format("control-fd={}", kControlFd)}};
  command.errors = pipe->writing.get();
  command.passed = {listening_socket, control};
  // It gets no signals of the terminal: this process ends it.
  command.own_session = true;
  const auto child = os::spawn(command);
  if (!child) return fail_errno(child.error(), "start", "nbdkit");
  out.pid_ = *child;
  out.process_ = os::process_descriptor(out.pid_);
  if (!out.process_.valid()) {
    const int error = errno;
    out.kill();
    (void)out.wait();
    return fail_errno(error, "watch nbdkit", {});
  }
  return out;
}

bool NbdkitProcess::log_output() {
  while (true) {
    std::array<char, 1024> text;
    const ssize_t got = ::read(output_.get(), text.data(), text.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    for (const char c : std::string_view(text.data(), static_cast<std::size_t>(got))) {
      if (c != '\n' && line_.size() < kLongestLine) {
        line_ += c;
        continue;
      }
      log(Severity::info, line_);
      last_line_ = std::exchange(line_, {});
    }
  }
}

void NbdkitProcess::ask_to_end() const {
  ::kill(pid_, SIGTERM);
}

void NbdkitProcess::kill() const {
  ::kill(pid_, SIGKILL);
}

std::string NbdkitProcess::wait() const {
  return os::end_in_words(os::wait_for(pid_));
}

}  // namespace dmremap::daemon
