// SPDX-License-Identifier: GPL-2.0-or-later
#include "service.hpp"

#include <chrono>
#include <csignal>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "base/log.hpp"
#include "control.hpp"
#include "fuse_server.hpp"
#include "mount_file.hpp"
#include "os/event_loop.hpp"
#include "os/process.hpp"
#include "os/runtime_directory.hpp"

namespace dmremap::lab {

namespace {

using nlohmann::json;

// udev looks at every new device and a loop device lets go of its file late: what is busy now may
// not be in a moment.
constexpr std::chrono::milliseconds kBusyPatience{2000};
constexpr std::chrono::milliseconds kBusyPause{20};

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

Result<void> answer_until_the_end(os::EventLoop& loop, Disk& disk, const std::string& mountfile,
                                  ControlSocket& control, int unmounted) {
  const ControlSocket::Answer answer = [&](const json& request) -> Result<json> {
    if (request.at("op") != "stop") return answer_request(disk, mountfile, request);
    const auto gone = unmount_when_unused(mountfile);
    if (!gone) return failure_of(gone);
    return json::object();
  };
  auto watched = loop.on_readable(control.descriptor(), [&] { control.serve_one(answer); });
  if (watched) watched = loop.on_readable(unmounted, [&] { loop.end(); });
  return watched ? loop.run() : watched;
}

}  // namespace

Result<void> serve(const ServeOptions& options,
                   const std::function<Result<void>(const Disk&)>& ready) {
  auto disk = Disk::open(options.image);
  if (!disk) return failure_of(disk);
  if ((*disk)->image() == options.mountfile) {
    return fail(ErrorCode::same_device, "the image and the mount file are the same file",
                options.mountfile, "name a mount file that does not exist yet");
  }
  if (auto added = (*disk)->add_faults(options.faults); !added) return added;
  const auto files = RuntimeFiles::of(options.mountfile);
  if (!files) return failure_of(files);
  if (auto made = os::make_runtime_directory(files->directory); !made) return made;
  auto loop = os::EventLoop::make();
  if (!loop) return failure_of(loop);
  bool by_signal = false;
  const auto on_signal = [&](int) {
    by_signal = true;
    loop->end();
  };
  // Before there are threads: those take no signals then.
  auto watched = loop->on_signals({SIGTERM, SIGINT, SIGHUP}, on_signal);
  if (!watched) return watched;
  ::signal(SIGPIPE, SIG_IGN);
  // The image is written through the page cache, perhaps for a file system on this very disk.
  // Without the right to ask for it the lab works, but may stall when memory is short.
  static_cast<void>(os::become_io_flusher());

  const auto mount_file = MountFile::take(options.mountfile);
  if (!mount_file) return failure_of(mount_file);
  auto control = ControlSocket::listen(*files);
  if (!control) return failure_of(control);
  auto server = FuseServer::start(**disk, options.mountfile);
  if (!server) return failure_of(server);

  auto told = ready(**disk);
  if (told) {
    told = answer_until_the_end(*loop, **disk, options.mountfile, *control, (*server)->ended());
  }
  if (!told || by_signal) end_by_signal(options.mountfile);
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
