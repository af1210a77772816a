// SPDX-License-Identifier: GPL-2.0-or-later
#include "files/file_walk.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/file_descriptor.hpp"
#include "files/btrfs_tree.hpp"
#include "files/fiwalk.hpp"

namespace dmremap::files {

namespace {

constexpr std::uint32_t kExtentsAtOnce = 256;
// The extent has no place yet, or none of its own.
constexpr std::uint32_t kNowhere = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC;

// fiemap ends in an array of as many extents as it is given room for.
union Fiemap {
  std::array<std::byte, sizeof(fiemap) + kExtentsAtOnce * sizeof(fiemap_extent)> room{};
  fiemap head;
};

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, DirectoryCloser>;

class FileWalk {
 public:
  FileWalk(BadAreas areas, bool btrfs) : areas_(std::move(areas)), btrfs_(btrfs) {}

  Result<void> run(const std::string& root) {
    const auto facts = look(AT_FDCWD, root.c_str());
    if (!facts) return fail_errno(errno, "look at it", root);
    mount_ = facts->stx_mnt_id;
    visit(AT_FDCWD, root.c_str(), root, *facts);
    // Depth first, one directory at a time: memory holds paths, never the whole tree open.
    while (!directories_.empty()) {
      const std::string path = std::move(directories_.back());
      directories_.pop_back();
      list(path);
    }
    return {};
  }

  // Looks at one file or directory alone.
  Result<void> look_at(const std::string& path) {
    const auto facts = look(AT_FDCWD, path.c_str());
    if (!facts) return fail_errno(errno, "look at it", path);
    mount_ = facts->stx_mnt_id;
    visit(AT_FDCWD, path.c_str(), path, *facts);
    return {};
  }

  BadFiles result() && {
    out_.in_no_file = areas_.unclaimed();
    return std::move(out_);
  }

 private:
  static std::optional<struct statx> look(int at, const char* name) {
    struct statx facts {};
    const unsigned mask = STATX_TYPE | STATX_INO | STATX_NLINK | STATX_MNT_ID;
    if (::statx(at, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, mask, &facts) != 0) {
      return std::nullopt;
    }
    return facts;
  }

  // True for a file on the realtime device of xfs, whose addresses FIEMAP gives without saying so.
  static bool lies_elsewhere(int fd) {
    fsxattr attributes{};
    return ::ioctl(fd, FS_IOC_FSGETXATTR, &attributes) == 0 &&
           (attributes.fsx_xflags & FS_XFLAG_REALTIME) != 0;
  }

  void give_up(const std::string& path, int error) { out_.unread.push_back({path, error}); }

  void list(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const Directory directory(fd < 0 ? nullptr : ::fdopendir(fd));
    if (!directory) return give_up(path, errno);
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr) break;
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      std::string whole = path;
      if (!whole.ends_with('/')) whole += '/';
      whole += name;
      if (const auto facts = look(fd, name.c_str())) {
        visit(fd, name.c_str(), whole, *facts);
      } else {
        give_up(whole, errno);
      }
    }
    if (errno != 0) give_up(path, errno);
  }

  void visit(int at, const char* name, const std::string& path, const struct statx& facts) {
    const bool directory = S_ISDIR(facts.stx_mode);
    if ((!directory && !S_ISREG(facts.stx_mode)) || facts.stx_mnt_id != mount_) return;
    // Subvolumes of btrfs have numbers of their own.
    const auto id = std::tuple(facts.stx_dev_major, facts.stx_dev_minor, facts.stx_ino);
    if (!directory && facts.stx_nlink > 1 && !seen_.insert(id).second) return;
    ++out_.looked_at;
    const FileDescriptor fd(::openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd.valid()) return give_up(path, errno);
    if (lies_elsewhere(fd.get())) return give_up(path, EOPNOTSUPP);
    BadFile file{path, directory, {}};
    if (const int error = map(fd.get(), facts.stx_ino, file); error != 0) give_up(path, error);
    if (!file.ranges.empty()) out_.files.push_back(std::move(file));
    if (directory) directories_.push_back(path);
  }

  // Adds the bad ranges of one file. Returns 0 or an errno.
  int map(int fd, std::uint64_t inode, BadFile& file) {
    Fiemap map;
    std::uint64_t at = 0;
    while (true) {
      map.head.fm_start = at;
      map.head.fm_length = FIEMAP_MAX_OFFSET - at;
      // No flag is set: FIEMAP_FLAG_SYNC would write back dirty data.
      map.head.fm_flags = 0;
      map.head.fm_extent_count = kExtentsAtOnce;
      if (::ioctl(fd, FS_IOC_FIEMAP, &map.head) != 0) {
        // FIEMAP does not work on directories of xfs and btrfs, where they are metadata.
        return file.directory && (errno == EOPNOTSUPP || errno == ENOTTY) ? 0 : errno;
      }
      if (map.head.fm_mapped_extents == 0) return 0;
      for (std::uint32_t i = 0; i < map.head.fm_mapped_extents; ++i) {
        const fiemap_extent& extent = map.head.fm_extents[i];
        if (const int error = take(fd, inode, extent, file); error != 0) return error;
        if ((extent.fe_flags & FIEMAP_EXTENT_LAST) != 0) return 0;
        at = extent.fe_logical + extent.fe_length;
      }
    }
  }

  int take(int fd, std::uint64_t inode, const fiemap_extent& extent, BadFile& file) {
    if ((extent.fe_flags & kNowhere) != 0) return 0;
    // The data lies inside metadata and has no address (btrfs says 0).
    if ((extent.fe_flags & FIEMAP_EXTENT_DATA_INLINE) != 0 && extent.fe_physical == 0) return 0;
    ByteRange place{extent.fe_physical, extent.fe_length};
    const bool packed = (extent.fe_flags & FIEMAP_EXTENT_ENCODED) != 0;
    if (packed && btrfs_) {
      const auto found = btrfs_extent_of(fd, inode, extent.fe_logical);
      if (!found) return found.error().code == ErrorCode::permission ? EPERM : EIO;
      place = *found;
    }
    const bool unwritten = (extent.fe_flags & FIEMAP_EXTENT_UNWRITTEN) != 0;
    for (const BadArea& bad : areas_.take(place)) {
      // If one sector of a packed extent is missing, nothing of it can be unpacked.
      ByteRange range{extent.fe_logical, extent.fe_length};
      if (!packed) range = {extent.fe_logical + (bad.at.begin - place.begin), bad.at.length};
      const std::uint64_t sectors = align_up(bad.at.length, kSectorBytes) / kSectorBytes;
      file.ranges.push_back({range, bad.sector, sectors, bad.state, unwritten});
    }
    return 0;
  }

  BadAreas areas_;
  bool btrfs_;
  std::uint64_t mount_ = 0;
  std::vector<std::string> directories_;  // still to be listed
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>>
      seen_;  // inodes with several names
  BadFiles out_;
};

// The bad sectors of a set as its file system addresses them; `outside` are in none of its areas.
struct AreasOfFileSystem {
  std::vector<BadArea> areas;
  std::vector<BadArea> outside;
};

Result<AreasOfFileSystem> areas_of(const FileSystemLocation& location,
                                   std::span<const format::Extent> extents) {
  AreasOfFileSystem out{bad_areas(extents, location.window), {}};
  if (location.fs_type != "btrfs") return out;
  const FileDescriptor fd(::open(location.mount_point.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "open it", location.mount_point);
  auto chunks = read_btrfs_chunks(fd.get());
  if (!chunks) {
    chunks.error().where = location.mount_point;
    return failure_of(chunks);
  }
  auto logical = to_logical(*chunks, out.areas);
  return AreasOfFileSystem{std::move(logical.areas), std::move(logical.outside)};
}

}  // namespace

Result<BadFiles> find_bad_files(const FileSystemLocation& location,
                                std::span<const format::Extent> extents) {
  if (location.by_device) return find_bad_files_by_fiwalk(location, extents);
  auto areas = areas_of(location, extents);
  if (!areas) return failure_of(areas);
  FileWalk walk{BadAreas(std::move(areas->areas)), location.fs_type == "btrfs"};
  if (auto done = walk.run(location.mount_point); !done) return failure_of(done);
  BadFiles out = std::move(walk).result();
  for (const BadAreas::UnclaimedRange& left : BadAreas(std::move(areas->outside)).unclaimed()) {
    out.in_no_file.push_back(left);
  }
  return out;
}

Result<BadFile> find_bad_ranges(const FileSystemLocation& location,
                                std::span<const format::Extent> extents, const std::string& path) {
  if (location.by_device) {
    return fail(ErrorCode::not_supported,
                "the driver of this file system does not say where one file is", path,
                "`dmremap files` looks at all of them");
  }
  auto areas = areas_of(location, extents);
  if (!areas) return failure_of(areas);
  FileWalk walk{BadAreas(std::move(areas->areas)), location.fs_type == "btrfs"};
  if (auto done = walk.look_at(path); !done) return failure_of(done);
  BadFiles found = std::move(walk).result();
  if (!found.unread.empty()) {
    return fail_errno(found.unread.front().error, "ask where the file is", path);
  }
  return found.files.empty() ? BadFile{path, false, {}} : std::move(found.files.front());
}

}  // namespace dmremap::files
