// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/replacement.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>

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

// By their paths: once the set is handed over, a look at all block devices would find those that
// lie on it, and wait for them.
Result<discovery::Members> find_members(const std::string& name, const std::string& accept_main,
                                        const control::RuntimeDir& runtime) {
  const discovery::Hints hints(runtime.hints());
  discovery::DeviceLook look;
  const auto spare = discovery::find_spare(name, hints, look);
  if (!spare) return failure_of(spare);
  const auto hint = hints.find(spare->identity().name);
  return discovery::find_main(*spare, {hint ? hint->main_path : std::string(), accept_main}, look);
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

Result<Replaced> ask_for_it(const std::string& name, pid_t other,
                            const control::RuntimeDir& runtime) {
  const os::ProcessEnd process(other);
  auto client = control::Client::connect(runtime.socket(name));
  const auto answer = client ? client->call(control::HandOverRequest{}, kHandOverTime)
                             : Result<control::DoneReply>(failure_of(client));
  if (answer) {
    // Its device waits for this process already: there is no way back.
    if (!process.wait(kEndTime)) {
      log(Severity::warning,
          fmt::format("process {} has handed the set over and does not end", other));
    }
    return Replaced::handed_over;
  }
  Error error = answer.error();
  // One that refuses says of what.
  if (error.where.empty()) {
    error.where = name;
    error.hint = "it may hand it over yet: when its process has ended, start the set again";
  }
  if (error.code != ErrorCode::not_running) return tl::unexpected(std::move(error));
  if (process.wait(kEndTime)) return Replaced::ended_by_itself;
  return fail(ErrorCode::timeout,
              fmt::format("process {} has not handed it over, and does not end", other), name,
              "see `dmremap status` and the set's log");
}

}  // namespace

control::RuntimeDir in_memory(const control::RuntimeDir& runtime) {
  return runtime.with_state_in(runtime.path());
}

Result<Replacement> take_from_running(const std::string& name_or_uuid,
                                      const std::string& accept_main,
                                      const control::RuntimeDir& runtime) {
  // The look is made by many threads, before memory is locked.
  os::bound_thread_memory();
  const auto members = find_members(name_or_uuid, accept_main, runtime);
  if (!members) return failure_of(members);
  const std::string& name = members->name;
  const auto other = control::holder_of(runtime.pid_file(name));
  if (!other) return Replacement{};
  if (*other == 0) {
    return fail(ErrorCode::name_in_use, "is being started", name, "try again in a moment");
  }
  if (os::survives_shutdown(*other)) {
    return fail(ErrorCode::not_supported,
                "serves the root file system, and is not replaced while it does", name,
                "make the initramfs anew: the next boot has the new program");
  }
  copy_hints(runtime);
  for (const std::string& text : os::protect_io_process()) {
    log(Severity::info, "less protected against memory shortage: " + text);
  }
  const auto asked = ask_for_it(name, *other, runtime);
  if (!asked) return failure_of(asked);
  Replacement out{*asked, {members->spares.front().path, members->main.path}, {}};
  if (*asked == Replaced::ended_by_itself) {
    out.warning = fmt::format(
        "process {}, which served the set, ended by itself and did not hand it over: the set is "
        "started anew",
        *other);
  }
  return out;
}

}  // namespace dmremap::daemon
