// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/replacement.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.hpp"
#include "control/client.hpp"
#include "control/messages.hpp"
#include "daemon/set_claim.hpp"
#include "discovery/assembly.hpp"
#include "discovery/hints.hpp"
#include "os/control_group.hpp"
#include "os/process.hpp"
#include "os/process_end.hpp"
#include "os/root_storage.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"
#include "set/conditions.hpp"

namespace dmremap::daemon {

namespace {

// The other one answers what its devices still have to answer, and commits.
constexpr std::chrono::minutes kHandOverTime{5};
constexpr std::chrono::seconds kEndTime{60};
constexpr std::chrono::seconds kAnswerTime{60};

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

// --- the root file system on the set ------------------------------------------------------------

tl::unexpected<Error> not_for_root(std::string why, const std::string& name) {
  return fail(ErrorCode::not_supported, "serves the root file system, and " + std::move(why), name,
              "that process goes on; the next boot has the program of the initramfs");
}

// With what a start would refuse later it would be tried for ever, and nobody could be told.
Result<void> check_options(const StartOptions& options, const std::string& name) {
  const bool is_ublk = std::ranges::all_of(options.exports, [](ExportKind kind) {
    return kind == ExportKind::ublk || kind == ExportKind::automatic;
  });
  const set::OpenOptions& open = options.open;
  if (is_ublk && options.mount_path.empty() && !open.read_only && !open.main_read_only &&
      !open.stale_ok && !open.set_drive_timeouts) {
    return {};
  }
  return not_for_root("is replaced with no other option than --export ublk", name);
}

// The device must be there whatever becomes of all files, and be taken as it is.
Result<void> check_device(const std::string& path, const std::string& name) {
  const auto storage = os::storage_of(path);
  if (!path.starts_with("/dev/") || !storage || !storage->is_block_device() ||
      os::loop_backing(storage->device)) {
    return not_for_root(path + " is no disk that is there without it", name);
  }
  if (os::read_attribute(os::sysfs_directory_of(storage->device) + "/ro") == "0") return {};
  return not_for_root(path + " is set read-only", name);
}

// What runs on in such a state might not start in it.
Result<void> check_health(const std::string& name, const control::RuntimeDir& runtime) {
  constexpr std::string_view kHealthy = "healthy";  // where there is no condition
  constexpr std::array kFine{set::Condition::data_lost, set::Condition::spare_full,
                             set::Condition::table_full, set::Condition::spare_low,
                             set::Condition::table_low};
  auto client = control::Client::connect(runtime.socket(name));
  if (!client) return failure_of(client);
  const auto answer = client->call(control::StatusRequest{}, kAnswerTime);
  if (!answer) return failure_of(answer);
  std::vector<std::string> wrong = answer->status.conditions;
  std::erase_if(wrong, [&](const std::string& condition) {
    const auto is_it = [&](set::Condition fine) { return set::name_of(fine) == condition; };
    return condition == kHealthy || std::ranges::any_of(kFine, is_it);
  });
  if (wrong.empty()) return {};
  return not_for_root(fmt::format("is not replaced while it is {}", fmt::join(wrong, ", ")), name);
}

Result<void> check_root_set(const StartOptions& options, const discovery::Members& members,
                            const control::RuntimeDir& runtime) {
  const std::string& name = members.name;
  if (!os::runs_from_memory()) return not_for_root("this program does not run from memory", name);
  if (!runtime.path().starts_with("/run/")) {
    return not_for_root(runtime.path() + " is not below /run", name);
  }
  if (auto fine = check_options(options, name); !fine) return fine;
  for (const std::string& path : {members.main.path, members.spares.front().path}) {
    if (auto fine = check_device(path, name); !fine) return fine;
  }
  return check_health(name, runtime);
}

// Makes this process one that may take the place of `other`: nobody ends it, and it needs nothing
// of the root file system. A process that has done so and is refused then ends, and has changed
// nothing of the other.
Result<std::unique_ptr<os::MemoryRoot>> take_place_of(pid_t other) {
  auto memory_root = os::MemoryRoot::make();
  if (!memory_root) return memory_root;
  if (auto joined = os::join_control_group_of(other); !joined) return failure_of(joined);
  os::survive_shutdown();
  return memory_root;
}

// Of what the C library reads when it is first needed.
void read_time_zone() {
  ::tzset();
}

}  // namespace

Result<std::unique_ptr<Exports>> FilesWhenServed::make(set::RunningSet& set) {
  auto exports = maker_.make(set);
  if (!exports || memory_root_ == nullptr) return exports;
  // It serves already, and goes on with what it has.
  if (auto left = memory_root_->leave(); !left) log(Severity::error, left.error().message());
  return exports;
}

control::RuntimeDir in_memory(const control::RuntimeDir& runtime) {
  return runtime.with_state_in(runtime.path());
}

Result<Replacement> take_from_running(const StartOptions& options,
                                      const control::RuntimeDir& runtime) {
  // The look is made by many threads, before memory is locked.
  os::bound_thread_memory();
  const auto members = find_members(options.name, options.open.accept_main, runtime);
  if (!members) return failure_of(members);
  const std::string& name = members->name;
  const auto other = control::holder_of(runtime.pid_file(name));
  if (!other) return Replacement{};
  if (*other == 0) {
    return fail(ErrorCode::name_in_use, "is being started", name, "try again in a moment");
  }
  Replacement out;
  if (os::survives_shutdown(*other)) {
    if (auto fine = check_root_set(options, *members, runtime); !fine) return failure_of(fine);
    auto memory_root = take_place_of(*other);
    if (!memory_root) return failure_of(memory_root);
    out.memory_root = std::move(*memory_root);
  }
  copy_hints(runtime);
  out.boot_wait_s = SetClaim(runtime.claims()).chosen_wait_s(*members);
  read_time_zone();
  const std::vector<std::string> unprotected = os::protect_io_process();
  if (out.memory_root && !unprotected.empty()) {
    return not_for_root("this process cannot be protected: " + unprotected.front(), name);
  }
  for (const std::string& text : unprotected) {
    log(Severity::info, "less protected against memory shortage: " + text);
  }
  // Whoever reads the log may wait as well.
  log_without_waiting(os::is_io_flusher() ? LogThread::on_demand : LogThread::kept);
  if (out.memory_root) {
    if (auto entered = out.memory_root->enter(); !entered) return failure_of(entered);
  }
  const auto asked = ask_for_it(name, *other, runtime);
  if (!asked) return failure_of(asked);
  out.what = *asked;
  out.devices = {members->spares.front().path, members->main.path};
  if (*asked == Replaced::ended_by_itself) {
    out.warning = fmt::format(
        "process {}, which served the set, ended by itself and did not hand it over: the set is "
        "started anew",
        *other);
  }
  return out;
}

}  // namespace dmremap::daemon
