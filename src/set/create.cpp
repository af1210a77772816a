// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/create.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/parse.hpp"
#include "discovery/device_facts.hpp"
#include "discovery/hints.hpp"
#include "discovery/identity.hpp"
#include "discovery/other_sets.hpp"
#include "discovery/signatures.hpp"
#include "io/file_device.hpp"
#include "io/undo.hpp"
#include "metadata/store.hpp"
#include "metadata/survey.hpp"
#include "os/path.hpp"
#include "os/usage.hpp"
#include "set/kept_sections.hpp"
#include "set/spare_file.hpp"

namespace dmremap::set {

namespace {

using Device = std::unique_ptr<io::FileDevice>;

// Superblocks lie near the ends of a device: 4 KiB to 128 KiB from the start, the last 128 KiB for
// RAID members and the second partition table.
constexpr std::uint64_t kSignatureBytes = kMiB;

// Main is opened read-only and shared, because it may be mounted while the set is created.
Result<Device> open_main(const std::string& path) {
  auto main = io::FileDevice::open(path, {io::Access::read_only, io::Holding::shared});
  if (!main) return main;
  const SectorCount size = (*main)->geometry().size;
  if (size.value == 0) {
    return fail(ErrorCode::device_too_small, "is smaller than one block", path,
                "give the disk or image to be protected");
  }
  if (size.value > kAddressLimitSectors) {
    return fail(ErrorCode::device_too_large, "is larger than 512 TiB (2^40 sectors)", path,
                "protect its partitions one by one");
  }
  if (auto whole = (*main)->check_whole_blocks(); !whole) return failure_of(whole);
  return main;
}

// Checks that the two devices do not share storage. Called before the spare is opened for writing
// or made as a file. The storage is compared and not the paths, because a device has many names.
Result<void> check_apart(const std::string& main, const std::string& spare) {
  const auto main_storage = os::storage_of(main);
  if (!main_storage) return fail(ErrorCode::no_such_device, "cannot be looked at", main);
  const auto spare_storage = os::storage_of(spare);
  if (spare_storage) {
    const auto below_main = os::beneath(*main_storage);
    if (std::ranges::find(below_main, *spare_storage) != below_main.end()) {
      return fail(ErrorCode::same_device,
                  "MAIN and SPARE are the same device, or MAIN lies on SPARE", spare,
                  "give another device as spare");
    }
    // Now the other way round: what the spare lies on may end at main.
    const auto below_spare = os::beneath(*spare_storage);
    const auto at = std::ranges::find(below_spare, *main_storage);
    if (at == below_spare.end()) return {};
    // A file on the way down is a file in a file system on main, unless it is main itself.
    const bool through_file = std::any_of(
        below_spare.begin(), at, [](const os::Storage& s) { return !s.is_block_device(); });
    if (!through_file) {
      return fail(ErrorCode::same_device,
                  "MAIN and SPARE are the same device, or SPARE lies on MAIN", spare,
                  "give another device as spare");
    }
  } else if (!os::is_stored_on(spare, *main_storage)) {
    // The spare is a file that is not there yet, and its directory is not on main.
    return {};
  }
  return fail(ErrorCode::spare_on_main, "the spare would be stored on the main device itself",
              spare, "put it on another disk");
}

// Checks the size and the block of the spare. A remapped request goes to the spare as it came for
// main, so the spare must accept requests as small as main's logical block.
Result<void> check_spare_device(const io::FileDevice& main, const io::FileDevice& spare) {
  const io::Geometry& geometry = spare.geometry();
  if (geometry.size < format::kMinSpareSize) {
    return fail(ErrorCode::device_too_small,
                fmt::format("has {} bytes; a spare needs at least 16 MiB", geometry.size.bytes()),
                spare.path(), "give a larger device");
  }
  if (geometry.size.value > kAddressLimitSectors) {
    return fail(ErrorCode::device_too_large, "is larger than 512 TiB (2^40 sectors)", spare.path());
  }
  if (geometry.logical_block_bytes > main.geometry().logical_block_bytes) {
    return fail(ErrorCode::block_size,
                fmt::format("has logical blocks of {} bytes, main has {}",
                            geometry.logical_block_bytes, main.geometry().logical_block_bytes),
                spare.path(), "give a spare whose blocks are no larger than main's");
  }
  return {};
}

// Where the metadata copies of the set lie that --destroy gives up, if there is one.
using OldCopyPositions = std::optional<format::CopyPositions>;

// Refuses a spare with metadata on it. Not even --force overwrites a whole set: its data would be
// lost with it, so that the user must name that very set with --destroy.
Result<OldCopyPositions> check_metadata(io::FileDevice& spare, const CreateOptions& options) {
  const auto found = metadata::survey(spare);
  if (!found) {
    if (found.error().code != ErrorCode::ambiguous) return failure_of(found);
    return fail(ErrorCode::spare_has_set, "holds metadata of several sets", spare.path(),
                "look with `dmremap examine`; give another spare");
  }
  if (found->newer_format) {
    return fail(ErrorCode::metadata_newer, "holds a set of a newer version of dm-remap",
                spare.path(), "give another spare");
  }
  if (found->has_set()) {
    if (options.destroy == found->set_uuid) return found->positions;
    const std::string uuid = to_string(*found->set_uuid);
    if (options.destroy) {
      return fail(ErrorCode::spare_has_set,
                  fmt::format("holds the set {}, not the one to destroy", uuid), spare.path(),
                  "give another spare");
    }
    return fail(ErrorCode::spare_has_set, "holds a dm-remap set", spare.path(),
                "give another spare, or give up that set and its data with --destroy " + uuid);
  }
  if (options.destroy) {
    return fail(ErrorCode::spare_unreadable, "does not hold the set to destroy", spare.path(),
                "look with `dmremap examine`");
  }
  if (const auto traces = metadata::describe_traces(*found); traces && !options.force) {
    return fail(ErrorCode::spare_unreadable, *traces, spare.path(),
                "look with `dmremap examine`; --force overwrites it");
  }
  return OldCopyPositions();
}

// Returns true if the spare holds other data, or may hold some, and --force allows to overwrite it.
Result<bool> check_signatures(const io::FileDevice& spare, bool force) {
  const auto found = discovery::signatures_on(spare);
  if (!found) {
    if (force) return true;
    Error error = found.error();
    error.code = ErrorCode::spare_unreadable;
    error.hint += error.hint.empty() ? "--force takes it all the same"
                                     : ", or take it all the same with --force";
    return tl::unexpected(std::move(error));
  }
  if (found->empty()) return false;
  if (force) return true;
  return fail(ErrorCode::spare_has_data, fmt::format("holds data: {}", fmt::join(*found, ", ")),
              spare.path(), "give another spare, or overwrite it with --force");
}

std::vector<std::string> warnings_about(const io::FileDevice& main, const io::FileDevice& spare) {
  std::vector<std::string> out;
  const auto main_storage = os::storage_of(main.path());
  const auto spare_storage = os::storage_of(spare.path());
  if (main_storage && spare_storage && main_storage->is_block_device()) {
    for (const os::Storage& below : os::beneath(*spare_storage)) {
      if (below.is_block_device() && os::are_on_same_disk(main_storage->device, below.device)) {
        out.push_back(spare.path() +
                      ": lies on the same disk as the main device; if that disk "
                      "fails as a whole, both are lost");
        break;
      }
    }
  }
  struct stat st {};
  if (!spare.is_block_device() && ::fstat(spare.fd(), &st) == 0 &&
      static_cast<std::uint64_t>(st.st_blocks) < spare.geometry().size.value) {
    out.push_back(spare.path() +
                  ": is sparse; writes fail if its file system fills up "
                  "(`fallocate -l SIZE FILE` reserves the space)");
  }
  return out;
}

// The first and the last part of a device, where superblocks of other programs may lie.
std::vector<SectorRange> end_ranges(const io::Geometry& geometry) {
  const SectorCount part = SectorCount::from_bytes(kSignatureBytes);
  const std::uint64_t last = align_down(geometry.size.value - part.value, geometry.unit().value);
  return {{{0}, part}, {{last}, {geometry.size.value - last}}};
}

// Allocates the places of the metadata in a spare image, so that a full file system is reported as
// such here and not as a failed commit later.
Result<void> reserve_space(const io::FileDevice& spare, const std::vector<SectorRange>& ranges) {
  if (spare.is_block_device()) return {};
  for (const SectorRange& range : ranges) {
    if (::fallocate(spare.fd(), 0, static_cast<off_t>(range.first.byte_offset()),
                    static_cast<off_t>(range.count.bytes())) == 0) {
      continue;
    }
    // Not every file system can allocate. With one that cannot, the writes show if there is room.
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
      return fail_errno(errno, "reserve space for the metadata", spare.path(),
                        "make room on its file system, or give another spare");
    }
  }
  return {};
}

// The only part of create() that writes to the spare. All that it may overwrite is saved first and
// put back if a step fails, so that the spare then is as it was. A crash in between puts nothing
// back: the spare is no set then, and may have lost what it held.
Result<void> write_set(io::FileDevice& spare, const format::Content& content,
                       const OldCopyPositions& destroyed, bool erase_ends, bool force, Clock& clock,
                       Random& random) {
  auto ranges = format::reserved_ranges(spare.geometry().size);
  const auto ends = end_ranges(spare.geometry());
  if (auto room = reserve_space(spare, ranges); !room) return room;
  if (erase_ends) ranges.insert(ranges.end(), ends.begin(), ends.end());
  if (destroyed) {
    for (const Sector at : *destroyed) {
      const SectorRange old{at, format::kCopySectors};
      if (old.end().value <= spare.geometry().size.value) ranges.push_back(old);
    }
  }
  // From here on each return without disarm() puts the old contents back.
  io::Undo undo(spare, ranges);
  if (!undo.covers_all() && !force) {
    undo.disarm();
    return fail(ErrorCode::spare_unreadable, "does not read where the metadata is to be",
                spare.path(), "use a healthy device as spare");
  }
  for (const SectorRange& range : ends) {
    // Other programs must not find their old superblocks any more, or they would take the spare for
    // theirs and write to it.
    if (!erase_ends) break;
    if (const auto status = io::overwrite_with_zeros(spare, range); !status.ok()) {
      return fail_errno(status.error, "erase what the spare held", spare.path());
    }
  }
  auto made = metadata::Store::create(spare, content, random, clock, destroyed);
  if (made) undo.disarm();
  return made;
}

// The content of the first commit: new UUIDs, and the facts by which both devices are recognised.
Result<format::Content> describe(const CreateOptions& options, const discovery::DeviceFacts& main,
                                 const io::FileDevice& spare, Clock& clock, Random& random) {
  auto spare_facts = discovery::gather_facts(spare, discovery::DeviceUse::alone);
  if (!spare_facts) return failure_of(spare_facts);
  format::Content content;
  content.identity.name = options.name;
  content.identity.set_uuid = random.uuid();
  content.identity.main_uuid = random.uuid();
  content.identity.spare_uuid = random.uuid();
  content.identity.created_ns = clock.wall_ns();
  content.facts = discovery::merge_main_facts({}, main, false,
                                              discovery::shared_facts(discovery::names_of_disks()));
  content.facts->spare = spare_facts->facts;
  content.identity.main = main.fingerprint;
  content.identity.main.path_hint = os::absolute(options.main_path);
  content.identity.spare = std::move(spare_facts->fingerprint);
  content.identity.spare.path_hint = os::absolute(options.spare_path);
  if (options.boot_wait_s) (void)choose_policy(content, 0, {*options.boot_wait_s});
  return content;
}

// The room on a spare for remapped sectors: all of it but the places of the metadata.
SectorCount data_room(SectorCount spare_size) {
  std::uint64_t reserved = 0;
  for (const SectorRange& range : format::reserved_ranges(spare_size)) {
    reserved += range.count.value;
  }
  return {spare_size.value - reserved};
}

}  // namespace

Result<CreateResult> create(const CreateOptions& options, const discovery::Hints& known,
                            Clock& clock, Random& random) {
  // First all checks, which only read; then one write of the spare. Main is never written to.
  if (auto named = discovery::check_set_name(options.name); !named) return failure_of(named);
  auto main = open_main(options.main_path);
  if (!main) return failure_of(main);
  const auto bad = transfer::read_marks(options.known_bad, options.main_path, (*main)->geometry());
  if (!bad) return failure_of(bad);
  if (auto apart = check_apart(options.main_path, options.spare_path); !apart) {
    return failure_of(apart);
  }
  const auto main_facts = discovery::gather_facts(**main, discovery::DeviceUse::alone);
  if (!main_facts) return failure_of(main_facts);
  // A spare file that was made here is removed again by any error before keep().
  SpareFile made;
  if (options.spare_bytes) {
    auto file = SpareFile::make(options.spare_path, *options.spare_bytes);
    if (!file) return failure_of(file);
    made = std::move(*file);
  }
  auto spare =
      io::FileDevice::open(options.spare_path, {io::Access::read_write, io::Holding::exclusive});
  if (!spare) return failure_of(spare);
  if (auto fine = check_spare_device(**main, **spare); !fine) return failure_of(fine);
  const auto destroyed = check_metadata(**spare, options);
  if (!destroyed) return failure_of(destroyed);
  const auto erase_ends = check_signatures(**spare, options.force);
  if (!erase_ends) return failure_of(erase_ends);
  if (auto free = discovery::check_in_no_set(**main, *main_facts, known, options.discard_data,
                                             options.spare_path);
      !free) {
    return failure_of(free);
  }

  auto content = describe(options, *main_facts, **spare, clock, random);
  if (!content) return failure_of(content);
  content->extents = table::extents_of(bad->sectors, content->identity.created_ns);
  CreateResult created;
  created.known_bad = table::count_marks(bad->sectors, table::Table());
  created.warnings = warnings_about(**main, **spare);
  if (!discovery::has_own_name(content->facts->main)) {
    created.warnings.push_back(
        options.main_path +
        ": has nothing of its own to know it by (no id, no serial number, or only what its USB "
        "case "
        "shows with any disk in it; an image on such a disk): after the next boot `dmremap start` "
        "asks once for --accept-main");
  }
  created.warnings.insert(created.warnings.end(), bad->warnings.begin(), bad->warnings.end());
  if (bad->left_out.value > 0) {
    created.warnings.push_back(fmt::format("{}: {} sectors of the list are not on main: left out",
                                           options.known_bad.path, bad->left_out.value));
  }
  if (auto done =
          write_set(**spare, *content, *destroyed, *erase_ends, options.force, clock, random);
      !done) {
    return failure_of(done);
  }
  // The first commit is durable: the set is there.
  made.keep();
  created.identity = content->identity;
  created.main = discovery::recorded_main(*content);
  created.spare_facts = content->facts->spare;
  created.main_path = content->identity.main.path_hint;
  created.spare_path = content->identity.spare.path_hint;
  created.spare_data = data_room((*spare)->geometry().size);
  return created;
}

}  // namespace dmremap::set
