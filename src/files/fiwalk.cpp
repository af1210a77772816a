// SPDX-License-Identifier: GPL-2.0-or-later
#include "files/fiwalk.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "files/dfxml.hpp"
#include "os/spawn.hpp"

namespace dmremap::files {

namespace {

// -x: XML to stdout; -g and -z: no file's data is read, not even for a checksum; -O: only files
// that exist.
constexpr std::array kOptions{"-x", "-g", "-z", "-O"};

// A running fiwalk and the end of the pipe that it writes to.
class Fiwalk {
 public:
  static Result<Fiwalk> start(const std::string& device) {
    auto pipe = os::make_pipe();
    if (!pipe) return failure_of(pipe);
    os::Command command{{"fiwalk"}};
    command.words.insert(command.words.end(), kOptions.begin(), kOptions.end());
    command.words.push_back(device);
    command.output = pipe->writing.get();
    const auto started = os::spawn(command);
    if (!started && started.error() == ENOENT) {
      return fail(ErrorCode::not_supported,
                  "files of NTFS, exFAT and FAT are found by fiwalk, which is not installed",
                  device, "install the package sleuthkit");
    }
    if (!started) return fail_errno(started.error(), "run fiwalk", device);
    Fiwalk out;
    out.process_ = *started;
    out.pipe_ = std::move(pipe->reading);
    return out;
  }

  Fiwalk(Fiwalk&& other) noexcept
      : process_(std::exchange(other.process_, 0)), pipe_(std::move(other.pipe_)) {}
  Fiwalk& operator=(Fiwalk&&) = delete;
  // A fiwalk that is not read to its end gets no further than its next line.
  ~Fiwalk() { (void)wait(); }

  // The next piece of its text; empty at the end.
  Result<std::string_view> read() {
    while (true) {
      const ssize_t got = ::read(pipe_.get(), chunk_.data(), chunk_.size());
      if (got >= 0) return std::string_view(chunk_.data(), static_cast<std::size_t>(got));
      if (errno != EINTR) return fail_errno(errno, "read what fiwalk says", {});
    }
  }

  // Its status as wait(2) has it.
  int wait() {
    pipe_ = FileDescriptor();
    return process_ > 0 ? os::wait_for(std::exchange(process_, 0)) : 0;
  }

 private:
  Fiwalk() = default;

  pid_t process_ = 0;
  FileDescriptor pipe_;
  std::vector<char> chunk_ = std::vector<char>(std::size_t{64} * 1024);
};

bool is_expected(const std::string& file_system) {
  return file_system == "ntfs" || file_system == "exfat" || file_system.starts_with("fat");
}

// NTFS compresses 16 clusters at a time, of 4 KiB at most: one bad sector spoils as much as that.
constexpr std::uint64_t kLargestUnitBytes = std::uint64_t{64} * kKiB;

// The bytes of the file that a bad area in one of its runs makes unreadable.
ByteRange spoiled(const WalkedFile& file, const FileRun& run, const ByteRange& bad) {
  if (!run.packed) return {run.file_offset + (bad.begin - run.place.begin), bad.length};
  const std::uint64_t begin = align_down(run.file_offset, kLargestUnitBytes);
  const std::uint64_t end = align_up(run.file_offset + run.place.length, kLargestUnitBytes);
  return {begin, std::min(end, std::max(file.size, begin)) - begin};
}

// Matches files as they come against the bad areas.
class FiwalkMatcher {
 public:
  FiwalkMatcher(std::string root, std::vector<BadArea> areas)
      : root_(std::move(root)), areas_(std::move(areas)) {
    if (!root_.empty() && !root_.ends_with('/')) root_ += '/';
  }

  void take(const WalkedFile& file) {
    // A file with several names once, by the first; each stream of NTFS is a file of its own.
    const std::uint64_t first = file.runs.empty() ? 0 : file.runs.front().place.begin;
    if (!file.directory && !file.runs.empty() && !seen_.insert({file.inode, first}).second) return;
    ++out_.looked_at;
    BadFile bad{root_ + file.path, file.directory, {}};
    for (const FileRun& run : file.runs) append(bad, file, run);
    if (!bad.ranges.empty()) out_.files.push_back(std::move(bad));
  }

  BadFiles result() && {
    out_.in_no_file = areas_.unclaimed();
    return std::move(out_);
  }

 private:
  void append(BadFile& bad, const WalkedFile& file, const FileRun& run) {
    for (const BadArea& area : areas_.take(run.place)) {
      const std::uint64_t sectors = align_up(area.at.length, kSectorBytes) / kSectorBytes;
      bad.ranges.push_back({spoiled(file, run, area.at), area.sector, sectors, area.state, false});
    }
  }

  std::string root_;
  BadAreas areas_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen_;  // inode, first byte on the device
  BadFiles out_;
};

Result<void> check_file_systems(const std::vector<std::string>& found, const std::string& device) {
  const std::string hint = "`files` knows ext4, xfs, btrfs, NTFS, exFAT and FAT";
  if (found.empty()) {
    return fail(ErrorCode::not_supported, "fiwalk finds no file system that it knows", device,
                hint);
  }
  if (found.size() > 1) {
    return fail(ErrorCode::usage, "holds several file systems, in partitions", device,
                "give the mount point of one, or the device of its partition");
  }
  if (is_expected(found.front())) return {};
  return fail(ErrorCode::not_supported, "holds " + found.front(), device, hint);
}

}  // namespace

Result<BadFiles> find_bad_files_by_fiwalk(const FileSystemLocation& location,
                                          std::span<const format::Extent> extents) {
  auto fiwalk = Fiwalk::start(location.device);
  if (!fiwalk) return failure_of(fiwalk);
  FiwalkMatcher matcher(location.is_mounted() ? location.mount_point : std::string(),
                        bad_areas(extents, location.window));
  DfxmlReader reader([&](const WalkedFile& file) { matcher.take(file); });
  const auto about_device = [&](Error error) {
    if (error.where.empty()) error.where = location.device;
    return tl::unexpected(std::move(error));
  };
  while (true) {
    const auto text = fiwalk->read();
    if (!text) return about_device(text.error());
    if (text->empty()) break;
    if (auto fed = reader.feed(*text); !fed) return about_device(fed.error());
  }
  const int status = fiwalk->wait();
  if (reader.file_systems().empty() || status == 0) {
    if (auto known = check_file_systems(reader.file_systems(), location.device); !known) {
      return failure_of(known);
    }
  }
  // If the list ended early, everything after its end would be reported as free space.
  if (status != 0) {
    return fail(ErrorCode::io, "fiwalk did not come to its end", location.device,
                "look with `fiwalk -x -g -z -O` what it says; the file system may be damaged");
  }
  if (auto whole = reader.finish(); !whole) return about_device(whole.error());
  BadFiles out = std::move(matcher).result();
  out.fs_type = reader.file_systems().front();
  return out;
}

}  // namespace dmremap::files
