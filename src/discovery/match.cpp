// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/match.hpp"

#include <fmt/format.h>

#include "discovery/fingerprint.hpp"

namespace dmremap::discovery {

namespace {

using format::Fingerprint;

enum class Compared { unknown, equal, unequal };

Compared compare(const std::string& recorded, const std::string& seen) {
  if (recorded.empty() || seen.empty()) return Compared::unknown;
  return recorded == seen ? Compared::equal : Compared::unequal;
}

MatchVerdict different(std::string reason) {
  return {Likeness::different, false, false, std::move(reason)};
}

std::string unlike(std::string_view what, const std::string& recorded, const std::string& seen) {
  return fmt::format("its {} is {}, recorded was {}", what, seen.empty() ? "missing" : seen,
                     recorded);
}

std::string resized(SectorCount recorded, SectorCount seen) {
  const bool shrank = seen < recorded;
  const SectorCount by = shrank ? recorded - seen : seen - recorded;
  return fmt::format("it {} by {} sectors, from {} to {}", shrank ? "shrank" : "grew", by.value,
                     recorded.value, seen.value);
}

MatchVerdict match_contents(const Fingerprint& recorded, const Fingerprint& seen, bool is_it) {
  switch (compare(recorded.fs_uuid, seen.fs_uuid)) {
    case Compared::equal:
      return {Likeness::same, false, true, {}};
    case Compared::unknown:
      if (recorded.fs_uuid.empty() || seen.fs_type == kUnreadableFileSystem) {
        return {Likeness::same, false, is_it, {}};
      }
      break;
    case Compared::unequal:
      break;
  }
  return {is_it ? Likeness::file_system_changed : Likeness::different, true, is_it,
          unlike("file system UUID", recorded.fs_uuid, seen.fs_uuid)};
}

}  // namespace

std::string_view name_of(Likeness likeness) {
  switch (likeness) {
    case Likeness::same:
      return "same";
    case Likeness::file_system_changed:
      return "file-system-changed";
    case Likeness::different:
      return "different";
  }
  return "different";
}

MatchVerdict match(const Fingerprint& recorded, const Fingerprint& seen) {
  if (recorded.size != seen.size) return different(resized(recorded.size, seen.size));
  if (recorded.logical_block_bytes != seen.logical_block_bytes) {
    return different(fmt::format("its logical block is {} bytes, recorded were {}",
                                 seen.logical_block_bytes, recorded.logical_block_bytes));
  }
  std::string_view hardware_name = "world-wide name";
  const std::string* recorded_name = &recorded.wwn;
  const std::string* seen_name = &seen.wwn;
  if (compare(*recorded_name, *seen_name) == Compared::unknown) {
    hardware_name = "serial number";
    recorded_name = &recorded.serial;
    seen_name = &seen.serial;
  }
  const Compared hardware = compare(*recorded_name, *seen_name);
  if (hardware == Compared::unequal) {
    return different(unlike(hardware_name, *recorded_name, *seen_name));
  }
  const Compared partition = compare(recorded.part_uuid, seen.part_uuid);
  if (partition == Compared::unequal) {
    return different(unlike("partition UUID", recorded.part_uuid, seen.part_uuid));
  }
  return match_contents(recorded, seen,
                        hardware == Compared::equal || partition == Compared::equal);
}

}  // namespace dmremap::discovery
