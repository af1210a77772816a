// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>
#include <set>

#include <fmt/format.h>

#include "base/size_text.hpp"
#include "cli/common/disk_view.hpp"
#include "cli/common/known_sets.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"
#include "files/file_walk.hpp"
#include "os/usage.hpp"

namespace dmremap::cli {

namespace {

using files::BadFiles;
using nlohmann::json;

struct Arguments {
  std::string name;
  std::string mount_point;
  bool json = false;
};

struct FilesReport {
  DiskView disk;
  files::FileSystemLocation location;
  BadFiles bad;
};

std::vector<std::string> exports_of(const DiskView& disk) {
  std::vector<std::string> out;
  for (const control::ExportReport& one : disk.status.exports) out.push_back(one.where);
  return out;
}

// The only place at which a file system of the set is mounted. One file system may be mounted at
// several places, and each of them will do.
Result<std::string> mount_point_of(const control::SetReport& set) {
  const auto points = mount_points_of(set);
  std::set<os::Storage> file_systems;
  for (const os::Mount& mount : os::read_mounts()) {
    if (std::ranges::find(points, mount.mount_point) == points.end()) continue;
    // Subvolumes of btrfs have device numbers of their own, and one source.
    file_systems.insert(os::storage_of(mount.source).value_or(os::Storage{mount.device}));
  }
  if (points.empty()) {
    return fail(ErrorCode::usage, "no file system on it is mounted", set.name,
                "mount it; or name its device, if it has NTFS, exFAT or FAT");
  }
  if (file_systems.size() > 1) {
    return fail(ErrorCode::usage,
                fmt::format("several file systems on it are mounted: {}", fmt::join(points, ", ")),
                set.name, "name one of the mount points");
  }
  return points.front();
}

Result<FilesReport> find(const Arguments& arguments) {
  auto disk = view_of(arguments.name);
  if (!disk) return failure_of(disk);
  if (!disk->running) {
    return fail(ErrorCode::not_running, "is not running, so nothing of it is mounted",
                arguments.name,
                "start it with `dmremap start " + arguments.name + "` and mount it");
  }
  auto mount_point = arguments.mount_point.empty() ? mount_point_of(disk->status)
                                                   : Result<std::string>(arguments.mount_point);
  if (!mount_point) return failure_of(mount_point);
  auto location = files::locate_file_system(*mount_point, exports_of(*disk), disk->map.size);
  if (!location) return failure_of(location);
  auto bad = files::find_bad_files(*location, disk->map.extents);
  if (!bad) return failure_of(bad);
  if (!bad->fs_type.empty()) location->fs_type = bad->fs_type;
  return FilesReport{std::move(*disk), std::move(*location), std::move(*bad)};
}

std::uint64_t sectors_in(const std::vector<files::BadAreas::UnclaimedRange>& ranges) {
  std::uint64_t out = 0;
  for (const auto& one : ranges) out += one.range.count.value;
  return out;
}

json file_json(const files::BadFile& file) {
  json out{{"path", file.path}, {"directory", file.directory}, {"ranges", json::array()}};
  for (const files::BadRange& range : file.ranges) {
    out["ranges"].push_back({{"offset", range.range.begin},
                             {"length", range.range.length},
                             {"state", format::name_of(range.state)},
                             {"sector", range.sector.value},
                             {"sectors", range.sectors},
                             {"unwritten", range.unwritten}});
  }
  return out;
}

json to_json(const FilesReport& found) {
  json out{
      {"name", found.disk.status.name},
      {"uuid", to_string(found.disk.status.uuid)},
      {"mount_point", found.location.mount_point},
      {"fs_type", found.location.fs_type},
      {"first_sector", found.location.window.first.value},
      {"size_sectors", found.location.window.count.value},
      {"looked_at", found.bad.looked_at},
      {"files", json::array()},
      {"unreadable", json::array()},
      {"in_no_file", {{"sectors", sectors_in(found.bad.in_no_file)}, {"ranges", json::array()}}}};
  for (const files::BadFile& file : found.bad.files) out["files"].push_back(file_json(file));
  for (const files::UnreadableFile& one : found.bad.unread) {
    out["unreadable"].push_back({{"path", one.path}, {"error", errno_text(one.error)}});
  }
  for (const auto& one : found.bad.in_no_file) {
    out["in_no_file"]["ranges"].push_back({{"sector", one.range.first.value},
                                           {"count", one.range.count.value},
                                           {"state", format::name_of(one.state)}});
  }
  return out;
}

void print_file(const files::BadFile& file) {
  fmt::print("{}{}\n", printable(file.path), file.directory ? "/" : "");
  for (const files::BadRange& range : file.ranges) {
    fmt::print("  bytes {} to {}: {}, sector {}+{}{}\n", range.range.begin, range.range.end() - 1,
               format::name_of(range.state), range.sector.value, range.sectors,
               range.unwritten ? " (preallocated: reads as zeros, nothing was there)" : "");
  }
}

void print_text(const FilesReport& found) {
  const BadFiles& bad = found.bad;
  for (const files::BadFile& file : bad.files) print_file(file);
  fmt::print("{} on lost, gone or suspect sectors, of {} looked at\n",
             counted(bad.files.size(), "file"), bad.looked_at);
  if (!bad.in_no_file.empty()) {
    fmt::print("{} in no file below {}: metadata or free space{}\n",
               counted(sectors_in(bad.in_no_file), "bad sector"),
               printable(found.location.mount_point),
               found.location.fs_type == "btrfs" ? ", or another subvolume" : "");
    for (const auto& one : bad.in_no_file) {
      fmt::print("  sector {}+{}: {}\n", one.range.first.value, one.range.count.value,
                 format::name_of(one.state));
    }
  }
  for (const files::UnreadableFile& one : bad.unread) {
    warn(fmt::format("{}: could not be looked at: {}", one.path, errno_text(one.error)));
  }
}

int run(const Arguments& arguments) {
  auto found = find(arguments);
  if (!found) {
    Error error = found.error();
    if (error.where.empty()) error.where = arguments.name;
    return report(error, arguments.json);
  }
  std::ranges::sort(found->bad.files, {}, &files::BadFile::path);
  if (arguments.json) {
    print_json(to_json(*found));
  } else {
    print_text(*found);
  }
  return kDone;
}

manual::Prose prose() {
  return {.description = R"(
Names the files of the mounted file system that lie on lost, gone or suspect sectors, with the bytes of each,
for ext4, xfs, btrfs, NTFS, exFAT and FAT on the device of the set or a partition of it. It asks the
file system where its files are and reads none of them. Bad sectors that are in no file hold
metadata, or nothing.

NTFS, exFAT and FAT are read off the device by fiwalk(1), of the package sleuthkit. They need not be
mounted: the device of the set, or of the partition, does in place of the mount point.
)",
          .examples = {{"dmremap files backup", "which files to restore from a backup"},
                       {"dmremap files backup /mnt", "on one of several partitions"},
                       {"dmremap files backup /dev/loop0p1",
                        "of NTFS, exFAT or FAT on a partition that is not mounted"}},
          .exits = {{0, "it is told"},
                    {1, "failed: no such set is here, or the file system cannot be asked"},
                    {3, "refused: two devices hold the set"}},
          .json =
              "name, uuid, mount_point, fs_type, first_sector, size_sectors, looked_at, files[] "
              "with path and ranges[], unreadable[], in_no_file",
          .see_also = {"map", "explain", "backfill", "fiwalk(1)"}};
}

}  // namespace

void add_files(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb =
      app.add_verb("files", "Which files lie on lost, gone or suspect sectors; reads no file");
  const auto arguments = std::make_shared<Arguments>();
  add_set_name(verb, arguments->name, "the set").required();
  verb.add_option(
      "MOUNTPOINT", arguments->mount_point,
      "where its device, or a partition of it, is mounted, if that is several places; of NTFS, "
      "exFAT and FAT also the device itself");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
