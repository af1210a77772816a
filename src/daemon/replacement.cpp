// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/replacement.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.hpp"
#include "control/client.hpp"
#include "control/messages.hpp"
#include "discovery/assembly.hpp"
#include "discovery/hints.hpp"
#include "os/process.hpp"
#include "os/process_end.hpp"
#include "os/root_storage.hpp"

namespace dmremap::daemon {

namespace {

// The other one answers what its devices still have to answer, and commits.
constexpr std::chrono::minutes kHandOverTime{5};
constexpr std::chrono::seconds kEndTime{60};

// The devices by their paths: a look at all block devices would find those that lie on the set, and
// wait for them.
Result<std::string> find_devices(StartOptions& options, const control::RuntimeDir& runtime) {
  const discovery::Hints hints(runtime.hints());
  discovery::DeviceLook look;
  const auto spare = options.devices.empty() ? discovery::find_spare(options.name, hints, look)
                                             : discovery::find_spare(options.devices, look);
  if (!spare) return failure_of(spare);
  std::string name = spare->identity().name;
  const auto hint = hints.find(name);
  const auto members = discovery::find_main(
      *spare, {hint ? hint->main_path : std::string(), options.open.accept_main}, look);
  if (!members) return failure_of(members);
  options.devices = {members->spares.front().path, members->main.path};
  return name;
}

// The file may lie on the device whose users are about to wait.
void copy_hints(const control::RuntimeDir& runtime) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(in_memory(runtime).hints(), error);
  if (!error) {
    fs::copy(runtime.hints(), in_memory(runtime).hints(),
             fs::copy_options::recursive | fs::copy_options::overwrite_existing, error);
  }
  // They are where to look first, and the devices are known by now.
  if (error)
    log(Severity::info, "what is known of the set's places was not kept: " + error.message());
}

// For a unit that is reloaded: the process that systemd looks after is this one from now on. Told
// before the other one ends, for that would be the end of the unit.
void tell_main_process(pid_t pid) {
  ::sd_notify(0, fmt::format("MAINPID={}", pid).c_str());
}

Result<void> ask_for_it(const std::string& name, pid_t other, const control::RuntimeDir& runtime) {
  auto client = control::Client::connect(runtime.socket(name));
  if (!client) return failure_of(client);
  const os::ProcessEnd process(other);
  tell_main_process(::getpid());
  const auto answer = client->call(control::HandOverRequest{}, kHandOverTime);
  if (!answer) {
    tell_main_process(other);
    Error error = answer.error();
    if (error.where.empty()) error.where = name;
    return tl::unexpected(std::move(error));
  }
  // Its device waits for this process already: there is no way back.
  if (!process.wait(kEndTime)) {
    log(Severity::warning,
        fmt::format("process {} has handed the set over and does not end", other));
  }
  return {};
}

}  // namespace

control::RuntimeDir in_memory(const control::RuntimeDir& runtime) {
  return runtime.with_state_in(runtime.path());
}

Result<bool> take_from_running(StartOptions& options, const control::RuntimeDir& runtime) {
  // The look is made by many threads, before memory is locked.
  os::bound_thread_memory();
  const auto name = find_devices(options, runtime);
  if (!name) return failure_of(name);
  const auto other = control::holder_of(runtime.pid_file(*name));
  if (!other) return false;
  if (*other == 0) {
    return fail(ErrorCode::name_in_use, "is being started", *name, "try again in a moment");
  }
  if (os::survives_shutdown(*other)) {
    return fail(ErrorCode::not_supported,
                "serves the root file system, and is not replaced while it does", *name,
                "make the initramfs anew: the next boot has the new program");
  }
  copy_hints(runtime);
  for (const std::string& text : os::protect_io_process()) {
    log(Severity::info, "less protected against memory shortage: " + text);
  }
  if (auto asked = ask_for_it(*name, *other, runtime); !asked) return failure_of(asked);
  return true;
}

}  // namespace dmremap::daemon
