// SPDX-License-Identifier: GPL-2.0-or-later
// Copies through the device that the set serves, so that the copy includes the data on the spare.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/size_text.hpp"
#include "cli/common/copy_source.hpp"
#include "cli/common/disk_view.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/progress_line.hpp"
#include "cli/common/verb.hpp"
#include "control/messages.hpp"
#include "os/usage.hpp"
#include "transfer/copy_target.hpp"
#include "transfer/copying.hpp"
#include "transfer/known_bad_file.hpp"

namespace dmremap::cli {

namespace {

using Status = transfer::CopyMap::Status;

struct Arguments {
  std::string name;
  std::string target;
  std::string mapfile;
  bool force = false;
  bool json = false;
};

// Set by a signal.
std::atomic<bool> interrupted = false;

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted.store(true); };
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
}

// The sectors that the set knows to be lost or gone now, sorted.
std::vector<SectorRange> lost_in(const control::DiskMap& map) {
  std::vector<SectorRange> out;
  for (const format::Extent& extent : map.extents) {
    const bool lost = extent.state() == format::State::lost;
    if (lost || extent.state() == format::State::gone) out.push_back(extent.main());
  }
  return out;
}

// What does not read, or was not asked for yet, and is not known to be lost.
std::uint64_t unread_in(const transfer::CopyMap& map) {
  return map.count(Status::untried).value + map.count(Status::non_trimmed).value;
}

// Sectors of which it is known whether they can be copied.
std::uint64_t settled(const transfer::CopyMap& map) {
  return map.size().value - unread_in(map) - map.count(Status::non_scraped).value;
}

// The way to the data of a main that does not read through its set: a program that tries for days,
// and its image as the source of what is lost.
std::string rescue_hint(const std::string& name, const std::string& main) {
  return fmt::format(
      "what main does not give this command, ddrescue may get in time: `ddrescue --idirect {} "
      "rescue.img rescue.map`, both files on another disk; then `dmremap backfill {} rescue.img "
      "--mapfile rescue.map`, and the same command again (docs/recovery.md: the disk is mostly "
      "dead)",
      main, name);
}

// Shows the progress of a copy, saves its map every few seconds, and ends it on a signal.
class CopyMonitor final : public transfer::CopyObserver {
 public:
  CopyMonitor(const control::RuntimeDir& runtime, const Arguments& arguments, std::string mapfile,
              transfer::CopyStamp stamp, const transfer::CopyMap& map, const io::FileDevice& target)
      : runtime_(runtime),
        arguments_(arguments),
        mapfile_(std::move(mapfile)),
        stamp_(std::move(stamp)),
        target_(target),
        progress_(std::in_place, settled(map)) {}

  void flushed() override {
    // If a file system has no direct I/O, data would be read back from the page cache.
    if (!target_.direct()) (void)::posix_fadvise(target_.fd(), 0, 0, POSIX_FADV_DONTNEED);
  }

  void begin_pass(transfer::CopyPass pass, const transfer::CopyMap& map) override {
    pass_ = pass;
    // How fast the passes before were says nothing of this one.
    progress_.emplace(settled(map));
  }

  bool go_on(const transfer::CopyMap& map) override {
    progress_->show(settled(map), map.size().value, doing(map));
    if (std::chrono::steady_clock::now() >= next_save_ && !save(map)) return false;
    return !interrupted.load();
  }

  Result<std::vector<SectorRange>> lost_now() override {
    const auto status = running_status(runtime_, arguments_.name);
    if (!status) return failure_of(status);
    if (status->has_condition("tripped")) {
      return fail(ErrorCode::tripped, "main is not there", arguments_.name,
                  "connect it, and the same command goes on where this one ended; if it is, " +
                      rescue_hint(arguments_.name, status->main.path));
    }
    const auto map = running_map(runtime_, arguments_.name);
    if (!map) return failure_of(map);
    return lost_in(*map);
  }

  // Saves the map of what is on the target already. If it returns false, saved() has the error.
  bool save(const transfer::CopyMap& map) {
    saved_ = transfer::write_known_bad(mapfile_, map.print(stamp_), true);
    next_save_ = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    return saved_.has_value();
  }
  [[nodiscard]] const Result<void>& saved() const { return saved_; }
  void end() { progress_->end(); }

 private:
  [[nodiscard]] std::string doing(const transfer::CopyMap& map) const {
    switch (pass_) {
      case transfer::CopyPass::forward:
        break;
      case transfer::CopyPass::verify:
        return "verifying";
      case transfer::CopyPass::backward:
      case transfer::CopyPass::rest:
        return fmt::format("{} did not read at first:", size_text({unread_in(map)}));
    }
    return {};
  }

  const control::RuntimeDir& runtime_;
  const Arguments& arguments_;
  const std::string mapfile_;
  const transfer::CopyStamp stamp_;
  const io::FileDevice& target_;
  transfer::CopyPass pass_ = transfer::CopyPass::forward;
  std::optional<ProgressLine> progress_;
  Result<void> saved_;
  std::chrono::steady_clock::time_point next_save_;
};

Result<std::string> mapfile_of(const Arguments& arguments) {
  if (!arguments.mapfile.empty()) return arguments.mapfile;
  struct stat st {};
  const bool there = ::stat(arguments.target.c_str(), &st) == 0;
  if (there && !S_ISREG(st.st_mode)) {
    return fail(ErrorCode::usage, "a device needs a --mapfile FILE to go on from", arguments.target,
                "give a file on another disk");
  }
  return arguments.target + ".map";
}

// The state from which a copy goes on.
struct CopyStart {
  transfer::CopyMap map;
  bool resumed = false;  // the target holds the beginning of this copy
  bool of_now = false;   // and it is a copy of the present state of the set
};

// Checks that the mapfile is none of the devices in use, whatever path names it, because the map is
// written over it.
Result<void> check_mapfile(const std::string& mapfile, const std::string& target,
                           const control::SetReport& status) {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto place_of = [&](const std::string& path) {
    return fs::weakly_canonical(fs::absolute(path, error), error);
  };
  std::vector<std::string> taken = parts_of(status);
  taken.push_back(target);
  const auto storage = os::storage_of(mapfile);
  for (const std::string& other : taken) {
    const bool same =
        storage ? storage == os::storage_of(other) : place_of(mapfile) == place_of(other);
    if (!same) continue;
    return fail(ErrorCode::same_device, fmt::format("is {}, which is no mapfile", other), mapfile,
                "give another --mapfile, on another disk");
  }
  return {};
}

// True if the target is a file of another size. Then it is not the copy that the map describes.
bool has_other_size(const std::string& target, SectorCount size) {
  struct stat st {};
  return ::stat(target.c_str(), &st) == 0 && S_ISREG(st.st_mode) &&
         st.st_size != static_cast<off_t>(size.bytes());
}

// Reads the state of an earlier copy from its mapfile, if there is one.
Result<CopyStart> read_start(const std::string& mapfile, const transfer::CopyStamp& stamp,
                             const std::string& target, SectorCount size) {
  CopyStart fresh{transfer::CopyMap(size)};
  if (::access(mapfile.c_str(), F_OK) != 0) return fresh;
  const auto text = transfer::read_list(mapfile);
  if (!text) return failure_of(text);
  if (text->empty()) return fresh;
  const auto of = transfer::stamp_of_mapfile(*text);
  if (!of || of->set_uuid != stamp.set_uuid || of->target != stamp.target) {
    return fail(ErrorCode::file_exists, "is not the mapfile of a copy of this set to this target",
                mapfile, "give another --mapfile, or remove it to begin anew");
  }
  if (has_other_size(target, size)) return fresh;
  if (*of != stamp) {
    fresh.resumed = true;
    return fresh;
  }
  auto map = transfer::resume_map(*text, mapfile, size);
  if (!map) return failure_of(map);
  return CopyStart{std::move(*map), true, true};
}

// The result of a copy. `ended` is the error if it is not whole or was not recorded.
struct CopyResult {
  std::string main;
  std::string mapfile;
  transfer::CopyMap map{SectorCount{}};
  std::uint64_t resumed = 0;
  bool recorded = false;
  std::optional<Error> ended;
};

// Returns the count of writes at a moment when none is in flight, so that later writes are noticed
// by the count. The target of the stamp stays empty.
Result<transfer::CopyStamp> settle(const Arguments& arguments, const Uuid& set_uuid) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  auto client = connect(*runtime, arguments.name);
  if (!client) return failure_of(client);
  const auto answer = client->call(control::SettleRequest{}, kWorkTime);
  if (!answer) return failure_of(answer);
  return transfer::CopyStamp{set_uuid, answer->run, answer->writes, {}};
}

Result<void> note_copy(const Arguments& arguments, const transfer::CopyStamp& stamp,
                       const transfer::CopyMap& map) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  auto client = connect(*runtime, arguments.name);
  if (!client) return failure_of(client);
  const control::CopiedRequest request{stamp.run, stamp.writes, {map.in(Status::bad)}};
  const auto answer = client->call(request, kAnswerTime);
  return answer ? Result<void>() : failure_of(answer);
}

// Why the copy is not whole, if it is not; else has the set note it.
void finish_copy(const Arguments& arguments, const transfer::CopyStamp& stamp,
                 const io::FileDevice& target, CopyResult& done) {
  const std::uint64_t left = done.map.size().value - settled(done.map);
  const std::uint64_t unread = done.map.count(Status::non_trimmed).value;
  if (done.ended) return;
  if (left > 0 && (left > unread || interrupted.load())) {
    done.ended = Error{ErrorCode::io,
                       fmt::format("interrupted; {} are still to be copied", size_text({left})),
                       arguments.target, "the same command goes on from " + done.mapfile};
  } else if (unread > 0) {
    done.ended = Error{
        ErrorCode::io,
        fmt::format("{} did not read and are not known to be lost", counted(unread, "sector")),
        arguments.name,
        "the same command tries them again; " + rescue_hint(arguments.name, done.main)};
  } else if (!transfer::is_target(arguments.target, target)) {
    done.ended = Error{ErrorCode::copy_outdated, "is not what was copied to any more",
                       arguments.target, "leave the target alone, and copy it again"};
  } else if (auto noted = note_copy(arguments, stamp, done.map); noted) {
    done.recorded = true;
  } else if (noted.error().code != ErrorCode::read_only) {
    done.ended = noted.error();
  }
}

Result<CopyResult> copy(const Arguments& arguments) {
  const auto mapfile = mapfile_of(arguments);
  if (!mapfile) return failure_of(mapfile);
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  const auto status = running_status(*runtime, arguments.name);
  if (!status) return failure_of(status);
  if (status->has_condition("tripped")) {
    return fail(ErrorCode::tripped, "main cannot be read now: " + status->reason, arguments.name,
                "connect it, and it is used again within seconds; if it is connected, " +
                    rescue_hint(arguments.name, status->main.path));
  }
  const auto disk = running_map(*runtime, arguments.name);
  if (!disk) return failure_of(disk);
  // The source is held before the writes are counted.
  auto source = CopySource::open(*status);
  if (!source) return failure_of(source);
  if (auto apart = check_mapfile(*mapfile, arguments.target, *status); !apart) {
    return failure_of(apart);
  }
  auto settled = settle(arguments, status->uuid);
  if (!settled) return failure_of(settled);
  transfer::CopyStamp stamp = std::move(*settled);
  stamp.target = transfer::target_identity(arguments.target);
  auto start = read_start(*mapfile, stamp, arguments.target, disk->size);
  if (!start) return failure_of(start);
  if (start->resumed && !start->of_now) {
    warn("the set was written to or started anew since the copy began: all of it is copied again");
  }
  const auto target = transfer::open_target({arguments.target, disk->size, disk->unit,
                                             arguments.force, start->resumed, parts_of(*status)});
  if (!target) return failure_of(target);
  stamp.target = transfer::target_identity(arguments.target);  // it may have been made just now
  CopyResult done;
  done.main = status->main.path;
  done.mapfile = *mapfile;
  done.map = std::move(start->map);
  done.resumed = done.map.count(Status::non_scraped).value;
  CopyMonitor monitor(*runtime, arguments, *mapfile, stamp, done.map, **target);
  // The map is saved before the first write: from then on the target is known to be ours.
  if (!monitor.save(done.map)) return failure_of(monitor.saved());
  catch_interrupts();
  const auto copied = transfer::copy_verified(source->device(), **target, disk->unit,
                                              lost_in(*disk), done.map, monitor, system_clock());
  monitor.end();
  if (!copied) done.ended = copied.error();
  if (!monitor.save(done.map)) done.ended = monitor.saved().error();
  finish_copy(arguments, stamp, **target, done);
  return done;
}

void print(const CopyResult& done, const Arguments& arguments) {
  const std::uint64_t left_out = done.map.count(Status::bad).value;
  const std::uint64_t finished = done.map.count(Status::finished).value;
  if (arguments.json) {
    print_json({{"name", arguments.name},
                {"target", arguments.target},
                {"mapfile", done.mapfile},
                {"size_sectors", done.map.size().value},
                {"copied_sectors", finished},
                {"resumed_sectors", done.resumed},
                {"left_out_sectors", left_out},
                {"left_out", control::ranges_to_json(done.map.in(Status::bad))},
                {"unread_sectors", done.map.count(Status::non_trimmed).value},
                {"recorded", done.recorded}});
    return;
  }
  fmt::print("{} copied to {} and verified\n", size_text({finished}), printable(arguments.target));
  if (left_out > 0) {
    fmt::print("{} are lost and left out; {} lists them as bad\n", counted(left_out, "sector"),
               printable(done.mapfile));
    if (left_out > finished) fmt::print("{}\n", printable(rescue_hint(arguments.name, done.main)));
  }
  if (done.recorded) {
    fmt::print(
        "`dmremap stop {}` records the copy if nothing is written before; then `dmremap "
        "release --copied` takes it\n",
        arguments.name);
  }
}

int run(const Arguments& arguments) {
  const auto done = copy(arguments);
  if (!done) {
    Error error = done.error();
    if (error.where.empty()) error.where = arguments.name;
    return report(error, arguments.json);
  }
  print(*done, arguments);
  if (!done->ended) return kDone;
  Error error = *done->ended;
  if (error.where.empty()) error.where = arguments.name;
  return report(error, arguments.json);
}

manual::Prose prose() {
  return {
      .description = R"(
Copies a running set onto a healthy disk, or into a file, through its own device, so that what lies on
the spare is in it. What is written is flushed, read back from the medium and compared; lost sectors
are left out, nothing is written for them, and the mapfile, which `ddrescue` reads as well, lists them
as bad. Interrupted, the same command goes on where it ended: what is on the target already is compared,
and copied again where it differs. A file that has another size by then is copied anew.

What reads well comes first. Where a read fails, or takes far longer than those before it, the copy goes on
further ahead, by steps that grow while that lasts; it comes back to what it leaped over from the other side, and at last asks for the rest sector by
sector. A terminal shows what is left of it and how long it takes at that pace. So a disk that is mostly
dead gives what it has before it is worn out, and Ctrl-C at any time keeps what was copied.

The device of the set may not be in use, nor open, unless the set was started read-only: a copy of what
changes is none. After `dmremap stop`, with nothing written in between, `dmremap release --copied` accepts it.
)",
      .examples = {{"dmremap copy backup /dev/sdd --mapfile copy.map", "onto a new disk"},
                   {"dmremap copy backup ./backup.img",
                    "into a file; the mapfile is `backup.img.map`"}},
      .exits =
          {{0, "all that can be read is copied and verified"},
           {1, "failed or interrupted; what is verified is in the mapfile"},
           {3, "refused: the target is too small, in use, or holds something; the set is in use"}},
      .json =
          "name, target, mapfile, size_sectors, copied_sectors, resumed_sectors, left_out_sectors, "
          "left_out[], unread_sectors, recorded",
      .see_also = {"release", "backfill", "table", "ddrescue(1)"}};
}

}  // namespace

void add_copy(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "copy", "Copy a running set onto a healthy disk or into a file, verified and resumable");
  const auto arguments = std::make_shared<Arguments>();
  add_set_name(verb, arguments->name, "the set; its device may not be in use").required();
  verb.add_option("TARGET", arguments->target,
                  "a disk or partition at least as large, or a file, made if it is not there")
      .required();
  verb.add_option("--mapfile", arguments->mapfile,
                  "how far the copy is, as ddrescue has it; of a file: TARGET.map")
      .type_name("FILE");
  verb.add_flag("--force", arguments->force,
                "overwrite a file, a file system or a partition table on TARGET");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
