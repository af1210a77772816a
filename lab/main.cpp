// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-lab: the commands.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include "base/parse.hpp"
#include "control.hpp"
#include "fault_text.hpp"
#include "flush_fault.hpp"
#include "front.hpp"
#include "manual/command_line.hpp"
#include "mount_file.hpp"
#include "os/background.hpp"
#include "os/descriptor_io.hpp"
#include "os/json_line.hpp"
#include "os/spawn.hpp"
#include "service.hpp"

namespace dmremap::lab {
namespace {

using nlohmann::json;
using Command = std::function<Result<void>()>;

// Mostly milliseconds. While others look at all devices of a busy machine it takes longer.
constexpr std::chrono::seconds kEndPatience{120};

constexpr const char* kFaults = R"(
KIND is one of these, or several joined by `+`. RANGE is `SECTOR`, `SECTOR+COUNT` or
`FIRST-LAST`, in sectors of 512 bytes, or bytes with a unit (`1GiB+4KiB`).

read[:ERRNO]
  reads that touch the sector fail; EIO unless named (`ENODATA` is what Linux says of a medium
  error)

write[:ERRNO]
  writes, zeroes and discards that touch it fail

until-written
  a successful write of the whole sector ends its read fault, as on a disk that reallocates on write

slow:MS
  what touches it waits first, then fails or succeeds

flaky:P
  the read or write fault fires with chance P, 0 to 1

A later fault on the same sectors sets the kinds that it names and leaves the others.
)";

constexpr const char* kModes = R"(
MODE says how long the disk takes for what it is asked.

instant
  as long as the machine does: so it begins

arm:SEEK_MS,MB_PER_S
  as a disk with one arm: one request at a time in order of arrival, a seek of SEEK_MS on average if
  it does not continue the one before, and its transfer

arm:SEEK_MS,MB_PER_S+streams
  the same, but what continues the request before is served first, until another has waited for two
  seconds

`clear` leaves the mode as it is.
)";

constexpr const char* kCaches = R"(
`none`
  what is acknowledged is in the image: so it begins

`volatile`
  writes stay in memory until a flush, or until there are 64 MiB of them. A write with FUA, zeroes and
  discards go past it. What it holds is lost when a flush fails, with `unplug`, and when the lab is
  ended by a signal; `stop` writes it down.

Flushes end as the last `flushes` says: `ok`, with ERRNO, or with ERRNO so many TIMES and then well
again.
)";

constexpr const char* kFronts = R"(
`--front file` serves a file, by FUSE. A loop device over it makes a block device of it, which tells
its users of every error but EIO only with direct I/O.

`--front ublk` serves a block device, by the kernel's ublk driver: MOUNTFILE becomes a link to
/dev/ublkbN. Errors reach its users with the errno that they were given, as far as the kernel's block
layer knows it: ENODATA (a medium error), ETIMEDOUT, EILSEQ, ENOSPC, EREMOTEIO, ENODEV and some more;
else EIO. When such a lab is killed, requests wait until it is served again at the same MOUNTFILE, or
stopped. It takes root and Linux 6.5 or later with ublk_drv; Debian 12 has that in the kernels of its
backports.
)";

constexpr const char* kEnvironment = R"(
`DMREMAP_RUNTIME_DIR`
  where a served disk keeps its socket and log; else /run/dmremap for root and
  $XDG_RUNTIME_DIR/dmremap
)";

struct Arguments {
  std::string image;
  std::string mountfile;
  std::string fault_file;
  std::string kinds;
  std::string range;
  std::string mode;
  std::string cache;
  std::string flushes;
  std::string front = "file";
  std::string form = "list";
  bool background = false;
  bool as_json = false;
  // In the background process: tells the command that it can return.
  std::shared_ptr<os::Announcement> announcement;
};

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (file.is_open()) file.peek();  // a directory opens well and fails here
  if (!file.is_open() || file.bad()) {
    return fail_errno(errno != 0 ? errno : EIO, "read the faults", path,
                      "name a list or a ddrescue mapfile");
  }
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// From now on what is printed goes to the log.
Result<void> go_to_background(os::Announcement& announcement, const std::string& mountfile) {
  const std::string path = RuntimeFiles::of(mountfile)->log();
  const FileDescriptor log(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (!log.valid()) return fail_errno(errno, "open the log", path);
  if (auto left = os::leave_terminal(log); !left) return left;
  if (!announcement.say("ready")) {
    return fail(ErrorCode::io, "the command that started the lab is gone", path);
  }
  announcement.close();
  return {};
}

// In the process that the user started, once the disk is there or its process has ended.
int wait_until_served(const os::BackgroundFork& parent) {
  if (!os::read_to_end(parent.announced.get()).empty()) return 0;
  const int status = os::wait_for(parent.child_pid);
  // The process has said why. It ended before it was ready: that is no success.
  return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

Result<void> run_serve(const Arguments& given) {
  auto mountfile = absolute_path(given.mountfile);
  if (!mountfile) return failure_of(mountfile);
  ServeOptions options{.image = given.image,
                       .mountfile = *mountfile,
                       .faults = {},
                       .front = given.front == "ublk" ? FrontKind::ublk : FrontKind::file};
  if (!given.fault_file.empty()) {
    const auto text = read_file(given.fault_file);
    if (!text) return failure_of(text);
    auto faults = parse_fault_file(*text, given.fault_file);
    if (!faults) return failure_of(faults);
    options.faults = std::move(*faults);
  }
  return serve(options, [&](const Disk& disk, const Front& front) -> Result<void> {
    fmt::print("{}: {} sectors, served at {}\n", disk.image(), disk.size().value, front.place());
    std::fflush(stdout);
    return given.announcement ? go_to_background(*given.announcement, *mountfile) : Result<void>{};
  });
}

Result<ControlClient> connect(const Arguments& given) {
  const auto mountfile = absolute_path(given.mountfile);
  if (!mountfile) return failure_of(mountfile);
  const auto files = RuntimeFiles::of(*mountfile);
  if (!files) return failure_of(files);
  return ControlClient::connect(*files, *mountfile);
}

Result<json> ask(const Arguments& given, json request) {
  auto client = connect(given);
  if (!client) return failure_of(client);
  return client->ask(std::move(request));
}

Result<void> tell(const Arguments& given, json request) {
  const auto answer = ask(given, std::move(request));
  if (!answer) return failure_of(answer);
  return {};
}

Result<void> run_fault(const Arguments& given) {
  const auto fault = parse_kinds(given.kinds);
  if (!fault) return failure_of(fault);
  const auto range = parse_range(given.range);
  if (!range) return failure_of(range);
  return tell(given, {{"op", "fault"}, {"faults", faults_to_json({{*range, *fault}})}});
}

Result<void> run_clear(const Arguments& given) {
  json request{{"op", "clear"}};
  if (!given.range.empty()) {
    const auto range = parse_range(given.range);
    if (!range) return failure_of(range);
    request["sector"] = range->first.value;
    request["count"] = range->count.value;
  }
  return tell(given, request);
}

Result<void> run_mode(const Arguments& given) {
  const auto mode = parse_mode(given.mode);
  if (!mode) return failure_of(mode);
  return tell(given, {{"op", "mode"}, {"mode", print_mode(*mode)}});
}

Result<void> run_cache(const Arguments& given) {
  return tell(given, {{"op", "cache"}, {"volatile", given.cache == "volatile"}});
}

Result<void> run_flushes(const Arguments& given) {
  const auto fault = parse_flush_fault(given.flushes);
  if (!fault) return failure_of(fault);
  return tell(given, {{"op", "flushes"}, {"end", print_flush_fault(*fault)}});
}

void print_show(const json& shown) {
  fmt::print("{}\n", shown["mountfile"].get<std::string>());
  fmt::print("image:    {}, {} sectors{}\n", shown["image"].get<std::string>(),
             shown["size_sectors"].get<std::uint64_t>(),
             shown["unplugged"].get<bool>() ? ", unplugged" : "");
  if (const auto mode = shown["mode"].get<std::string>(); mode != "instant") {
    fmt::print("mode:     {}\n", mode);
  }
  if (shown["cache"] != "none") fmt::print("cache:    {}\n", shown["cache"].get<std::string>());
  if (const auto end = shown["flushes"].get<std::string>(); end != "ok") {
    fmt::print("flushes:  {}\n", end);
  }
  const json& counts = shown["counts"];
  const auto count = [&counts](const char* key) { return counts[key].get<std::uint64_t>(); };
  fmt::print(
      "requests: {} reads ({} failed), {} writes ({} failed), {} zeroes ({} failed), "
      "{} flushes ({} failed), {} delayed\n",
      count("reads"), count("failed_reads"), count("writes"), count("failed_writes"),
      count("zeroes"), count("failed_zeroes"), count("flushes"), count("failed_flushes"),
      count("delayed"));
  fmt::print("faults:{}\n", shown["faults"].empty() ? "   none" : "");
  for (const json& run : shown["faults"]) {
    const SectorRange range{{run["sector"].get<std::uint64_t>()},
                            {run["count"].get<std::uint64_t>()}};
    fmt::print("  {} {}\n", fmt::join(run["kinds"].get<std::vector<std::string>>(), "+"),
               print_range(range));
  }
}

Result<void> run_show(const Arguments& given) {
  const auto shown = ask(given, {{"op", "show"}});
  if (!shown) return failure_of(shown);
  if (given.as_json) {
    fmt::print("{}\n", shown->dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    print_show(*shown);
  }
  return {};
}

Result<void> run_save(const Arguments& given) {
  const auto shown = ask(given, {{"op", "show"}});
  if (!shown) return failure_of(shown);
  const auto faults = faults_from_json(shown->at("faults"));
  if (!faults) return failure_of(faults);
  const bool mapfile = given.form == "ddrescue";
  const SectorCount size{shown->at("size_sectors").get<std::uint64_t>()};
  std::ofstream file(given.fault_file, std::ios::binary | std::ios::trunc);
  file << (mapfile ? print_mapfile(*faults, size) : print_list(*faults));
  file.close();
  if (!file) return fail_errno(errno != 0 ? errno : EIO, "write the faults", given.fault_file);
  if (mapfile && lost_in_mapfile(*faults)) {
    fmt::print(stderr,
               "dmremap-lab: {}: a mapfile holds read faults only; --format list keeps all kinds\n",
               given.fault_file);
  }
  return {};
}

// A lab that was killed leaves a dead mount or a disk whose requests wait, and a socket.
Result<void> clear_away_dead(const std::string& mountfile) {
  auto left = clear_dead_file(mountfile);
  if (!left && left.error().code == ErrorCode::not_running) left = clear_dead_ublk(mountfile);
  if (!left) return failure_of(left);
  const auto files = RuntimeFiles::of(mountfile);
  if (!files) return failure_of(files);
  ::unlink(files->socket().c_str());
  ::unlink(files->log().c_str());
  fmt::print("{}: its lab had died; took {} away\n", mountfile, *left);
  return {};
}

Result<void> run_stop(const Arguments& given) {
  const auto mountfile = absolute_path(given.mountfile);
  if (!mountfile) return failure_of(mountfile);
  auto client = connect(given);
  if (!client && client.error().code == ErrorCode::not_running) {
    const auto cleared = clear_away_dead(*mountfile);
    const bool nothing = !cleared && cleared.error().code == ErrorCode::not_running;
    return nothing ? failure_of(client) : cleared;
  }
  if (!client) return failure_of(client);
  const auto answer = client->ask({{"op", "stop"}});
  if (!answer) return failure_of(answer);
  return client->wait_for_end(kEndPatience);
}

// Declares every command; the one that was given ends up in `chosen`.
void declare_commands(manual::Verb app, Arguments& given, Command& chosen) {
  app.require_verb();
  const auto command = [&](const char* name, const char* what,
                           Result<void> (*run)(const Arguments&)) {
    manual::Verb sub = app.add_verb(name, what);
    sub.when_given([&given, &chosen, run] { chosen = [&given, run] { return run(given); }; });
    return sub;
  };
  const auto mountfile = [&given](manual::Verb sub) {
    sub.add_option("MOUNTFILE", given.mountfile, "where the disk appears").required();
    return sub;
  };
  manual::Verb serve =
      command("serve", "serve an image as a disk that fails on command", run_serve);
  serve.add_option("IMAGE", given.image, "a regular file or block device").required();
  mountfile(serve);
  serve
      .add_option("--faults", given.fault_file,
                  "start with the faults of a list or ddrescue mapfile")
      .type_name("FILE");
  serve
      .add_option("--front", given.front,
                  "as what it appears: a file, or a block device by the kernel's ublk driver")
      .one_of({"file", "ublk"})
      .type_name("file|ublk");
  serve.add_flag("--background", given.background, "return once the disk is there");

  manual::Verb fault = mountfile(command("fault", "make sectors bad", run_fault));
  fault
      .add_option("KIND", given.kinds,
                  "read[:ERRNO] write[:ERRNO] until-written slow:MS flaky:P, joined by +")
      .required();
  fault.add_option("RANGE", given.range, "SECTOR, SECTOR+COUNT or FIRST-LAST").required();

  mountfile(command("clear", "make sectors good again; all, or a range", run_clear))
      .add_option("RANGE", given.range, "SECTOR, SECTOR+COUNT or FIRST-LAST");
  mountfile(command("unplug", "answer everything with ENODEV", [](const Arguments& a) {
    return tell(a, {{"op", "unplug"}});
  }));
  mountfile(command("replug", "undo unplug", [](const Arguments& a) {
    return tell(a, {{"op", "replug"}});
  }));
  mountfile(command("mode", "how long the disk takes for its requests", run_mode))
      .add_option("MODE", given.mode, "instant or arm:SEEK_MS,MB_PER_S[+streams]")
      .required();
  mountfile(command("cache", "whether writes need a flush to stay", run_cache))
      .add_option("CACHE", given.cache, "none or volatile")
      .one_of({"none", "volatile"})
      .required();
  mountfile(command("flushes", "how flushes end", run_flushes))
      .add_option("END", given.flushes, "ok, ERRNO or ERRNO:TIMES")
      .required();
  mountfile(command("show", "faults and counters", run_show))
      .add_flag("--json", given.as_json, "as JSON");
  manual::Verb save = mountfile(command("save", "write the faults to a file", run_save));
  save.add_option("FILE", given.fault_file, "the file to write").required();
  save.add_option("--format", given.form, "list keeps every kind, ddrescue only read faults")
      .one_of({"list", "ddrescue"})
      .type_name("list|ddrescue");
  mountfile(command("stop", "take the disk away and end", run_stop));
}

manual::Prose about() {
  return {
      .description = R"(
Serves an image as a disk at a real path. Sectors of it fail when you say so, while it is in use;
the errors reach programs through the kernel, as from a disk. It is there to rehearse with before
dmremap(8) is trusted with a real disk.
)",
      .examples = {{"dmremap-lab serve disk.img disk --background", "the disk is the file disk"},
                   {"dmremap-lab fault disk read:ENODATA 204800+8",
                    "4 KiB at 100 MiB cannot be read"},
                   {"dmremap-lab fault disk write+until-written 300000",
                    "this sector takes no write; its read fault would end with one"},
                   {"dmremap-lab mode disk arm:8,150", "seeks of 8 ms, 150 MB a second"},
                   {"dmremap-lab serve disk.img disk --front ublk --background",
                    "the disk is a block device, and the link disk leads to it"},
                   {"dmremap-lab cache disk volatile; dmremap-lab flushes disk EIO:1",
                    "the next flush fails, and what was not flushed is lost"},
                   {"dmremap-lab save disk faults.map --format ddrescue",
                    "keep the read faults as a mapfile"}},
      .exits = {{0, "done"},
                {1, "failed"},
                {3, "refused because something is in use; the message says by whom"}},
      .see_also = {"dmremap(8)", "ddrescue(1)", "losetup(8)"},
      .sections = {{"FAULTS", kFaults},
                   {"MODES", kModes},
                   {"CACHE AND FLUSHES", kCaches},
                   {"FRONTS", kFronts},
                   {"ENVIRONMENT", kEnvironment}}};
}

int report(const Error& error, bool as_json) {
  if (as_json) {
    const json line{{"error", os::to_json(error)}};
    fmt::print(stderr, "{}\n", os::to_line(line));
  } else {
    fmt::print(stderr, "dmremap-lab: {}\n", error.message());
  }
  return static_cast<int>(class_of(error.code));
}

int run(int argc, char** argv) {
  using Kind = manual::Parsed::Kind;
  manual::Program program("dmremap-lab", "Serves an image as a disk that fails on command",
                          "dmremap-lab " DMREMAP_VERSION);
  manual::Verb app = program.top();
  Arguments given;
  Command chosen;
  app.describe(about());  // first: the commands take the form of their help from it
  declare_commands(app, given, chosen);
  const manual::Parsed parsed = program.parse(argc, argv);
  if (parsed.kind == Kind::answered) return parsed.exit_code;
  if (parsed.kind == Kind::wrong) {
    return report(Error{ErrorCode::usage, parsed.problem, {}, "see dmremap-lab --help"},
                  given.as_json);
  }
  if (given.background) {
    auto fork = os::fork_to_background();
    if (!fork) return report(fork.error(), given.as_json);
    if (!fork->child) return wait_until_served(*fork);
    given.announcement = std::make_shared<os::Announcement>(std::move(*fork->child));
  }
  const auto done = chosen();
  return done ? 0 : report(done.error(), given.as_json);
}

}  // namespace
}  // namespace dmremap::lab

int main(int argc, char** argv) {
  try {
    return dmremap::lab::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "dmremap-lab: {}\n", error.what());
    return 1;
  }
}
