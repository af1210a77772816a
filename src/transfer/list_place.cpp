// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/list_place.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include "base/parse.hpp"
#include "os/sysfs.hpp"

namespace dmremap::transfer {

namespace {

using Scope = ListPlace::Scope;
using Ranges = std::vector<SectorRange>;

// A partition or a disk as sysfs has it.
struct KernelDevice {
  std::string name;  // "sdb1"
  SectorCount start;
  SectorCount size;
};

std::optional<std::uint64_t> number_in(const std::string& path) {
  const auto value = parse_number(os::read_attribute(path));
  return value ? std::optional(*value) : std::nullopt;
}

std::optional<KernelDevice> read_device(const std::string& directory, std::string name) {
  const auto size = number_in(directory + "/size");
  if (!size) return std::nullopt;
  return KernelDevice{std::move(name), {number_in(directory + "/start").value_or(0)}, {*size}};
}

// The block device that a path names; empty for an image.
std::optional<dev_t> device_of(const std::string& path) {
  const auto storage = os::storage_of(path);
  if (!storage || !storage->is_block_device()) return std::nullopt;
  return storage->device;
}

std::string name_of_device(dev_t device, const os::KernelViews& views) {
  std::error_code error;
  const auto real = std::filesystem::canonical(os::sysfs_directory_of(device, views.sys), error);
  return error ? std::string() : real.filename().string();
}

std::vector<KernelDevice> partitions_of(dev_t disk, const os::KernelViews& views) {
  std::vector<KernelDevice> out;
  const std::string directory = os::sysfs_directory_of(disk, views.sys);
  for (const std::string& name : os::names_in(directory)) {
    const std::string below = fmt::format("{}/{}", directory, name);
    if (!number_in(below + "/partition")) continue;
    if (auto partition = read_device(below, name)) out.push_back(std::move(*partition));
  }
  return out;
}

Result<ListPlace> place_of_partition(const std::string& partition, const std::string& main_path,
                                     const os::KernelViews& views) {
  const auto device = device_of(partition);
  const std::string directory = device ? os::sysfs_directory_of(*device, views.sys) : std::string();
  if (!device || !number_in(directory + "/partition")) {
    return fail(ErrorCode::usage, "is no partition", partition,
                "give a partition such as /dev/sdb1, or its first sector with --offset");
  }
  const auto facts = read_device(directory, partition);
  const auto main = device_of(main_path);
  if (facts && main == device) return ListPlace{Scope::whole_disk, facts->start, {}};
  if (facts && main && *main == os::whole_disk_of(*device, views)) {
    return ListPlace{Scope::partition, facts->start, facts->size};
  }
  return fail(ErrorCode::usage, "is neither main nor a partition of it", partition,
              fmt::format("main is {}; --offset SECTOR says where the list's device begins on it",
                          main_path));
}

// --- from there to main ------------------------------------------------------------------------

// Maps the sectors of a list to sectors of main, and counts in `left_out` those of a list of the
// whole disk that are not on main.
struct ListMapper {
  const KnownBadList& list;
  const ListPlace& place;
  SectorCount main_size;
  SectorCount left_out;

  // The size of the device of the list, or the largest address if it is not known.
  [[nodiscard]] SectorCount limit() const {
    if (place.scope == Scope::main) return main_size;
    return place.size.value_or(SectorCount{kAddressLimitSectors});
  }

  [[nodiscard]] Error outside(const SectorRange& range) const {
    const bool partition = place.scope == Scope::partition && place.size;
    return {ErrorCode::usage,
            fmt::format("sectors {}+{} are not on {}, which has {}", range.first.value,
                        range.count.value, partition ? "the partition" : "the main device",
                        partition ? place.size->value : main_size.value),
            {},
            "is it the list of this device (--offset, --partition), made with this block size?"};
  }

  Result<SectorRange> map_to_main(SectorRange range) {
    // Only the last block can end beyond the device, and no block of one sector does.
    const Sector end = Sector{} + limit();
    if (range.first < end && range.end() > end && range.end() - end < list.block) {
      range.count = end - range.first;
    }
    if (range.end() > end) return tl::unexpected(outside(range));
    const SectorRange main{{0}, main_size};
    if (place.scope == Scope::whole_disk) {
      const SectorRange kept = range.intersect({Sector{} + place.start, main_size});
      left_out = left_out + (range.count - kept.count);
      return SectorRange{kept.empty() ? Sector{} : kept.first - place.start, kept.count};
    }
    const SectorRange placed{range.first + place.start, range.count};
    if (!main.contains(placed)) {
      // If the size of the partition is not known, the end of main says which block is the last.
      const Sector last = Sector{} + main_size;
      if (placed.first < last && placed.end() - last < list.block) {
        return SectorRange{placed.first, last - placed.first};
      }
      return tl::unexpected(outside(placed));
    }
    return placed;
  }

  Result<Ranges> map_to_main(const Ranges& ranges) {
    Ranges out;
    for (const SectorRange& range : ranges) {
      const auto placed = map_to_main(range);
      if (!placed) return failure_of(placed);
      if (!placed->empty()) out.push_back(*placed);
    }
    return out;
  }
};

// --- doubts ------------------------------------------------------------------------------------

// "dev-sdb1" of /sys/block/md0/md/dev-sdb1/bad_blocks.
std::string member_in(const std::string& list_path) {
  const auto directory = std::filesystem::path(list_path).parent_path().filename().string();
  constexpr std::string_view kPrefix = "dev-";
  return directory.starts_with(kPrefix) ? directory.substr(kPrefix.size()) : std::string();
}

std::string hint_at(const std::string& partition) {
  return fmt::format("if it is, give --partition /dev/{}", partition);
}

std::optional<std::string> doubt_by_size(SectorCount covered, dev_t main, SectorCount main_size,
                                         const os::KernelViews& views) {
  if (covered == main_size) return std::nullopt;
  const std::string said =
      fmt::format("the mapfile covers {} sectors, main has {}: ", covered.value, main_size.value);
  const dev_t disk = os::whole_disk_of(main, views);
  const std::string disk_name = name_of_device(disk, views);
  if (disk != main) {
    const auto whole = read_device(os::sysfs_directory_of(disk, views.sys), disk_name);
    if (whole && whole->size == covered) {
      return said + fmt::format("it has the size of the whole disk {}; ", disk_name) +
             hint_at(name_of_device(main, views));
    }
  } else {
    for (const KernelDevice& partition : partitions_of(disk, views)) {
      if (partition.size != covered) continue;
      return said + fmt::format("it has the size of the partition {}; ", partition.name) +
             hint_at(partition.name);
    }
  }
  return said + "is it of a partition or of the whole disk (--partition, --offset)?";
}

std::optional<std::string> doubt_by_member(const std::string& member, dev_t main,
                                           const os::KernelViews& views) {
  const std::string main_name = name_of_device(main, views);
  if (member.empty() || member == main_name) return std::nullopt;
  const dev_t disk = os::whole_disk_of(main, views);
  const std::string said = fmt::format("the list is of {}, main is {}: ", member, main_name);
  if (disk != main && member == name_of_device(disk, views)) {
    return said + fmt::format("give --partition /dev/{}", main_name);
  }
  const auto partitions = partitions_of(main, views);
  if (std::ranges::any_of(partitions, [&](const auto& p) { return p.name == member; })) {
    return said + fmt::format("give --partition /dev/{}", member);
  }
  return said + "is it of this disk?";
}

}  // namespace

Result<ListPlace> find_place(const ListOptions& options, const std::string& main_path,
                             const os::KernelViews& views) {
  if (!options.partition.empty()) return place_of_partition(options.partition, main_path, views);
  if (!options.offset || *options.offset == 0) return ListPlace{};
  const bool negative = *options.offset < 0;
  const auto sectors = static_cast<std::uint64_t>(negative ? -*options.offset : *options.offset);
  return ListPlace{negative ? Scope::whole_disk : Scope::partition, {sectors}, {}};
}

Result<PlacedList> place_on_main(const KnownBadList& list, const ListPlace& place,
                                 SectorCount main_size) {
  ListMapper mapper{list, place, main_size, {}};
  auto lost = mapper.map_to_main(list.sectors.lost);
  if (!lost) return failure_of(lost);
  auto suspect = mapper.map_to_main(list.sectors.suspect);
  if (!suspect) return failure_of(suspect);
  return PlacedList{{std::move(*lost), std::move(*suspect)}, mapper.left_out};
}

Result<std::vector<std::string>> doubts_about(const KnownBadList& list,
                                              const std::string& list_path, const ListPlace& place,
                                              const std::string& main_path, SectorCount main_size,
                                              const os::KernelViews& views) {
  std::vector<std::string> out;
  const auto main = device_of(main_path);
  if (place.scope != Scope::main || !main) return out;
  if (list.format == KnownBadFormat::kernel && os::whole_disk_of(*main, views) != *main) {
    return fail(ErrorCode::usage,
                fmt::format("a kernel log counts from the start of the disk, and main is {}, a "
                            "partition",
                            main_path),
                list_path, "give --partition " + main_path);
  }
  std::optional<std::string> doubt;
  if (list.covered) doubt = doubt_by_size(*list.covered, *main, main_size, views);
  if (list.format == KnownBadFormat::md)
    doubt = doubt_by_member(member_in(list_path), *main, views);
  if (doubt) out.push_back(list_path + ": " + *doubt);
  return out;
}

}  // namespace dmremap::transfer
