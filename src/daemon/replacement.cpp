// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/replacement.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
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

Result<void> ask_for_it(const std::string& name, pid_t other, const control::RuntimeDir& runtime) {
  auto client = control::Client::connect(runtime.socket(name));
  if (!client) return failure_of(client);
  const os::ProcessEnd process(other);
  const auto answer = client->call(control::HandOverRequest{}, kHandOverTime);
  if (!answer) {
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

Result<std::optional<std::vector<std::string>>> take_from_running(
    const std::string& name_or_uuid, const std::string& accept_main,
    const control::RuntimeDir& runtime) {
  // The look is made by many threads, before memory is locked.
  os::bound_thread_memory();
  const auto members = find_members(name_or_uuid, accept_main, runtime);
  if (!members) return failure_of(members);
  const std::string& name = members->name;
  const auto other = control::holder_of(runtime.pid_file(name));
  if (!other) return std::nullopt;
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
  if (auto asked = ask_for_it(name, *other, runtime); !asked) return failure_of(asked);
  return std::vector{members->spares.front().path, members->main.path};
}

}  // namespace dmremap::daemon
