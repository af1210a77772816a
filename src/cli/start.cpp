// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/common/boot_start.hpp"
#include "cli/common/export_choice.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_names.hpp"
#include "cli/common/verb.hpp"
#include "daemon/background.hpp"
#include "os/path.hpp"
#include "os/root_storage.hpp"

namespace dmremap::cli {

namespace {

struct Arguments {
  std::vector<std::string> what;  // a name, or devices, or several names
  bool all = false;
  std::vector<std::string> exports;
  std::string socket;
  std::string mount;
  set::OpenOptions open;
  bool foreground = false;
  bool at_boot = false;
  bool replace = false;
  bool json = false;
};

Result<void> check_places(const std::vector<daemon::ExportKind>& kinds,
                          const Arguments& arguments) {
  const bool nbd = asks_for_nbd(kinds);
  if (!nbd && !arguments.socket.empty()) {
    return fail(ErrorCode::usage, "only NBD has a socket", "--socket", "add `--export nbd`");
  }
  const bool no_file = std::ranges::all_of(kinds, [](auto kind) {
    return kind == daemon::ExportKind::nbd || kind == daemon::ExportKind::ublk;
  });
  if (no_file && !arguments.mount.empty()) {
    return fail(ErrorCode::usage, "NBD and ublk have no file to mount", "--mount",
                "use `--export fuse`");
  }
  return {};
}

// The set that is named by the only argument; empty: the arguments are devices.
Result<std::optional<std::string>> only_set(const Arguments& arguments) {
  if (arguments.what.size() != 1) return std::nullopt;
  const std::string& given = arguments.what.front();
  if (is_device_argument(given)) {
    const auto runtime = control::RuntimeDir::from_environment();
    return runtime ? set_served_at(*runtime, given) : std::nullopt;
  }
  auto name = resolve_set_name(given);
  if (!name) return failure_of(name);
  return std::optional(std::move(*name));
}

Result<daemon::StartOptions> parse(const Arguments& arguments) {
  daemon::StartOptions options;
  options.open = arguments.open;
  options.replace = arguments.replace;
  if (arguments.open.stale_ok && !arguments.open.read_only) {
    return fail(ErrorCode::usage, "needs --read-only", "--stale-ok",
                "a doubtful set is never written to");
  }
  if (arguments.open.set_drive_timeouts && arguments.open.read_only) {
    return fail(ErrorCode::usage, "is not for --read-only", "--set-drive-timeouts",
                "a read-only set does not look after its drive");
  }
  auto exports = parse_exports(arguments.exports);
  if (!exports) return failure_of(exports);
  options.exports = std::move(*exports);
  if (auto fit = check_places(options.exports, arguments); !fit) return failure_of(fit);
  options.exports = possible_exports(std::move(options.exports));
  if (!arguments.mount.empty()) options.mount_path = os::absolute(arguments.mount);
  if (!arguments.socket.empty()) options.socket = os::absolute(arguments.socket);
  if (!arguments.open.accept_main.empty()) {
    options.open.accept_main = os::absolute(arguments.open.accept_main);
  }

  // A single word is a set if it has no `/`, or if a set is served there; anything else must be
  // devices.
  const auto only = only_set(arguments);
  if (!only) return failure_of(only);
  if (*only) {
    options.name = **only;
    if (auto named = discovery::check_set_name(options.name); !named) {
      return failure_of(named);
    }
    return options;
  }
  for (const std::string& device : arguments.what) {
    if (!is_device_argument(device)) {
      return fail(
          ErrorCode::usage, "is no device, and others of these are", device,
          "give the names of sets, or the devices of one: a device has a '/' in it, ./" + device);
    }
    options.devices.push_back(os::absolute(device));
  }
  if (arguments.replace) {
    return fail(ErrorCode::usage, "is for a set that is served, by its name", "--replace",
                "`dmremap list` says which sets are");
  }
  return options;
}

void print(const control::StartReport& served, bool json) {
  for (const std::string& text : served.warnings) warn(text);
  if (json) {
    print_json(served);
  } else {
    for (const control::ExportReport& entry : served.exports) fmt::print("{}\n", entry.where);
  }
  std::fflush(stdout);
}

// Prints the exports when the set is served, for a caller that reads them from a start in the
// foreground.
class ForegroundObserver final : public daemon::StartObserver {
 public:
  explicit ForegroundObserver(bool json) : json_(json) {}
  void named(const std::string&) override {}
  bool serving(const control::StartReport& what) override {
    has_served_ = true;
    print(what, json_);
    return true;
  }
  [[nodiscard]] bool has_served() const { return has_served_; }

 private:
  bool json_;
  bool has_served_ = false;
};

// Serves the set of a claim until it is stopped, in the foreground.
Result<void> serve_at_boot(const claims::Claim& claim, const daemon::StartOptions& options,
                           const control::RuntimeDir& runtime, bool json) {
  const auto serve = [&](bool& was_served, std::optional<std::chrono::nanoseconds> all_answer) {
    ForegroundObserver observer(json);
    daemon::StartOptions wanted = options;
    wanted.all_answer_within = all_answer;
    auto ended = daemon::run_daemon(wanted, runtime, observer);
    was_served = observer.has_served();
    return ended;
  };
  return serve_when_present(claim, runtime, serve);
}

// Waits for the devices of a set that is then served in the background, and serves one that stays
// in the foreground. Empty: it is to be started.
std::optional<int> run_at_boot(const Arguments& arguments, daemon::StartOptions& options,
                               const control::RuntimeDir& runtime) {
  if (options.name.empty()) {
    return report(Error{ErrorCode::usage, "needs the name of a set", "--at-boot",
                        "what comes up by itself is found by its claim"},
                  arguments.json);
  }
  const auto claim = enabled_set(options.name, runtime);
  if (!claim) return report(claim.error(), arguments.json);
  // A spare that only has the name is not enough: it may be a disk of another host.
  options.name = to_string(claim->set_uuid);
  if (arguments.foreground) {
    const auto ended = serve_at_boot(*claim, options, runtime, arguments.json);
    return ended ? kDone : report(ended.error(), arguments.json);
  }
  DeviceWait wait(*claim, discovery::Hints(runtime.hints()), DeviceWait::AfterDeadline::fail);
  const auto present = wait.until_present();
  if (!present) return report(present.error(), arguments.json);
  return std::nullopt;
}

// While one process follows the other, the users of the set wait, and this program may lie on it:
// it goes on from memory, and is here again then.
void leave_files(const control::RuntimeDir& runtime, const std::string& name) {
  if (os::runs_from_memory() || !control::holder_of(runtime.pid_file(name))) return;
  const Error error = os::run_from_memory();
  warn("is run from its file: " + error.message());
}

// --- several sets ------------------------------------------------------------------------------

// Names, not devices: those of one set are told from names by their '/'.
bool means_several(const Arguments& arguments) {
  return arguments.all ||
         (arguments.what.size() > 1 && std::ranges::none_of(arguments.what, is_device_argument));
}

// What can be meant of one set alone.
Result<void> check_several(const Arguments& arguments) {
  if (arguments.all && !arguments.what.empty()) {
    return fail(ErrorCode::usage, "give either names of sets or --all", "start",
                "`dmremap list -a` says which sets there are");
  }
  const std::pair<const char*, bool> of_one[] = {
      {"--socket", !arguments.socket.empty()},
      {"--mount", !arguments.mount.empty()},
      {"--accept-main", !arguments.open.accept_main.empty()},
      {"--accept-main-changed", arguments.open.accept_main_changed},
      {"--stale-ok", arguments.open.stale_ok},
      {"--at-boot", arguments.at_boot},
      {"--replace", arguments.replace},
      {"--foreground", arguments.foreground}};
  for (const auto& [option, given] : of_one) {
    if (given) {
      return fail(ErrorCode::usage, "is for one set", option, "start that set by itself");
    }
  }
  return {};
}

// All sets that this host knows and that do not run.
std::vector<std::string> stopped_names(const control::RuntimeDir& runtime) {
  std::vector<std::string> out;
  for (const NamedSet& set : named_sets(runtime)) {
    if (!is_running(runtime, set.name)) out.push_back(set.name);
  }
  return out;
}

void print_line(const std::string& name, const control::StartReport& served) {
  for (const std::string& text : served.warnings) warn(text);
  fmt::print("{}:", printable(name));
  for (const control::ExportReport& entry : served.exports) {
    fmt::print(" {}", printable(entry.where));
  }
  fmt::print("\n");
  std::fflush(stdout);
}

// One that cannot be started does not keep the others down. The exit code is the worst one.
int run_several(const Arguments& arguments) {
  if (auto fine = check_several(arguments); !fine) return report(fine.error(), arguments.json);
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  if (auto made = runtime->make(); !made) return report(made.error(), arguments.json);
  const std::vector<std::string> names = arguments.all ? stopped_names(*runtime) : arguments.what;
  nlohmann::json started = nlohmann::json::array();
  int exit = kDone;
  for (const std::string& name : names) {
    Arguments one = arguments;
    one.what = {name};
    const auto options = parse(one);
    // What is wrong of all is said once.
    if (!options && options.error().code == ErrorCode::usage) {
      return report(options.error(), arguments.json);
    }
    if (!options) {
      exit = std::max(exit, report(options.error(), arguments.json));
      continue;
    }
    const daemon::BackgroundStart background = daemon::start_in_background(*options, *runtime);
    // The child returns here too, when its set has ended, and starts no others.
    if (background.is_child) return background.ended ? kDone : kFailed;
    if (!background.served) {
      Error error = background.served.error();
      if (error.where.empty()) error.where = name;
      exit = std::max(exit, report(error, arguments.json));
      continue;
    }
    if (arguments.json) {
      started.push_back(*background.served);
    } else {
      print_line(options->name, *background.served);
    }
  }
  if (arguments.json) print_json({{"sets", std::move(started)}});
  if (names.empty() && !arguments.json) fmt::print("no set that is known here is stopped\n");
  return exit;
}

int run(const Arguments& arguments) {
  if (means_several(arguments)) return run_several(arguments);
  if (arguments.what.empty()) {
    return report(Error{ErrorCode::usage, "give a set, its devices, or --all", "start",
                        "`dmremap list -a` says which sets there are"},
                  arguments.json);
  }
  auto options = parse(arguments);
  if (!options) return report(options.error(), arguments.json);
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  if (auto made = runtime->make(); !made) return report(made.error(), arguments.json);
  if (arguments.replace) leave_files(*runtime, options->name);
  if (arguments.at_boot) {
    if (const auto ended = run_at_boot(arguments, *options, *runtime)) return *ended;
  }
  if (arguments.foreground) {
    ForegroundObserver observer(arguments.json);
    const auto ended = daemon::run_daemon(*options, *runtime, observer);
    return ended ? kDone : report(ended.error(), arguments.json);
  }
  const daemon::BackgroundStart background = daemon::start_in_background(*options, *runtime);
  // The child returns here too, when the set has ended.
  if (background.is_child) return background.ended ? kDone : kFailed;
  if (!background.served) return report(background.served.error(), arguments.json);
  print(*background.served, arguments.json);
  return kDone;
}

manual::Prose prose() {
  return {
      .description = R"(
Finds the devices of the set, checks that they are the right ones, and serves the virtual device
until `dmremap stop`. It returns once I/O is served and prints where, one line for each --export:
`dm`, `ublk` and `block` a node in /dev, `fuse` a file, `nbd` a URI. The link /dev/dm-remap/NAME to the node is
the same at every start, and so are NAME-part1 and so on where main has partitions.

Of several sets, or with `--all` of every set that this host knows and that is stopped, those that can be
started are: one line each, its name and where it is. The others are named with the reason, and the exit code
is that of the worst. `dmremap assemble --all` starts what is found on the disks instead, known or not.

With `ublk`, which takes Linux 6.5 or later with its driver and the right to administer the system, the
device outlives the process: if that is killed, requests wait, and the next start takes the device over and
says so; its users notice nothing but the time. Only a flush that was under way may fail, since the disk may
have told the dead process alone what it lost. `block`, a loop device over a FUSE file, fails its users then.

With `dm`, the kernel target of dm-remap (docs/kernel.md), requests go straight to main wherever there is
nothing to say about it, and need no process for that; all others go by a ublk device to the set. It takes
the module dm-remap, ublk, and a block device as main. If the process is killed, only those others wait.

A set whose metadata is in doubt is refused, and so is a main device that was written to since the
last stop. With --read-only nothing is written anywhere, not even to the metadata.

A main that the kernel has set read-only, as it does with flash at its end, is refused, for it may be
a mistake. With --main-read-only it is only read, and what is written goes to the spare, with what
lies around it, as long as there is room.

With --replace the process that serves the set by ublk, of an earlier version of this program, say, ends, and
this one goes on in its place. Users of the device wait for that, for a second or two, and get no error. It may be
the process that serves the root file system, from the initramfs or from a --replace before: `systemctl restart
dmremap-replace@NAME` does it too. That is refused while the set or one of its devices is not well.

With --set-drive-timeouts main's drive is told (by smartctl, SCT ERC) to give a bad sector up so early
that a read of it ends within the deadline of a request, and the kernel to wait for twice as long; while
lost sectors are asked again, the drive may try as long as it likes. Both are put back at the stop. Without
the option nothing is changed, and `dmremap status` says what would help: a drive that tries for minutes
stalls its users or is reset, and one that gives up early gives up what it could have read.

Main is known by what is its own: the names that its hardware gives it, the file system and handle of an
image. A file system UUID is none of that, for every copy has it. Where nothing of its own is recorded, or
a dock shows another name, --accept-main PATH says which device it is. That is recorded: from then on the
device is taken where it was, with the contents that it had at a clean stop.
)",
      .examples = {{"dmremap start backup", "by name; then mount /dev/dm-remap/backup"},
                   {"dmremap start backup films", "two sets; --all: all that are stopped"},
                   {"dmremap start /dev/sdc1 /dev/sdb", "from the devices alone, in any order"},
                   {"dmremap start ./spare.img ./main.img --read-only --stale-ok",
                    "look at what a doubtful set still has"}},
      .exits = {{0, "it is served; with --foreground: it was stopped"},
                {1, "failed: no such device, no metadata, it cannot be served"},
                {3,
                 "refused: doubtful, forked, wrong or missing devices, in use, main mounted or "
                 "changed, runs already"}},
      .json = "name, exports, warnings[]; of several and with --all sets[] of these that started",
      .see_also = {"stop", "status", "examine", "resolve"}};
}

}  // namespace

void add_start(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "start", "Serve a set in the background; prints where, one line for each export");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option(
      "NAME|DEVICE", arguments->what,
      "the set by its name or UUID, or its devices in any order (with a '/' in them); or "
      "several sets by their names");
  verb.add_flag("-a,--all", arguments->all, "every set that this host knows and that is stopped");
  verb.add_option(
          "--export", arguments->exports,
          "how it is offered (auto: ublk if possible, else block, else fuse, else nbd); may "
          "be repeated")
      .type_name("auto|dm|ublk|block|fuse|nbd")
      .repeated();
  verb.add_option(
          "--mount", arguments->mount,
          "serve the FUSE file here, in directories that others cannot change; made if absent")
      .type_name("PATH");
  verb.add_option(
          "--socket", arguments->socket,
          "with --export nbd: the Unix socket, in directories that others cannot change; else "
          "one in the runtime directory")
      .type_name("PATH");
  verb.add_flag("--read-only", arguments->open.read_only, "write nothing, anywhere");
  verb.add_flag("--main-read-only", arguments->open.main_read_only,
                "main takes no writes: it is only read, and all that is written goes to the spare");
  verb.add_flag("--set-drive-timeouts", arguments->open.set_drive_timeouts,
                "while the set runs, the drive gives a bad sector up within a request's deadline "
                "(SCT ERC) and the kernel waits longer than the drive");
  verb.add_flag("--stale-ok", arguments->open.stale_ok,
                "with --read-only: serve a doubtful or forked set too");
  verb.add_option(
          "--accept-main", arguments->open.accept_main,
          "this is main, though what is recorded cannot prove it; recorded, so that once is "
          "enough")
      .type_name("PATH");
  verb.add_flag("--accept-main-changed", arguments->open.accept_main_changed,
                "start although main was changed since the last stop");
  verb.add_flag(
      "--at-boot", arguments->at_boot,
      "only if `dmremap enable` was said of it on this host; waits for its devices, and with "
      "--foreground goes on waiting after the deadline (30 s, or `enable --wait`)");
  verb.add_flag("--replace", arguments->replace,
                "take the set over from the process that serves it now; its users go on");
  verb.add_flag("--foreground", arguments->foreground, "stay in the foreground");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
