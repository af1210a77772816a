// SPDX-License-Identifier: GPL-2.0-or-later
#include "service.hpp"

#include <chrono>
#include <csignal>

#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "control.hpp"
#include "os/event_loop.hpp"
#include "os/process.hpp"
#include "os/runtime_directory.hpp"

namespace dmremap::lab {

namespace {

using nlohmann::json;

// For threads of a disk that was taken away while somebody still holds it.
constexpr std::chrono::milliseconds kEndPatience{2000};

Result<void> answer_until_the_end(os::EventLoop& loop, Disk& disk, const std::string& mountfile,
                                  ControlSocket& control, Front& front, bool& taken_away) {
  const ControlSocket::Answer answer = [&](const json& request) -> Result<json> {
    if (request.at("op") != "stop") return answer_request(disk, mountfile, request);
    const auto gone = front.end_unused();
    if (!gone) return failure_of(gone);
    taken_away = true;
    return json::object();
  };
  auto watched = loop.on_readable(control.descriptor(), [&] { control.serve_one(answer); });
  if (watched) watched = loop.on_readable(front.ended(), [&] { loop.end(); });
  return watched ? loop.run() : watched;
}

}  // namespace

Result<void> serve(const ServeOptions& options,
                   const std::function<Result<void>(const Disk&, const Front&)>& ready) {
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

  auto front = options.front == FrontKind::ublk ? serve_ublk(**disk, options.mountfile)
                                                : serve_file(**disk, options.mountfile);
  if (!front) return failure_of(front);
  // Nobody else can be behind the socket: this one has the path.
  auto control = ControlSocket::listen(*files);
  auto told = control ? ready(**disk, **front) : failure_of(control);
  bool taken_away = false;
  if (told) {
    told = answer_until_the_end(*loop, **disk, options.mountfile, *control, **front, taken_away);
  }
  // A signal must end us even while the disk is in use. Everything acknowledged is in the image
  // already, or in a volatile cache, which goes as when a disk is pulled.
  if (!taken_away && (!told || by_signal)) (*front)->end_in_use();
  ::unlink(files->log().c_str());
  if (taken_away) static_cast<void>((*disk)->set_volatile_cache(false));
  (*disk)->set_unplugged(true);
  pollfd ended{.fd = (*front)->ended(), .events = POLLIN, .revents = 0};
  if (::poll(&ended, 1, static_cast<int>(kEndPatience.count())) != 1) {
    // Somebody still holds the detached disk, so its threads wait for requests that may never
    // come. Ending the process ends the disk.
    ::unlink(files->socket().c_str());
    ::_exit(EXIT_SUCCESS);
  }
  return told;
}

}  // namespace dmremap::lab
