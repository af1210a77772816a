// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/serving.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <utility>

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "control/server.hpp"
#include "daemon/stepwise.hpp"
#include "discovery/assembly.hpp"
#include "discovery/hints.hpp"
#include "frontend/fuse/loop_device.hpp"
#include "io/file_geometry.hpp"
#include "os/event_loop.hpp"
#include "os/process.hpp"
#include "os/usage.hpp"
#include "set/opening.hpp"
#include "set/spare_room.hpp"

namespace dmremap::daemon {

namespace {

using std::chrono::milliseconds;

// Where /dev cannot be written to, the link is left out.
constexpr const char* kStableLinks = "/dev/dm-remap/";
constexpr milliseconds kLookEvery{1000};

// The most that is relocated by hand at once: what the engine itself takes at once.
constexpr SectorCount kLargestRelocation{2048};
// Most of what is to be returned is usually not remapped, and costs nothing.
constexpr SectorCount kLargestReturn{65536};

std::string stable_link(const std::string& name) {
  return ::geteuid() == 0 ? kStableLinks + name : std::string();
}

// A set and its exports, for the control socket's threads and for the main thread.
class Serving final : public control::Service {
 public:
  Serving(std::unique_ptr<set::RunningSet> set, std::unique_ptr<Exports> exports,
          std::string warning)
      : set_(std::move(set)),
        exports_(std::move(exports)),
        warning_(std::move(warning)),
        ended_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  nlohmann::json status() override {
    const std::shared_lock lock(mutex_);
    nlohmann::json out = stopped_ ? last_status_ : set::to_json(set_->status());
    out["pid"] = ::getpid();
    out["exports"] = stopped_ ? nlohmann::json::array() : exports_->to_json();
    return out;
  }

  std::vector<format::Event> events(std::uint64_t after, milliseconds timeout) override {
    return set_->events().wait_since(after, timeout);
  }

  Result<remap::Relocation> relocate(SectorRange range,
                                     const control::StopCondition& stop) override {
    remap::Relocation sum;
    const auto step = [&](SectorRange part) -> Result<void> {
      const auto done = set_->engine().relocate(part);
      if (!done) return tl::unexpected(done.error());
      sum.relocated = sum.relocated + done->relocated;
      sum.lost = sum.lost + done->lost;
      sum.untouched = sum.untouched + done->untouched;
      return {};
    };
    if (auto done = in_steps(range, kLargestRelocation, stop, step); !done) {
      return tl::unexpected(done.error());
    }
    return sum;
  }

  Result<remap::Returned> unremap(SectorRange range, const control::StopCondition& stop) override {
    remap::Returned sum;
    const auto step = [&](SectorRange part) -> Result<void> {
      const auto done = set_->engine().unremap(part);
      if (!done) return tl::unexpected(done.error());
      if (sum.kept.value == 0) sum.first_kept = done->first_kept;
      if (done->kept.value != 0) sum.error = done->error;
      sum.returned = sum.returned + done->returned;
      sum.kept = sum.kept + done->kept;
      sum.untouched = sum.untouched + done->untouched;
      return {};
    };
    if (auto done = in_steps(range, kLargestReturn, stop, step); !done) {
      return tl::unexpected(done.error());
    }
    return sum;
  }

  Result<table::Marked> mark_known_bad(const table::KnownBad& list, bool dry_run) override {
    const std::shared_lock lock(mutex_);
    if (auto may = check_change({}); !may) return tl::unexpected(may.error());
    return set_->engine().mark_known_bad(list, dry_run);
  }

  Result<remap::Backfilled> backfill(const remap::Backfill& fill) override {
    const std::shared_lock lock(mutex_);
    if (auto may = check_change({}); !may) return tl::unexpected(may.error());
    return set_->engine().backfill(fill);
  }

  Result<set::Moment> settle() override {
    const std::shared_lock lock(mutex_);
    if (stopped_) return fail(ErrorCode::not_running, "is being stopped", set_->name());
    return set_->settle();
  }

  Result<void> note_copy(const set::CopyMade& copy) override {
    const std::shared_lock lock(mutex_);
    if (stopped_) return fail(ErrorCode::not_running, "is being stopped", set_->name());
    return set_->note_copy(copy);
  }

  Result<control::DiskMap> disk_map() override {
    const std::shared_lock lock(mutex_);
    if (stopped_) return fail(ErrorCode::not_running, "is being stopped", set_->name());
    const remap::Engine& engine = set_->engine();
    const std::uint64_t sequence = set_->status().sequence;  // before the table, as it says
    return control::DiskMap{engine.geometry().size, engine.extents(), engine.geometry().unit(),
                            sequence, engine.failing()};
  }

  Result<void> stop() override {
    // Work in steps ends at the next one, and lets go of the lock.
    const Counted asked(stops_asked_);
    const std::unique_lock lock(mutex_);
    if (stopped_) return outcome_;
    if (auto ended = exports_->stop(); !ended) return ended;
    ::sd_notify(0, "STOPPING=1");
    last_status_ = set::to_json(set_->status());
    if (const auto unsaved = exports_->unsaved()) set_->note_unsaved(*unsaved);
    outcome_ = set_->stop();
    stopped_ = true;
    const std::uint64_t one = 1;
    // Written once: it cannot be full.
    [[maybe_unused]] const ssize_t written = ::write(ended_.get(), &one, sizeof one);
    return outcome_;
  }

  // Readable once stopped.
  [[nodiscard]] int ended_fd() const { return ended_.get(); }
  [[nodiscard]] bool cut_off() const {
    const std::shared_lock lock(mutex_);
    return !stopped_ && exports_->ended();
  }
  [[nodiscard]] nlohmann::json exports() const {
    const std::shared_lock lock(mutex_);
    return exports_->to_json();
  }
  // What the user who starts the set should know; empty: nothing.
  [[nodiscard]] const std::string& warning() const { return warning_; }

 private:
  // Work by hand on a range, one step after the other, each under the lock.
  template <typename Step>
  Result<void> in_steps(SectorRange range, SectorCount largest, const control::StopCondition& stop,
                        const Step& step) {
    const auto ended = [&] { return stop() || stops_asked_.load() != 0; };
    const auto locked_step = [&](SectorRange part) -> Result<void> {
      const std::shared_lock lock(mutex_);
      if (auto may = check_change(range); !may) return may;
      return step(part);
    };
    const auto left = stepwise(range, largest, ended, locked_step);
    if (!left) return tl::unexpected(left.error());
    if (left->empty()) return {};
    return fail(ErrorCode::not_running,
                fmt::format("ended before sector {}, because the set is being stopped or the "
                            "client is gone",
                            left->first.value),
                set_->name(), "what is done stays done; ask for the rest again");
  }

  // By hand, to these sectors. Requires the lock.
  [[nodiscard]] Result<void> check_change(SectorRange range) const {
    if (stopped_) return fail(ErrorCode::not_running, "is being stopped", set_->name());
    if (set_->read_only()) {
      return fail(ErrorCode::read_only, "was started read-only", set_->name(),
                  "start it without --read-only");
    }
    const SectorRange disk{{0}, set_->engine().geometry().size};
    if (disk.contains(range)) return {};
    return fail(
        ErrorCode::usage,
        fmt::format("the range ends beyond the device, which has {} sectors", disk.count.value),
        set_->name());
  }

  mutable std::shared_mutex mutex_;
  std::atomic<unsigned> stops_asked_{0};  // that wait for the lock, or have it
  std::unique_ptr<set::RunningSet> set_;
  std::unique_ptr<Exports> exports_;  // ends before the set
  const std::string warning_;
  FileDescriptor ended_;
  bool stopped_ = false;
  Result<void> outcome_;
  nlohmann::json last_status_;
};

// Ends a set when it is asked to by a signal, or when nobody can reach it any more. A device in use
// is never taken away: what is not yet written back would be lost. Then the set goes on.
class Ending {
 public:
  // `loop` runs until the set has been stopped.
  Ending(ServedSet& set, os::EventLoop& loop) : set_(set), loop_(loop) {}

  void on_signal(int number) {
    if (number == SIGHUP) return;
    log(Severity::info, fmt::format("ending on signal {}", number));
    try_to_stop(true);
  }
  // Now and then.
  void look() {
    if (!set_.cut_off()) return;
    // The log says it once; the attempts go on.
    const bool is_news = !std::exchange(cut_off_is_known_, true);
    if (is_news)
      log(Severity::info, "the device was unmounted, or cut off from the kernel: ending");
    try_to_stop(is_news);
  }
  // Somebody else stopped it, by the control socket.
  void on_stopped() { end(set_.stop()); }

  [[nodiscard]] const Result<void>& outcome() const { return outcome_; }

 private:
  void try_to_stop(bool is_news) {
    auto stopped = set_.stop();
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

  ServedSet& set_;
  os::EventLoop& loop_;
  bool cut_off_is_known_ = false;
  Result<void> outcome_;
};

Result<discovery::Spare> find_spare(const ServeOptions& options, const discovery::Hints& hints) {
  return options.devices.empty() ? discovery::find_spare(options.name, hints)
                                 : discovery::find_spare(options.devices);
}

Result<void> clear_leftovers(const std::string& name, const std::string& mount_path,
                             const discovery::Hints& hints) {
  const auto hint = hints.find(name);
  if (hint && !hint->mount_path.empty() && hint->mount_path != mount_path) {
    auto cleared = fuse::clear_leftovers(hint->mount_path, stable_link(name));
    // Earlier versions mounted where other users can exchange the path. What is left there is not
    // touched; it holds nothing of the set.
    const bool is_foreign = !cleared && cleared.error().code == ErrorCode::permission;
    if (is_foreign) log(Severity::warning, "not cleared away: " + cleared.error().message());
    if (!cleared && !is_foreign) return cleared;
  }
  return fuse::clear_leftovers(mount_path, stable_link(name));
}

// What a dead run mounted over in the runtime directory is nobody's but ours: made anew, it is also
// removed at the end.
void remove_mount_file(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0) {
    ::unlink(path.c_str());
  }
}

void note_missing_protection() {
  for (const std::string& text : os::protect_io_process()) {
    log(Severity::info, "less protected against memory shortage: " + text);
  }
}

// What stands between the set and its devices is cleared away; the pid file is held by the caller.
Result<discovery::Members> find_members(const discovery::Spare& spare,
                                        const std::string& mount_path, const set::OpenOptions& open,
                                        const discovery::Hints& hints) {
  const std::string& name = spare.identity().name;
  // A doubt about the metadata is told before one about main.
  if (auto fine = set::check_metadata(spare.survey, spare.path, open); !fine) {
    return tl::unexpected(fine.error());
  }
  if (auto cleared = clear_leftovers(name, mount_path, hints); !cleared) {
    return tl::unexpected(cleared.error());
  }
  const auto hint = hints.find(name);
  return discovery::find_main(spare,
                              {hint ? hint->main_path : std::string(), open.accept_main, {}});
}

// Where the FUSE file is, was or would be.
std::string mount_path_of(const std::string& name, const ServeOptions& options,
                          const control::RuntimeDir& runtime) {
  return options.mount_path.empty() ? runtime.mount_file(name) : options.mount_path;
}

set::OpenOptions open_options(const std::string& name, const ServeOptions& options,
                              const control::RuntimeDir& runtime) {
  set::OpenOptions out = options.open;
  out.memory_path = runtime.memory_file(name);
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
      "up; else `dmremap start --read-only` serves what is there",
      error.where);
  return error;
}

// Everything from the name on; the pid file is held by the caller, outside of all of it.
Result<std::unique_ptr<Serving>> bring_up(const discovery::Spare& spare,
                                          const ServeOptions& options,
                                          const control::RuntimeDir& runtime,
                                          const discovery::Hints& hints,
                                          const ExportMaker& export_it) {
  const std::string& name = spare.identity().name;
  const std::string mount_path = mount_path_of(name, options, runtime);
  const auto members = find_members(spare, mount_path, options.open, hints);
  if (!members) return tl::unexpected(members.error());
  if (options.mount_path.empty()) remove_mount_file(mount_path);
  note_missing_protection();
  auto set = set::RunningSet::open(*members, open_options(name, options, runtime), system_clock(),
                                   system_random());
  if (!set) return tl::unexpected(with_way_round(set.error()));
  (*set)->add_own_device(mount_path);
  auto exports = export_it(**set);
  if (!exports) {
    // It was activated: leave it as a clean stop does.
    (void)(*set)->stop();
    return tl::unexpected(exports.error());
  }
  hints.remember(name, {members->main_path, members->spare_path, mount_path, members->set_uuid,
                        (*set)->recorded_main()});
  os::reserve_heap();
  std::string warning = options.open.read_only ? "" : set::lack_of_room(members->spare_path);
  if (!warning.empty()) log(Severity::warning, warning);
  return std::make_unique<Serving>(std::move(*set), std::move(*exports), std::move(warning));
}

class Served final : public ServedSet {
 public:
  Served(control::PidFile pid_file, std::unique_ptr<Serving> serving)
      : pid_file_(std::move(pid_file)), serving_(std::move(serving)) {}

  Result<void> listen(const std::string& socket_path) {
    auto server = control::Server::start(socket_path, *serving_);
    if (!server) return tl::unexpected(server.error());
    server_ = std::move(*server);
    return {};
  }
  [[nodiscard]] nlohmann::json exports() const { return serving_->exports(); }
  [[nodiscard]] nlohmann::json warnings() const {
    nlohmann::json out = nlohmann::json::array();
    if (!serving_->warning().empty()) out.push_back(serving_->warning());
    return out;
  }
  Result<void> stop() override { return serving_->stop(); }
  [[nodiscard]] int stopped_fd() const override { return serving_->ended_fd(); }
  [[nodiscard]] bool cut_off() const override { return serving_->cut_off(); }

 private:
  control::PidFile pid_file_;  // let go of last
  std::unique_ptr<Serving> serving_;
  std::unique_ptr<control::Server> server_;
};

// The spare of the set that is to be started, and that nobody else serves or starts it.
struct Claimed {
  discovery::Spare spare;
  control::PidFile pid_file;
};

Result<Claimed> claim(const ServeOptions& options, const control::RuntimeDir& runtime,
                      const discovery::Hints& hints) {
  auto spare = find_spare(options, hints);
  if (!spare) return tl::unexpected(spare.error());
  const std::string& name = spare->identity().name;
  if (!discovery::is_set_name(name)) {
    return fail(ErrorCode::metadata_doubtful, "the name of the set in its metadata is none",
                spare->path, "look with `dmremap examine`");
  }
  auto pid_file = control::PidFile::take(runtime.pid_file(name));
  if (!pid_file) return tl::unexpected(pid_file.error());
  return Claimed{std::move(*spare), std::move(*pid_file)};
}

}  // namespace

Result<std::unique_ptr<ServedSet>> ServedSet::start(const ServeOptions& options,
                                                    const control::RuntimeDir& runtime,
                                                    ServeObserver& observer,
                                                    const ExportMaker& export_it) {
  const discovery::Hints hints(runtime.hints());
  auto claimed = claim(options, runtime, hints);
  if (!claimed) return tl::unexpected(claimed.error());
  const std::string name = claimed->spare.identity().name;
  observer.named(name);
  auto serving = bring_up(claimed->spare, options, runtime, hints, export_it);
  if (!serving) return tl::unexpected(serving.error());
  auto served = std::make_unique<Served>(std::move(claimed->pid_file), std::move(*serving));
  if (auto listening = served->listen(runtime.socket(name)); !listening) {
    (void)served->stop();
    return tl::unexpected(listening.error());
  }
  ::sd_notify(0, "READY=1");
  if (!observer.serving(
          {{"name", name}, {"exports", served->exports()}, {"warnings", served->warnings()}})) {
    log(Severity::warning, "whoever started the set is gone: ending");
    (void)served->stop();
  }
  return served;
}

Result<void> check_start(const ServeOptions& options, const control::RuntimeDir& runtime) {
  const discovery::Hints hints(runtime.hints());
  const auto claimed = claim(options, runtime, hints);
  if (!claimed) return tl::unexpected(claimed.error());
  const std::string& name = claimed->spare.identity().name;
  const auto members =
      find_members(claimed->spare, mount_path_of(name, options, runtime), options.open, hints);
  if (!members) return tl::unexpected(members.error());
  const auto opened = set::open_devices(*members, open_options(name, options, runtime));
  return opened ? Result<void>() : tl::unexpected(with_way_round(opened.error()));
}

Result<std::string> name_to_start(const ServeOptions& options, const control::RuntimeDir& runtime) {
  const auto claimed = claim(options, runtime, discovery::Hints(runtime.hints()));
  if (!claimed) return tl::unexpected(claimed.error());
  return claimed->spare.identity().name;
}

Result<void> serve(const ServeOptions& options, const control::RuntimeDir& runtime,
                   ServeObserver& observer) {
  auto loop = os::EventLoop::make();
  if (!loop) return tl::unexpected(loop.error());
  std::optional<Ending> ending;
  // A signal that comes before the set is up waits until the loop runs.
  auto watched = loop->on_signals(kEndSignals, [&](int number) { ending->on_signal(number); });
  if (!watched) return watched;
  ::signal(SIGPIPE, SIG_IGN);
  const auto export_it = [&](set::RunningSet& set) {
    const std::string& name = set.name();
    return start_exports(set.engine(),
                         {options.exports, mount_path_of(name, options, runtime), stable_link(name),
                          options.open.read_only, !io::zeroes_by_writing(set.status().main_path)});
  };
  auto served = ServedSet::start(options, runtime, observer, export_it);
  if (!served) return tl::unexpected(served.error());
  ending.emplace(**served, *loop);
  watched = loop->on_readable((*served)->stopped_fd(), [&] { ending->on_stopped(); });
  if (watched) watched = loop->every(kLookEvery, [&] { ending->look(); });
  if (watched) watched = loop->run();
  return watched ? ending->outcome() : watched;
}

}  // namespace dmremap::daemon
