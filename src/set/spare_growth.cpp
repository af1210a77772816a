// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/spare_growth.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/size_text.hpp"
#include "format/extent.hpp"
#include "format/layout.hpp"
#include "metadata/offline.hpp"
#include "set/status.hpp"

namespace dmremap::set {

namespace {

// The same file once more, without direct I/O: on a file system that reserves no room the library
// writes single bytes. The descriptor that is held is what it opens, whatever the path names now.
FileDescriptor opened_again(const io::FileDevice& image) {
  const std::string path = fmt::format("/proc/self/fd/{}", image.fd());
  return FileDescriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
}

Result<std::uint64_t> size_of(const FileDescriptor& file, const std::string& path) {
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return fail_errno(errno, "look at the spare", path);
  return static_cast<std::uint64_t>(facts.st_size);
}

Result<void> check_length(std::uint64_t now, std::uint64_t wanted, const std::string& path) {
  constexpr std::uint64_t kLargest = std::numeric_limits<off_t>::max() / 2;
  if (wanted > kLargest) {
    return fail(ErrorCode::device_too_large, "no file can be that large", path,
                "give a smaller --size");
  }
  if (wanted >= now) return {};
  return fail(ErrorCode::device_too_small,
              fmt::format("is {} long already, and is not made shorter",
                          size_text(SectorCount::from_bytes(now))),
              path, "give a larger --size, or leave it out to take over what is there");
}

}  // namespace

Result<void> lengthen_image(const io::FileDevice& image, std::uint64_t bytes) {
  const std::string& path = image.path();
  if (image.is_block_device()) {
    return fail(ErrorCode::usage, "--size is for an image, and the spare is a block device", path,
                "make the device larger (lvextend, losetup -c), then leave out --size");
  }
  const FileDescriptor file = opened_again(image);
  if (!file.valid()) return fail_errno(errno, "open the spare again", path);
  const auto now = size_of(file, path);
  if (!now) return failure_of(now);
  if (auto fine = check_length(*now, bytes, path); !fine) return fine;
  const std::uint64_t wanted = align_up(bytes, format::kBlockBytes);
  if (wanted <= *now) return {};
  // Returns the error instead of setting errno. The room that the image has already stays as it is,
  // with its data.
  const int error =
      ::posix_fallocate(file.get(), static_cast<off_t>(*now), static_cast<off_t>(wanted - *now));
  if (error != 0) {
    // What was reserved before the file system was full is given back: nothing lies there yet.
    if (::ftruncate(file.get(), static_cast<off_t>(*now)) != 0) {
      return fail_errno(errno, "give back the room of the spare", path);
    }
    return fail_errno(error,
                      fmt::format("reserve {} MiB more for the spare", (wanted - *now) / kMiB),
                      path, "make room, or give a smaller --size");
  }
  return {};
}

SectorCount room_to_grow(SectorCount used, SectorCount device_size) {
  const std::uint64_t reachable = std::min(device_size.value, format::kMaxSector + 1);
  const SectorCount size = format::largest_growth(used, {reachable});
  return size > used ? size - used : SectorCount{};
}

SectorCount room_to_grow_at(SectorCount used, const std::string& path) {
  const auto device = io::FileDevice::open(path, {io::Access::read_only, io::Holding::shared});
  return device ? room_to_grow(used, (*device)->geometry().size) : SectorCount{};
}

std::string unused_room_note(const std::string& set_name, SectorCount room) {
  if (room.value == 0) return {};
  return fmt::format(
      "the spare is {} longer than what the set uses: `dmremap spare grow {}` takes that over",
      size_text(room), set_name);
}

Result<SectorCount> size_to_grow_to(SectorCount used, SectorCount device_size,
                                    const std::string& path) {
  if (const SectorCount room = room_to_grow(used, device_size); room.value > 0) return used + room;
  if (device_size < used) {
    return fail(
        ErrorCode::device_too_small,
        fmt::format("the spare shrank from {} to {} sectors", used.value, device_size.value), path,
        "give it back its size");
  }
  return fail(ErrorCode::device_too_small,
              fmt::format("there is no new room: all of the {} of the spare are in use by the set",
                          size_text(used)),
              path,
              "make the device or image larger first; `dmremap spare grow --size SIZE` makes an "
              "image longer");
}

Result<GrownRoom> prepare_room(const io::FileDevice& spare, std::optional<std::uint64_t> bytes,
                               SectorCount used,
                               const std::function<Result<SectorCount>()>& take_growth) {
  if (bytes) {
    if (auto longer = lengthen_image(spare, *bytes); !longer) return failure_of(longer);
  }
  const auto device_size = take_growth();
  if (!device_size) return failure_of(device_size);
  const auto size = size_to_grow_to(used, *device_size, spare.path());
  if (!size) return failure_of(size);
  return GrownRoom{*device_size, *size};
}

Result<SpareGrowth> grow_stopped_spare(io::FileDevice& spare, const metadata::Survey& survey,
                                       std::optional<std::uint64_t> bytes, Random& random,
                                       Clock& clock) {
  // Before the image is touched.
  if (const auto error = metadata::refusal(survey, spare.path())) return tl::unexpected(*error);
  SpareGrowth out;
  out.path = spare.path();
  out.size_before = format::usable_spare_size(*survey.content);
  const auto room =
      prepare_room(spare, bytes, out.size_before, [&spare] { return spare.take_growth(); });
  if (!room) return failure_of(room);
  out.size = room->to_use;
  const auto committed = metadata::grow(spare, survey, out.size, random, clock);
  if (!committed) return failure_of(committed);
  format::Content content = *survey.content;
  content.grown_spare = out.size;
  const Status status = stopped_status(content, survey, {}, out.path);
  out.capacity = {status.table.spare_capacity};
  out.free = {status.table.spare_free};
  out.entries = status.table.entries;
  out.entry_capacity = status.table.entry_capacity;
  return out;
}

}  // namespace dmremap::set
