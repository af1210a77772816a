// SPDX-License-Identifier: GPL-2.0-or-later
#include "service.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.hpp"
#include "control.hpp"
#include "fuse_server.hpp"
#include "mount_point.hpp"
#include "os/process.hpp"

namespace dmremap::lab {

namespace {

using nlohmann::json;

// udev looks at every new device and a loop device lets go of its file late: what is busy now may
// not be in a moment.
constexpr std::chrono::milliseconds kBusyPatience{2000};
constexpr std::chrono::milliseconds kBusyPause{20};

// Blocked in every thread that is made later; read from the descriptor.
Result<FileDescriptor> catch_signals(const std::string& where) {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  FileDescriptor fd(::signalfd(-1, &signals, SFD_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "catch signals", where);
  return fd;
}

Result<void> unmount_when_unused(const std::string& path) {
  const auto give_up = std::chrono::steady_clock::now() + kBusyPatience;
  while (true) {
    auto gone = unmount(path);
    if (gone || gone.error().code != ErrorCode::device_in_use) return gone;
    if (std::chrono::steady_clock::now() >= give_up) break;
    std::this_thread::sleep_for(kBusyPause);
  }
  const auto users = users_of(path);
  return fail(ErrorCode::device_in_use,
              users.empty() ? "the disk is in use"
                            : fmt::format("the disk is in use by {}", fmt::join(users, ", ")),
              path, "unmount and detach what lies on it first");
}

// A signal must end us even while the disk is in use: its users get errors, as when a disk is
// pulled. Everything acknowledged is in the image already.
void end_by_signal(const std::string& path) {
  if (unmount(path)) return;
  log(Severity::warning, fmt::format("{}: taken away while in use", path));
  static_cast<void>(detach(path));
}

enum class Ending { unmounted, by_signal };

Ending answer_until_the_end(Disk& disk, const std::string& mountfile, ControlSocket& control,
                            int ended, int signals) {
  const ControlSocket::Answer answer = [&](const json& request) -> Result<json> {
    if (request.at("op") != "stop") return answer_request(disk, mountfile, request);
    const auto gone = unmount_when_unused(mountfile);
    if (!gone) return tl::unexpected(gone.error());
    return json::object();
  };
  while (true) {
    std::array<pollfd, 3> watched{{{.fd = control.descriptor(), .events = POLLIN, .revents = 0},
                                   {.fd = ended, .events = POLLIN, .revents = 0},
                                   {.fd = signals, .events = POLLIN, .revents = 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;
    if (watched[0].revents != 0) control.serve_one(answer);
    if (watched[1].revents != 0) return Ending::unmounted;
    if (watched[2].revents != 0) return Ending::by_signal;
  }
}

}  // namespace

Result<void> serve(const ServeOptions& options,
                   const std::function<Result<void>(const Disk&)>& ready) {
  auto disk = Disk::open(options.image);
  if (!disk) return tl::unexpected(disk.error());
  if ((*disk)->image() == options.mountfile) {
    return fail(ErrorCode::same_device, "the image and the mount file are the same file",
                options.mountfile, "name a mount file that does not exist yet");
  }
  if (auto added = (*disk)->add_faults(options.faults); !added) return added;
  const auto files = RuntimeFiles::of(options.mountfile);
  if (!files) return tl::unexpected(files.error());
  if (auto made = files->make_directory(); !made) return made;
  const auto signals = catch_signals(options.mountfile);
  if (!signals) return tl::unexpected(signals.error());
  // The image is written through the page cache, perhaps for a file system on this very disk.
  // Without the right to ask for it the lab works, but may stall when memory is short.
  static_cast<void>(os::become_io_flusher());

  const auto mount_file = MountFile::take(options.mountfile);
  if (!mount_file) return tl::unexpected(mount_file.error());
  auto control = ControlSocket::listen(*files);
  if (!control) return tl::unexpected(control.error());
  auto server = FuseServer::start(**disk, options.mountfile);
  if (!server) return tl::unexpected(server.error());

  Ending ending = Ending::by_signal;
  auto told = ready(**disk);
  if (told) {
    ending = answer_until_the_end(**disk, options.mountfile, *control, (*server)->ended(),
                                  signals->get());
  }
  if (ending == Ending::by_signal) end_by_signal(options.mountfile);
  ::unlink(files->log().c_str());
  (*disk)->set_unplugged(true);
  pollfd ended{.fd = (*server)->ended(), .events = POLLIN, .revents = 0};
  if (::poll(&ended, 1, static_cast<int>(kBusyPatience.count())) != 1) {
    // Somebody still holds the detached disk, so its threads wait for requests that may never
    // come. Ending the process ends the mount.
    ::unlink(files->socket().c_str());
    ::_exit(EXIT_SUCCESS);
  }
  return told;
}

}  // namespace dmremap::lab
