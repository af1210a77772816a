// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/set_daemon.hpp"

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "claims/present_devices.hpp"
#include "daemon/replacement.hpp"
#include "daemon/set_exports.hpp"
#include "discovery/assembly.hpp"
#include "discovery/hints.hpp"
#include "frontend/fuse/loop_device.hpp"
#include "os/event_loop.hpp"
#include "os/process.hpp"
#include "os/root_storage.hpp"
#include "os/run_first.hpp"
#include "os/usage.hpp"
#include "set/opening.hpp"
#include "set/spare_growth.hpp"
#include "set/spare_room.hpp"

namespace dmremap::daemon {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookEvery{1000};
constexpr milliseconds kTryAgainEvery{1000};
// What a killed process had asked of a failing disk may take the disk this long.
constexpr std::chrono::seconds kLateAnswers{150};

// Stops the set on a signal, or when its exports were cut off. A device in use is never taken away,
// because data that is not written back yet would be lost; the set goes on then. NBD clients are
// disconnected by a signal: what they were acknowledged is safe.
class StopTrigger {
 public:
  // `loop` runs until the set has been stopped.
  StopTrigger(SetDaemon& set, os::EventLoop& loop, os::RootFollower& root)
      : set_(set), loop_(loop), root_(root) {}

  void on_signal(int number) {
    if (number == SIGHUP) return;
    log(Severity::info, fmt::format("ending on signal {}", number));
    try_to_stop(ConnectedClients::disconnect, true);
    // A device that does not answer is no user of the set: it is stopped when it has.
    waits_for_device_ = set_.waits_for_device();
  }
  // Called periodically.
  void check_exports() {
    if (root_.follow()) log(Severity::info, "followed the switch of the root file system");
    if (waits_for_device_ && !set_.waits_for_device()) {
      waits_for_device_ = false;
      try_to_stop(ConnectedClients::disconnect, true);
    }
    if (!set_.look_at_exports()) return;
    // The log says it once; the attempts go on.
    const bool is_news = !std::exchange(cut_off_is_known_, true);
    if (is_news)
      log(Severity::info, "the device was unmounted, or cut off from the kernel: ending");
    try_to_stop(ConnectedClients::refuse, is_news);
  }
  // The set was stopped through the control socket.
  void on_stopped() { end(set_.stop()); }

  [[nodiscard]] const Result<void>& outcome() const { return outcome_; }

 private:
  void try_to_stop(ConnectedClients clients, bool is_news) {
    auto stopped = set_.stop(clients);
    if (stopped || stopped.error().code != ErrorCode::device_in_use) {
      end(std::move(stopped));
    } else if (is_news) {
      log(Severity::error, "not stopped: " + stopped.error().message());
    }
  }
  void end(Result<void> outcome) {
    outcome_ = std::move(outcome);
    loop_.end();
  }

  SetDaemon& set_;
  os::EventLoop& loop_;
  os::RootFollower& root_;
  bool cut_off_is_known_ = false;
  bool waits_for_device_ = false;  // to stop, as a signal wanted it
  Result<void> outcome_;
};

Result<discovery::Spare> find_spare(const StartOptions& options, const discovery::Hints& hints,
                                    discovery::DeviceLook& look) {
  return options.devices.empty() ? discovery::find_spare(options.name, hints, look)
                                 : discovery::find_spare(options.devices, look);
}

Result<void> clear_leftovers(const std::string& name, const std::string& mount_path,
                             const discovery::Hints& hints) {
  const auto hint = hints.find(name);
  if (hint && !hint->mount_path.empty() && hint->mount_path != mount_path) {
    auto cleared = fuse::clear_leftovers(hint->mount_path, stable_link(name));
    // Earlier versions mounted at paths that other users can exchange. A mount left there is not
    // touched; it holds nothing of the set.
    const bool is_foreign = !cleared && cleared.error().code == ErrorCode::permission;
    if (is_foreign) log(Severity::warning, "not cleared away: " + cleared.error().message());
    if (!cleared && !is_foreign) return cleared;
  }
  return fuse::clear_leftovers(mount_path, stable_link(name));
}

// Removes the file in the runtime directory that a dead run mounted over. It is made anew, so that
// it is also removed at the end.
void remove_mount_file(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0) {
    ::unlink(path.c_str());
  }
}

// Before the set says anything: whoever takes the log may wait for the device that is served.
void stop_waiting_for_log() {
  // Where it fails, protect_from_own_device() says so.
  (void)os::become_io_flusher();
  log_without_waiting(os::is_io_flusher() ? LogThread::on_demand : LogThread::kept);
}

// Against a wait for memory that waits for the device that is served.
void protect_from_own_device() {
  const std::vector<std::string> missing = os::protect_io_process();
  for (const std::string& text : missing) {
    log(Severity::info, "less protected against memory shortage: " + text);
  }
}

// The spare of the set to be started, and the pid file, which shows that no other process serves or
// starts it.
struct ClaimedSpare {
  discovery::Spare spare;
  control::PidFile pid_file;
  discovery::DeviceLook look;
};

// With `all_answer`: what a device holds that did not answer may decide, so that nothing is chosen.
Result<void> check_all_answered(const discovery::DeviceLook& look, bool all_answer) {
  const auto silent = all_answer ? look.silent() : std::nullopt;
  return silent ? tl::unexpected(*silent) : Result<void>();
}

// Clears away leftovers of a dead run between the set and its devices, and finds the devices. The
// caller holds the pid file.
Result<discovery::Members> find_members(ClaimedSpare& claimed, const std::string& mount_path,
                                        const set::OpenOptions& open, const discovery::Hints& hints,
                                        bool all_answer) {
  const discovery::Spare& spare = claimed.spare;
  const std::string& name = spare.identity().name;
  // A doubt about the metadata is told before one about main.
  if (auto fine = set::check_metadata(spare.survey, spare.path, open); !fine) {
    return failure_of(fine);
  }
  if (auto cleared = clear_leftovers(name, mount_path, hints); !cleared) {
    return failure_of(cleared);
  }
  const auto hint = hints.find(name);
  auto members = discovery::find_main(
      spare, {hint ? hint->main_path : std::string(), open.accept_main}, claimed.look);
  if (auto all = check_all_answered(claimed.look, all_answer); !all) return failure_of(all);
  // From now on they are held, which waits for whoever has them open.
  claimed.look.close();
  return members;
}

set::OpenOptions open_options(const std::string& name, const StartOptions& options,
                              const control::RuntimeDir& runtime) {
  set::OpenOptions out = options.open;
  out.memory_path = runtime.memory_file(name);
  out.quiet = os::is_initramfs();
  out.timeouts_path = runtime.drive_timeouts_file(name);
  return out;
}

// A device that takes no writes can still be served read-only.
Error with_way_round(Error error) {
  const auto storage = os::storage_of(error.where);
  if (error.code != ErrorCode::device_read_only || !storage || !storage->is_block_device()) {
    return error;
  }
  error.what = "is set read-only: the kernel takes no writes to it";
  error.hint = fmt::format(
      "`blockdev --setrw {}` or the write-protect switch, if it is not the disk itself that gave "
      "up; else `dmremap start --main-read-only` serves it with what is written on the spare, and "
      "`--read-only` what is there",
      error.where);
  return error;
}

// Main can be held when the last request of a killed process has ended: a write that comes late
// must not land on what is written from now on. Users of a device that is taken over wait for that,
// all others can be told.
Result<std::unique_ptr<set::RunningSet>> open_set(const discovery::Members& members,
                                                  const set::OpenOptions& options) {
  const auto give_up = std::chrono::steady_clock::now() + kLateAnswers;
  for (;;) {
    auto set = set::RunningSet::open(members, options, system_clock(), system_random());
    const bool is_held = !set && set.error().code == ErrorCode::device_in_use &&
                         os::uses_of(set.error().where).empty();
    if (!options.taken_over || !is_held || std::chrono::steady_clock::now() >= give_up) return set;
  }
}

// Has udev look at the devices that a set is served as, now that their links show whose they are. A
// ublk device that was made just now had its link before its first event.
void announce(const Exports& exports, bool was_served) {
  for (const control::ExportReport& one : exports.reports()) {
    if (one.stable && (was_served || one.kind != "ublk")) claims::ask_udev_again(one.where);
  }
}

// Who takes a device over may wait for its users from now on, and is protected at once; anybody
// else while the set is activated, which this is for. `first` outlives it, and ends then.
std::function<void()> protection(bool taken_over, std::optional<os::RunFirst>& first) {
  stop_waiting_for_log();
  if (taken_over) {
    protect_from_own_device();
    return [&first] { first.reset(); };
  }
  return [&first] {
    first.reset();
    protect_from_own_device();
    // What the set and its exports take then is there already; how much is left is seen to at the
    // end.
    os::reserve_heap();
  };
}

// Opens and exports the set once its name is known. The caller holds the pid file throughout.
Result<std::unique_ptr<SetService>> bring_up(ClaimedSpare& claimed, const StartOptions& options,
                                             const control::RuntimeDir& runtime,
                                             const discovery::Hints& hints, SetClaim& claim,
                                             ExportMaker& exporting,
                                             std::optional<os::RunFirst>& first) {
  const std::string& name = claimed.spare.identity().name;
  const std::string mount_path = mount_path_of(name, options.mount_path, runtime);
  const auto members =
      find_members(claimed, mount_path, options.open, hints, options.all_answer_within.has_value());
  if (!members) return failure_of(members);
  if (options.mount_path.empty()) remove_mount_file(mount_path);
  set::OpenOptions open = open_options(name, options, runtime);
  open.taken_over = exporting.takes_over();
  open.meanwhile = protection(open.taken_over, first);
  const auto use = exporting.hold_main(members->main.path);
  if (!use) return failure_of(use);
  open.main_holder = use->holder;
  open.direct = use->direct;
  if (!options.claim_is_read) open.boot_wait_s = claim.chosen_wait_s(*members);
  auto set = open_set(*members, open);
  if (!set) return tl::unexpected(with_way_round(set.error()));
  (*set)->add_own_device(mount_path);
  std::vector<std::string> warnings = options.warnings;
  for (const std::string& text : warnings) log(Severity::warning, text);
  const auto note_claim = [&] {
    for (std::string& text : claim.begin(*members, **set)) {
      log(Severity::warning, text);
      warnings.push_back(std::move(text));
    }
  };
  // Main is claimed before anybody can write to it. But what is taken over may hold the claim
  // itself, which then has been one since the device was made.
  const bool was_served = open.taken_over;
  if (!was_served) note_claim();
  // A program that it runs to ask the drive may lie on the device whose users wait.
  if (was_served) (*set)->end_background();
  auto exports = exporting.make(**set);
  if (!exports) {
    // The set was activated already, so it is stopped cleanly. Else it is left as a killed process
    // leaves it.
    const bool stopped = !exporting.is_served_without_us() && (*set)->stop().has_value();
    if (stopped) claim.end((*set)->sectors_elsewhere());
    return failure_of(exports);
  }
  hints.remember(name,
                 {members->main.path, members->spares.front().path, mount_path, members->set_uuid,
                  (*set)->recorded_main(), (*set)->recorded_spare().fingerprint});
  if (was_served) {
    note_claim();
    (*set)->begin_background();
  }
  announce(**exports, was_served);
  os::reserve_heap();
  if (std::string note = (*exports)->start_note(); !note.empty()) {
    warnings.push_back(std::move(note));
  }
  std::string lack = options.open.read_only ? "" : set::lack_of_room(members->spares.front().path);
  if (!lack.empty()) {
    log(Severity::warning, lack);
    warnings.push_back(std::move(lack));
  }
  for (const set::SpareStatus& spare : (*set)->spares()) {
    std::string note = set::unused_room_note((*set)->name(), spare.growable);
    if (note.empty()) continue;
    log(Severity::info, spare.path + ": " + note);
    warnings.push_back(spare.path + ": " + note);
  }
  return std::make_unique<SetService>(std::move(*set), std::move(*exports), std::move(warnings));
}

Result<ClaimedSpare> claim(const StartOptions& options, const control::RuntimeDir& runtime,
                           const discovery::Hints& hints) {
  discovery::DeviceLook look(options.all_answer_within.value_or(os::kTaskPatience));
  auto spare = find_spare(options, hints, look);
  if (auto all = check_all_answered(look, options.all_answer_within.has_value()); !all) {
    return failure_of(all);
  }
  if (!spare) return failure_of(spare);
  const std::string& name = spare->identity().name;
  if (!discovery::is_set_name(name)) {
    return fail(ErrorCode::metadata_doubtful, "the metadata has no valid name for the set",
                spare->path, "look with `dmremap examine`");
  }
  auto pid_file = control::PidFile::take(runtime.pid_file(name));
  if (!pid_file) return failure_of(pid_file);
  return ClaimedSpare{std::move(*spare), std::move(*pid_file), std::move(look)};
}

}  // namespace

SetDaemon::SetDaemon(control::PidFile pid_file, std::unique_ptr<SetClaim> claim,
                     std::unique_ptr<SetService> service)
    : pid_file_(std::move(pid_file)), claim_(std::move(claim)), service_(std::move(service)) {}

Result<void> SetDaemon::stop(ConnectedClients clients) {
  auto stopped = service_->stop(clients);
  // A device that is handed over may hold the claim itself, and answers nobody now.
  if (stopped && !service_->is_handed_over()) claim_->end(service_->sectors_elsewhere());
  return stopped;
}

Result<void> SetDaemon::listen(const std::string& socket_path) {
  auto server = control::Server::start(socket_path, service_->handlers());
  if (!server) return failure_of(server);
  server_ = std::move(*server);
  return {};
}

Result<std::unique_ptr<SetDaemon>> SetDaemon::start(const StartOptions& options,
                                                    const control::RuntimeDir& runtime,
                                                    StartObserver& observer, ExportMaker& exports) {
  // A boot waits: on a busy machine each of a hundred answers of the disks would be waited for
  // twice.
  std::optional<os::RunFirst> first;
  if (options.all_answer_within) first.emplace();
  // Devices are looked at by many threads, before memory is locked.
  os::bound_thread_memory();
  const discovery::Hints hints(runtime.hints());
  auto claimed = claim(options, runtime, hints);
  if (!claimed) return failure_of(claimed);
  const std::string name = claimed->spare.identity().name;
  observer.named(name);
  if (auto prepared = exports.prepare(claimed->spare.identity()); !prepared) {
    return failure_of(prepared);
  }
  auto claim = std::make_unique<SetClaim>(runtime.claims());
  auto service = bring_up(*claimed, options, runtime, hints, *claim, exports, first);
  if (!service) return failure_of(service);
  std::unique_ptr<SetDaemon> daemon(
      new SetDaemon(std::move(claimed->pid_file), std::move(claim), std::move(*service)));
  if (auto listening = daemon->listen(runtime.socket(name)); !listening) {
    (void)daemon->stop();
    return failure_of(listening);
  }
  ::sd_notify(0, "READY=1");
  if (!observer.serving(daemon->service_->start_report())) {
    log(Severity::warning, "whoever started the set is gone: ending");
    (void)daemon->stop();
  }
  return daemon;
}

Result<void> check_start(const StartOptions& options, const control::RuntimeDir& runtime) {
  const discovery::Hints hints(runtime.hints());
  auto claimed = claim(options, runtime, hints);
  if (!claimed) return failure_of(claimed);
  const std::string& name = claimed->spare.identity().name;
  const auto members = find_members(*claimed, mount_path_of(name, options.mount_path, runtime),
                                    options.open, hints, options.all_answer_within.has_value());
  if (!members) return failure_of(members);
  const auto opened = set::open_devices(*members, open_options(name, options, runtime));
  return opened ? Result<void>() : tl::unexpected(with_way_round(opened.error()));
}

namespace {

// Starts the set where another process has served it, or where none has. `exports` outlives the
// set.
Result<std::unique_ptr<SetDaemon>> start_in_place(const StartOptions& options,
                                                  const control::RuntimeDir& runtime,
                                                  StartObserver& observer,
                                                  const Replacement& replacement,
                                                  std::optional<SetExportMaker>& exports) {
  // Where one may wait for this process, nothing is read but memory.
  const bool is_first = replacement.what == Replaced::nobody;
  const control::RuntimeDir places = is_first ? runtime : in_memory(runtime);
  for (;;) {
    exports.emplace(SetExportOptions{options.exports, options.mount_path, options.socket,
                                     options.open.read_only, options.open.main_read_only,
                                     replacement.what == Replaced::handed_over},
                    places);
    FilesWhenServed maker(*exports, replacement.memory_root.get());
    auto daemon = SetDaemon::start(options, places, observer, maker);
    // Users wait for this process, perhaps all of the system. A device that does not answer now
    // may do so later.
    const bool goes_on = replacement.what == Replaced::handed_over || replacement.memory_root;
    if (daemon || !goes_on) return daemon;
    log(Severity::error, "trying again: " + daemon.error().message());
    if (replacement.memory_root) {
      if (auto entered = replacement.memory_root->enter(); !entered) {
        log(Severity::error, entered.error().message());
      }
    }
    std::this_thread::sleep_for(kTryAgainEvery);
  }
}

}  // namespace

Result<void> run_daemon(const StartOptions& options, const control::RuntimeDir& runtime,
                        StartObserver& observer) {
  const struct LogEnd {
    ~LogEnd() { flush_log(); }
  } log_end;
  auto loop = os::EventLoop::make();
  if (!loop) return failure_of(loop);
  std::optional<StopTrigger> stop_trigger;
  // A signal that comes before the set is up waits until the loop runs.
  auto watched =
      loop->on_signals(kEndSignals, [&](int number) { stop_trigger->on_signal(number); });
  if (!watched) return watched;
  ::signal(SIGPIPE, SIG_IGN);
  os::RootFollower root;
  if (os::is_initramfs()) os::survive_shutdown();
  StartOptions wanted = options;
  Replacement replacement;
  if (options.replace) {
    auto taken = take_from_running(options, runtime);
    if (!taken) return failure_of(taken);
    replacement = std::move(*taken);
    wanted.devices = replacement.devices;
    wanted.open.boot_wait_s = replacement.boot_wait_s;
    wanted.claim_is_read = replacement.what != Replaced::nobody;
    if (!replacement.warning.empty()) wanted.warnings.push_back(replacement.warning);
  }
  std::optional<SetExportMaker> exports;
  auto daemon = start_in_place(wanted, runtime, observer, replacement, exports);
  if (!daemon) return failure_of(daemon);
  replacement.memory_root.reset();
  stop_trigger.emplace(**daemon, *loop, root);
  watched = loop->on_readable((*daemon)->stopped_fd(), [&] { stop_trigger->on_stopped(); });
  if (watched) watched = loop->every(kLookEvery, [&] { stop_trigger->check_exports(); });
  if (watched) watched = loop->run();
  return watched ? stop_trigger->outcome() : watched;
}

}  // namespace dmremap::daemon
