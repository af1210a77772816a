// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/identity.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "discovery/fact_kinds.hpp"
#include "discovery/fingerprint.hpp"
#include "discovery/hardware_names.hpp"
#include "discovery/useless_names.hpp"

namespace dmremap::discovery {

namespace {

using format::Fact;
using format::FactKind;

// The value without what drivers and udev write differently: blanks, and underscores for blanks.
std::string comparable(const Fact& fact) {
  std::string out = fact.value;
  if (fact.kind == FactKind::serial)
    std::erase_if(out, [](char c) { return c == ' ' || c == '_'; });
  return out;
}

// `unknown`: one side has no such fact, which contradicts nothing.
enum class FactMatch { unknown, equal, unequal };

// Compares the recorded facts with those of today, kind by kind, and writes what agrees and what
// differs into the verdict, for messages.
class Comparison {
 public:
  Comparison(const Facts& recorded, const Facts& seen, IdentityVerdict& verdict)
      : recorded_(recorded), seen_(seen), verdict_(verdict) {}

  // A device may have several names of one kind; one that is in both lists is enough.
  FactMatch compare(FactKind kind) {
    const auto before = values_of(recorded_, kind);
    const auto now = values_of(seen_, kind);
    if (before.empty() || now.empty()) return FactMatch::unknown;
    const auto same = [kind](const std::string& a, const std::string& b) {
      return comparable({kind, a}) == comparable({kind, b});
    };
    const auto equal = std::ranges::find_first_of(now, before, same);
    const std::string name(format::name_of(kind));
    if (equal != now.end()) {
      verdict_.agrees.push_back(speaks(kind) ? name + " " + *equal : name);
      return FactMatch::equal;
    }
    // Another attachment is no difference to tell: every boot and every replug makes one.
    if (kind != FactKind::attachment) {
      verdict_.differs.push_back(
          speaks(kind) ? fmt::format("{} is {}, recorded was {}", name, now.front(), before.front())
                       : "it is another " + name);
    }
    return FactMatch::unequal;
  }

  // Compares the names that a USB bridge shows, today or when they were recorded. Equal to a name
  // that the disk shows without a bridge, such a name is the disk's own, and proves it. Two of a
  // bridge prove nothing, for it would show its own with any disk in it; and unequal ones
  // contradict nothing. `shows_others` then tells that it is another bridge or another disk.
  FactMatch compare_through_bridge(bool& shows_others) {
    const bool proved = is_shown_by_both(recorded_, seen_) || is_shown_by_both(seen_, recorded_);
    for (const FactKind kind : {FactKind::bridge_id, FactKind::bridge_serial}) {
      shows_others = compare(kind) == FactMatch::unequal || shows_others;
    }
    return proved ? FactMatch::equal : FactMatch::unknown;
  }

 private:
  bool is_shown_by_both(const Facts& of_bridge, const Facts& of_disk) {
    bool found = false;
    for (const Fact& fact : of_bridge) {
      if (!is_bridge_name(fact.kind)) continue;
      const Fact name = as_name_of_disk(fact);
      const bool equal = std::ranges::any_of(of_disk, [&](const Fact& other) {
        return other.kind == name.kind && comparable(other) == comparable(name);
      });
      if (!equal) continue;
      found = true;
      verdict_.agrees.push_back(
          fmt::format("{} {}, once shown by a USB bridge", format::name_of(name.kind), name.value));
    }
    return found;
  }

  // True if the value of such a fact means something to a person; handles and boot ids do not.
  static bool speaks(FactKind kind) {
    return kind != FactKind::image && kind != FactKind::attachment;
  }

  const Facts& recorded_;
  const Facts& seen_;
  IdentityVerdict& verdict_;
};

// Compares a name without a type, as format version 1 records it, with all names of today that
// `fits` allows. If it is equal to one of them, that proves the device; if it is unequal to all of
// them, that contradicts it; both as version 1 had it.
FactMatch compare_untyped(const std::string& recorded, const Facts& seen, bool (*fits)(FactKind),
                          std::string_view name, IdentityVerdict& verdict) {
  Facts names;
  std::ranges::copy_if(seen, std::back_inserter(names),
                       [fits](const Fact& fact) { return fits(fact.kind); });
  if (recorded.empty() || is_placeholder(recorded) || names.empty()) return FactMatch::unknown;
  const bool equal =
      std::ranges::any_of(names, [&](const Fact& fact) { return fact.value == recorded; });
  if (equal) {
    verdict.agrees.push_back(fmt::format("{} {}", name, recorded));
    return FactMatch::equal;
  }
  verdict.differs.push_back(
      fmt::format("{} is {}, recorded was {}", name, names.front().value, recorded));
  return FactMatch::unequal;
}

// The outcome of all comparisons of decisive facts. Both may be true; then `unequal` counts.
struct DecisiveMatch {
  bool equal = false;
  bool unequal = false;

  void note(FactMatch compared) {
    equal = equal || compared == FactMatch::equal;
    unequal = unequal || compared == FactMatch::unequal;
  }
};

// The value of FactKind::disk_below of a device none of whose disks has a name.
constexpr std::string_view kNamelessDisks = "-";

// True if a device-mapper or md device lies on no other disks than those recorded. A mirror may
// have lost one. Sets made before disks were recorded say nothing of them.
bool lies_on_recorded_disks(const Facts& recorded, const Facts& seen) {
  const auto before = values_of(recorded, FactKind::disk_below);
  const auto now = values_of(seen, FactKind::disk_below);
  if (before.empty()) return true;
  return !now.empty() && std::ranges::all_of(now, [&](const std::string& disk) {
    return disk != kNamelessDisks && std::ranges::find(before, disk) != before.end();
  });
}

// Compares the names of the whole device, or of the disk that a partition lies on.
DecisiveMatch compare_device_names(const RecordedMain& recorded, const Facts& seen,
                                   Comparison& comparison, IdentityVerdict& verdict) {
  DecisiveMatch out;
  if (recorded.only_fingerprint) {
    out.note(compare_untyped(
        recorded.fingerprint.wwn, seen,
        [](FactKind kind) { return kind >= FactKind::naa && kind <= FactKind::nvme_legacy; },
        "world-wide name", verdict));
    out.note(compare_untyped(
        recorded.fingerprint.serial, seen,
        [](FactKind kind) { return kind == FactKind::serial || is_name_by_software(kind); },
        "serial number", verdict));
    return out;
  }
  for (const FactKind kind :
       {FactKind::naa, FactKind::eui, FactKind::nvme_uuid, FactKind::nguid, FactKind::nvme_legacy,
        FactKind::serial, FactKind::dm_uuid, FactKind::md_uuid, FactKind::image}) {
    const FactMatch match = comparison.compare(kind);
    if (match == FactMatch::equal && is_name_by_software(kind) &&
        !lies_on_recorded_disks(recorded.facts, seen)) {
      verdict.differs.emplace_back("it lies on other disks, or on disks without a name");
    } else {
      out.note(match);
    }
  }
  return out;
}

// Compares where on its disk a device lies. A whole device is never a partition. The names of a
// disk are also shown by each of its partitions, so for a partition they prove nothing until its
// start or its UUID is equal too.
void compare_places(const RecordedMain& recorded, const Facts& seen, Comparison& comparison,
                    DecisiveMatch& decisive, IdentityVerdict& verdict) {
  const FactMatch uuid = comparison.compare(FactKind::partition_uuid);
  const FactMatch start = comparison.compare(FactKind::partition_start);
  const auto has_place = [](const Facts& facts) {
    return std::ranges::any_of(facts, [](const Fact& f) { return is_partition_place(f.kind); });
  };
  const bool was_part = recorded.only_fingerprint
                            ? recorded.fingerprint.kind == format::DeviceKind::partition
                            : has_place(recorded.facts);
  const bool is_part = has_place(seen);
  if (was_part != is_part) {
    verdict.differs.emplace_back(is_part ? "it is a partition, main was a whole device"
                                         : "it is a whole device, main was a partition");
    decisive = {false, true};
    return;
  }
  if (!is_part) return;
  if (uuid == FactMatch::equal || start == FactMatch::equal) return;
  decisive.equal = false;
  decisive.unequal = decisive.unequal || uuid == FactMatch::unequal || start == FactMatch::unequal;
}

// Compares the UUID of what lies on the device. That supports or raises a doubt, but never decides,
// because `dd` copies it and mkfs changes it. If main does not read well, nothing can be concluded.
void compare_contents(const RecordedMain& recorded, const DeviceFacts& seen,
                      IdentityVerdict& verdict) {
  const format::Fingerprint& before = recorded.fingerprint;
  const format::Fingerprint& now = seen.fingerprint;
  if (before.fs_uuid.empty() || now.fs_type == kUnreadableFileSystem) return;
  if (before.fs_uuid == now.fs_uuid) {
    verdict.agrees.push_back("file system UUID " + now.fs_uuid);
    return;
  }
  verdict.contents_changed =
      fmt::format("its file system UUID is {}, recorded was {}",
                  now.fs_uuid.empty() ? "missing" : now.fs_uuid, before.fs_uuid);
  verdict.differs.push_back(fmt::format("file system UUID is {}, recorded was {}",
                                        now.fs_uuid.empty() ? "missing" : now.fs_uuid,
                                        before.fs_uuid));
}

// Compares size and logical block. A difference that the user has accepted once is in the recorded
// facts, and is not a difference any more.
void compare_geometry(const RecordedMain& recorded, const DeviceFacts& seen,
                      IdentityVerdict& verdict) {
  const format::Fingerprint& before = recorded.fingerprint;
  const format::Fingerprint& now = seen.fingerprint;
  const auto accepted = [&](FactKind kind, std::uint64_t value) {
    return std::ranges::find(recorded.facts, Fact{kind, std::to_string(value)}) !=
           recorded.facts.end();
  };
  if (before.size == now.size) {
    verdict.agrees.push_back(fmt::format("size of {} sectors", now.size.value));
  } else if (!accepted(FactKind::accepted_size, now.size.value)) {
    const bool shrank = now.size < before.size;
    const SectorCount by = shrank ? before.size - now.size : now.size - before.size;
    verdict.resized = fmt::format("it {} by {} sectors, from {} to {}", shrank ? "shrank" : "grew",
                                  by.value, before.size.value, now.size.value);
    verdict.differs.push_back(*verdict.resized);
  }
  if (before.logical_block_bytes != now.logical_block_bytes &&
      !accepted(FactKind::accepted_logical_block, now.logical_block_bytes)) {
    verdict.reblocked = fmt::format("its logical block is {} bytes, recorded were {}",
                                    now.logical_block_bytes, before.logical_block_bytes);
    verdict.differs.push_back(*verdict.reblocked);
  }
}

// True if the consent that a user gave once still covers this device. It was given for a device
// without an identity of its own, so all that can be compared must be as it was then: the geometry,
// the file system UUID, and the port, path or USB case. After an unclean stop even that is not
// enough.
bool is_covered_by_consent(const RecordedMain& recorded, const Facts& before, const Facts& now,
                           const IdentityVerdict& verdict) {
  if (!recorded.no_identity || !recorded.stopped_cleanly || verdict.resized || verdict.reblocked ||
      verdict.contents_changed || recorded.fingerprint.fs_uuid.empty()) {
    return false;
  }
  const auto in_the_same = [&](FactKind kind) {
    const auto of_before = values_of(before, kind);
    const auto of_now = values_of(now, kind);
    return std::ranges::find_first_of(of_now, of_before) != of_now.end();
  };
  return in_the_same(FactKind::port) || in_the_same(FactKind::path) ||
         in_the_same(FactKind::bridge_serial);
}

// True if both are paths to one disk: their transport may have several, all names are equal, and
// one of them is more than a serial number, which a whole series of enclosures may share.
bool are_paths_to_one_disk(const DiskNames& a, const DiskNames& b) {
  return a.several_paths && b.several_paths && a.facts == b.facts &&
         std::ranges::any_of(a.facts, [](const Fact& f) { return f.kind < FactKind::serial; });
}

}  // namespace

SharedFacts shared_facts(const std::vector<DiskNames>& disks) {
  std::map<Fact, const DiskNames*> first;
  SharedFacts out;
  for (const DiskNames& disk : disks) {
    for (const Fact& fact : disk.facts) {
      // Two bays of one case, or a disk and the case that shows its name.
      const Fact name = as_name_of_disk(fact);
      const auto [known, is_new] = first.emplace(name, &disk);
      const bool is_other = known->second != &disk && !are_paths_to_one_disk(*known->second, disk);
      if (!is_new && is_other) out.insert(name);
    }
  }
  return out;
}

bool has_own_name(const Facts& facts) {
  const bool has_nameless_disks =
      std::ranges::find(facts, Fact{FactKind::disk_below, std::string(kNamelessDisks)}) !=
      facts.end();
  return std::ranges::any_of(facts, [&](const Fact& fact) {
    const bool is_copied = is_name_by_software(fact.kind) && has_nameless_disks;
    return names_a_device(fact.kind) && !names_nothing(fact) && !is_copied;
  });
}

std::string_view name_of(Identity identity) {
  switch (identity) {
    case Identity::same:
      return "same";
    case Identity::unproven:
      return "unproven";
    case Identity::different:
      return "different";
  }
  return "different";
}

IdentityVerdict identify(const RecordedMain& recorded, const DeviceFacts& seen,
                         const SharedFacts& shared) {
  IdentityVerdict out;
  const UselessNames useless(recorded.facts, shared);
  const Facts before = useless.without(recorded.facts);
  const Facts now = useless.without(seen.facts);
  Comparison comparison(before, now, out);
  DecisiveMatch decisive = compare_device_names(recorded, now, comparison, out);
  bool is_in_another_case = false;
  decisive.note(comparison.compare_through_bridge(is_in_another_case));
  compare_places(recorded, now, comparison, decisive, out);
  // A device that was never detached cannot have been replaced by another. If its names differ
  // nevertheless, the driver shows them differently today.
  if (comparison.compare(FactKind::attachment) == FactMatch::equal) decisive = {true, false};
  compare_contents(recorded, seen, out);
  compare_geometry(recorded, seen, out);
  for (const std::string& port : values_of(recorded.facts, FactKind::accepted_port)) {
    const Fact now_there{FactKind::port, port};
    out.at_accepted_port = std::ranges::find(seen.facts, now_there) != seen.facts.end();
  }
  if (decisive.unequal) {
    out.identity = Identity::different;
  } else if (decisive.equal) {
    out.identity = Identity::same;
  } else if (!is_in_another_case && is_covered_by_consent(recorded, before, now, out)) {
    out.identity = Identity::same;
    out.by_consent = true;
  }
  return out;
}

std::string in_words(const IdentityVerdict& verdict) {
  std::string out;
  if (!verdict.agrees.empty()) out = fmt::format("equal: {}", fmt::join(verdict.agrees, ", "));
  if (!verdict.differs.empty()) {
    out += fmt::format("{}unequal: {}", out.empty() ? "" : "; ", fmt::join(verdict.differs, ", "));
  }
  return out.empty() ? "nothing of it is recorded" : out;
}

}  // namespace dmremap::discovery
