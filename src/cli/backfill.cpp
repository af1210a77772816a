// SPDX-License-Identifier: GPL-2.0-or-later
// The image is read here, and the set gets its data as a sealed file in memory: so the set's
// process never waits for a file that may lie on its own device (promise 11).
#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/size_text.hpp"
#include "cli/common/disk_view.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/streams.hpp"
#include "cli/common/verb.hpp"
#include "control/messages.hpp"
#include "os/sealed_memory.hpp"
#include "transfer/backfill_plan.hpp"
#include "transfer/known_bad_file.hpp"

namespace dmremap::cli {

namespace {

struct Arguments {
  std::string name;
  std::string image;
  std::string mapfile;
  bool gone = false;
  bool dry_run = false;
  bool json = false;
};

struct BackfillTotals {
  std::uint64_t filled = 0;
  std::uint64_t kept_gone = 0;
  std::uint64_t unchanged = 0;   // no longer lost when their data arrived
  std::uint64_t missing = 0;     // not in the image
  std::uint64_t unreadable = 0;  // sectors of the image that do not read
  std::optional<Error> ended;    // the error that ended it
};

// The image of main. It is read through the page cache, because an image may have any size and lie
// anywhere.
class Image {
 public:
  static Result<Image> open(const std::string& path) {
    Image out;
    out.fd_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!out.fd_.valid()) return fail_errno(errno, "open the image", path, "check its name");
    struct stat st {};
    const bool is_image =
        ::fstat(out.fd_.get(), &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
    const off_t end = is_image ? ::lseek(out.fd_.get(), 0, SEEK_END) : -1;
    if (end < 0) {
      return fail(ErrorCode::not_a_device, "is neither a block device nor a regular file", path,
                  "give an image of main");
    }
    out.size_ = SectorCount::from_bytes(static_cast<std::uint64_t>(end));
    return out;
  }
  [[nodiscard]] SectorCount size() const { return size_; }

  // Appends the data of `range` to `out`, or nothing if it cannot be read.
  bool read(SectorRange range, std::vector<std::byte>& out) const {
    const std::size_t before = out.size();
    std::size_t done = 0;
    out.resize(before + range.count.bytes());
    while (done < range.count.bytes()) {
      const ssize_t got = ::pread(fd_.get(), out.data() + before + done, range.count.bytes() - done,
                                  static_cast<off_t>(range.first.byte_offset() + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      done += static_cast<std::size_t>(got);
    }
    if (done == range.count.bytes()) return true;
    out.resize(before);
    return false;
  }

 private:
  FileDescriptor fd_;
  SectorCount size_;
};

Result<std::vector<SectorRange>> sectors_in(const Image& image, const Arguments& arguments,
                                            const transfer::BackfillDisk& disk) {
  if (arguments.mapfile.empty()) return sectors_of_image(disk, image.size(), arguments.image);
  const auto areas = transfer::read_mapfile(input_path(arguments.mapfile));
  if (!areas) return failure_of(areas);
  return sectors_of_image(disk, image.size(), arguments.image, *areas, arguments.mapfile);
}

// Reads the ranges of a batch from the image into `data`, and returns those that it read. If a
// range does not read, it is read unit by unit, and the units that fail are left out.
std::vector<SectorRange> read_batch(const Image& image, const std::vector<SectorRange>& batch,
                                    SectorCount unit, std::vector<std::byte>& data,
                                    BackfillTotals& totals) {
  std::vector<SectorRange> out;
  for (const SectorRange& range : batch) {
    if (image.read(range, data)) {
      out.push_back(range);
      continue;
    }
    for (Sector at = range.first; at < range.end(); at = at + unit) {
      if (image.read({at, unit}, data)) {
        out.push_back({at, unit});
      } else {
        totals.unreadable += unit.value;
      }
    }
  }
  return out;
}

// Hands a batch with its data to the set. It has a connection of its own: reading the image may
// take longer than the set waits.
Result<control::BackfillReply> send(const control::RuntimeDir& runtime, const std::string& name,
                                    const control::BackfillRequest& request,
                                    const std::vector<std::byte>& data) {
  const auto sealed = os::seal(data);
  if (!sealed) return failure_of(sealed);
  auto client = connect(runtime, name);
  if (!client) return failure_of(client);
  return client->call(request, kWorkTime, sealed->get());
}

// Sends all batches to the set. An error ends it; sectors that were filled before stay filled.
void send_all(const control::RuntimeDir& runtime, const Image& image, const control::DiskMap& map,
              const std::vector<SectorRange>& fill, const Arguments& arguments,
              BackfillTotals& totals) {
  for (const auto& batch : transfer::batches_of(fill, control::BackfillRequest::kMostSectors)) {
    std::vector<std::byte> data;
    const control::BackfillRequest request{
        {read_batch(image, batch, map.unit, data, totals)}, map.sequence, arguments.gone};
    if (request.ranges.ranges.empty()) continue;
    const auto reply = send(runtime, arguments.name, request, data);
    if (!reply) {
      totals.ended = reply.error();
      return;
    }
    totals.filled += reply->filled_sectors.value;
    totals.kept_gone += reply->kept_gone_sectors.value;
    totals.unchanged += reply->unchanged_sectors.value;
  }
}

Result<BackfillTotals> backfill(const Arguments& arguments) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  // The map is taken before the image is read: sectors that are lost only later have no data in the
  // image.
  const auto map = running_map(*runtime, arguments.name);
  if (!map) return failure_of(map);
  const auto image = Image::open(arguments.image);
  if (!image) return failure_of(image);
  const transfer::BackfillDisk disk{map->size, map->unit, map->extents};
  const auto in_image = sectors_in(*image, arguments, disk);
  if (!in_image) return failure_of(in_image);
  const transfer::BackfillPlan plan = plan_backfill(disk, *in_image, arguments.gone);
  BackfillTotals totals;
  totals.missing = plan.missing.value;
  totals.kept_gone = plan.kept_gone.value;
  if (arguments.dry_run) {
    totals.filled = plan.filling.value;
  } else {
    send_all(*runtime, *image, *map, plan.fill, arguments, totals);
  }
  return totals;
}

void print(const BackfillTotals& totals, const Arguments& arguments) {
  if (arguments.json) {
    print_json({{"name", arguments.name},
                {"image", arguments.image},
                {"filled_sectors", totals.filled},
                {"kept_gone_sectors", totals.kept_gone},
                {"unchanged_sectors", totals.unchanged},
                {"missing_sectors", totals.missing},
                {"unreadable_sectors", totals.unreadable},
                {"dry_run", arguments.dry_run}});
    return;
  }
  fmt::print("{}{} sectors filled from {}, {} lost ones are not in it, {} changed meanwhile\n",
             arguments.dry_run ? "would be: " : "", totals.filled, printable(arguments.image),
             totals.missing, totals.unchanged);
  if (totals.kept_gone > 0) {
    fmt::print(
        "{} gone sectors stay as they are: they held something newer than main ever did; "
        "--gone fills them too\n",
        totals.kept_gone);
  }
}

int run(const Arguments& arguments) {
  const auto done = backfill(arguments);
  if (!done) {
    Error error = done.error();
    if (error.where.empty()) error.where = arguments.name;
    return report(error, arguments.json);
  }
  print(*done, arguments);
  if (done->ended) {
    Error error = *done->ended;
    error.what += fmt::format(" (after {} were filled)", counted(done->filled, "sector"));
    if (error.where.empty()) error.where = arguments.name;
    if (error.hint.empty()) error.hint = "mend that and do it again; what is filled stays filled";
    return report(error, arguments.json);
  }
  if (done->unreadable == 0) return kDone;
  return report(
      Error{ErrorCode::io, fmt::format("{} cannot be read", counted(done->unreadable, "sector")),
            arguments.image, "give another image of these sectors"},
      arguments.json);
}

manual::Prose prose() {
  return {
      .description = R"(
Gives lost sectors of a running set their data from an image of main, one that `ddrescue` made, say:
they are written to the spare and read well from then on. With its mapfile only what that calls
finished is taken. Nothing but lost sectors is touched: what was written since is newer, and stays.

A gone sector had newer contents than main, so an image of main holds an older version of it: those
are filled with `--gone` only.
)",
      .examples = {{"dmremap backfill backup rescue.img --mapfile rescue.map",
                    "what ddrescue could read after all"},
                   {"dmremap backfill backup rescue.img --dry-run", "how much that would be"}},
      .exits = {{0, "done; how much was filled and what stays lost is printed"},
                {1,
                 "failed: no such set runs, it is read-only, the spare or the table is full, or a "
                 "file cannot be read"},
                {3, "refused: the image is larger than main, or smaller and has no mapfile"}},
      .json =
          "name, image, filled_sectors, kept_gone_sectors, unchanged_sectors, missing_sectors, "
          "unreadable_sectors, dry_run",
      .see_also = {"bad", "copy", "files", "ddrescue(1)"}};
}

}  // namespace

void add_backfill(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "backfill", "Give lost sectors of a running set their data from an image of main");
  const auto arguments = std::make_shared<Arguments>();
  add_set_name(verb, arguments->name, "the set").required();
  verb.add_option("IMAGE", arguments->image,
                  "an image of main, not older than what was last written to these sectors")
      .required();
  verb.add_option("--mapfile", arguments->mapfile,
                  "of the rescue by ddrescue: only what it calls finished is taken")
      .type_name("FILE");
  verb.add_flag("--gone", arguments->gone,
                "gone sectors too, which had newer contents than main and so the image");
  verb.add_flag("--dry-run", arguments->dry_run, "say what would be filled, change nothing");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
