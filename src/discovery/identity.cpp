// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/identity.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "discovery/fingerprint.hpp"
#include "discovery/hardware_names.hpp"

namespace dmremap::discovery {

namespace {

using format::Fact;
using format::FactKind;

using Facts = std::vector<Fact>;

// The numbers of the kinds are part of the format on the spare, and these are consecutive there.
bool is_hardware_name(FactKind kind) {
  return kind >= FactKind::naa && kind <= FactKind::serial;
}

bool is_partition_place(FactKind kind) {
  return kind == FactKind::partition_uuid || kind == FactKind::partition_start;
}

// True for a name of a whole device that no copy of its contents would have.
bool names_a_device(FactKind kind) {
  return is_hardware_name(kind) || kind == FactKind::dm_uuid || kind == FactKind::md_uuid ||
         kind == FactKind::image;
}

std::vector<std::string> values_of(const Facts& facts, FactKind kind) {
  std::vector<std::string> out;
  for (const Fact& fact : facts) {
    if (fact.kind == kind) out.push_back(fact.value);
  }
  return out;
}

bool has(const Facts& facts, FactKind kind) {
  return std::ranges::any_of(facts, [kind](const Fact& fact) { return fact.kind == kind; });
}

// The facts without those that prove nothing: placeholder names, and names that several present
// disks share.
Facts meaningful(const Facts& facts, const SharedFacts& shared) {
  Facts out;
  for (const Fact& fact : facts) {
    const bool lies = is_hardware_name(fact.kind) && is_placeholder(fact.value);
    if (!lies && !shared.contains(fact)) out.push_back(fact);
  }
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
    const auto equal = std::ranges::find_first_of(now, before);
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

 private:
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
        [](FactKind kind) {
          return kind == FactKind::serial || kind == FactKind::dm_uuid || kind == FactKind::md_uuid;
        },
        "serial number", verdict));
    return out;
  }
  for (const FactKind kind :
       {FactKind::naa, FactKind::eui, FactKind::nvme_uuid, FactKind::nguid, FactKind::nvme_legacy,
        FactKind::serial, FactKind::dm_uuid, FactKind::md_uuid, FactKind::image}) {
    out.note(comparison.compare(kind));
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
// the file system UUID, and the port or path. After an unclean stop even that is not enough.
bool is_covered_by_consent(const RecordedMain& recorded, const DeviceFacts& seen,
                           const IdentityVerdict& verdict) {
  if (!recorded.no_identity || !recorded.stopped_cleanly || verdict.resized || verdict.reblocked ||
      verdict.contents_changed || recorded.fingerprint.fs_uuid.empty()) {
    return false;
  }
  const auto in_the_same = [&](FactKind kind) {
    const auto before = values_of(recorded.facts, kind);
    const auto now = values_of(seen.facts, kind);
    return std::ranges::find_first_of(now, before) != now.end();
  };
  return in_the_same(FactKind::port) || in_the_same(FactKind::path);
}

// True for facts that stay with the device when it is moved to another port or host.
bool is_of_this_device(const Fact& fact) {
  return names_a_device(fact.kind) || is_partition_place(fact.kind);
}

void add_once(Facts& facts, const Fact& fact) {
  if (std::ranges::find(facts, fact) == facts.end()) facts.push_back(fact);
}

// True if both are paths to one disk: their transport may have several, all names are equal, and
// one of them is more than a serial number, which a whole series of enclosures may share.
bool are_paths_to_one_disk(const DiskNames& a, const DiskNames& b) {
  return a.several_paths && b.several_paths && a.facts == b.facts &&
         std::ranges::any_of(a.facts, [](const Fact& f) { return f.kind < FactKind::serial; });
}

}  // namespace

RecordedMain recorded_main(const format::Content& content) {
  RecordedMain out;
  out.fingerprint = content.identity.main;
  out.only_fingerprint = !content.facts.has_value();
  out.stopped_cleanly = content.health.clean;
  if (content.facts) {
    out.facts = content.facts->main;
    out.no_identity = content.facts->main_has_no_identity;
  } else if (!out.fingerprint.part_uuid.empty()) {
    // The set was created before facts were recorded: values of its fingerprint are used as facts.
    out.facts.push_back({FactKind::partition_uuid, out.fingerprint.part_uuid});
  }
  if (out.only_fingerprint && !out.fingerprint.serial.empty()) {
    out.facts.push_back({FactKind::serial, out.fingerprint.serial});
  }
  return out;
}

SharedFacts shared_facts(const std::vector<DiskNames>& disks) {
  std::map<Fact, const DiskNames*> first;
  SharedFacts out;
  for (const DiskNames& disk : disks) {
    for (const Fact& fact : disk.facts) {
      const auto [known, is_new] = first.emplace(fact, &disk);
      if (!is_new && !are_paths_to_one_disk(*known->second, disk)) out.insert(fact);
    }
  }
  return out;
}

bool has_own_name(const Facts& facts) {
  return std::ranges::any_of(facts, [](const Fact& fact) {
    return names_a_device(fact.kind) && !is_placeholder(fact.value);
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
  const Facts before = meaningful(recorded.facts, shared);
  const Facts now = meaningful(seen.facts, shared);
  Comparison comparison(before, now, out);
  DecisiveMatch decisive = compare_device_names(recorded, now, comparison, out);
  compare_places(recorded, now, comparison, decisive, out);
  // A device that was never detached cannot have been replaced by another. If its names differ
  // nevertheless, the driver shows them differently today.
  if (comparison.compare(FactKind::attachment) == FactMatch::equal) decisive = {true, false};
  compare_contents(recorded, seen, out);
  compare_geometry(recorded, seen, out);
  if (decisive.unequal) {
    out.identity = Identity::different;
  } else if (decisive.equal) {
    out.identity = Identity::same;
  } else if (is_covered_by_consent(recorded, seen, out)) {
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

format::RecordedFacts merge_main_facts(const RecordedMain& before, const DeviceFacts& seen,
                                       bool accepted) {
  format::RecordedFacts out;
  out.main = seen.facts;
  const auto is_decisive = [](const Fact& fact) {
    return is_of_this_device(fact) || fact.kind == FactKind::attachment;
  };
  const auto first_hint = std::ranges::find_if_not(out.main, is_decisive);
  Facts kept;
  // A recorded name that the device does not show today is kept, because it may be shown again: a
  // dock hides it, or a kernel update changes its type. The same holds for a name that a user has
  // overruled.
  for (const Fact& fact : before.facts) {
    const bool keep = accepted ? names_a_device(fact.kind)
                               : is_of_this_device(fact) && !has(seen.facts, fact.kind);
    if (keep && std::ranges::find(out.main, fact) == out.main.end()) add_once(kept, fact);
  }
  // Decisive kinds come first in what is recorded.
  out.main.insert(first_hint, kept.begin(), kept.end());
  for (const Fact& fact : before.facts) {
    if (fact.kind == FactKind::accepted_size || fact.kind == FactKind::accepted_logical_block) {
      add_once(out.main, fact);
    }
  }
  if (accepted && seen.fingerprint.size != before.fingerprint.size) {
    add_once(out.main, {FactKind::accepted_size, std::to_string(seen.fingerprint.size.value)});
  }
  if (accepted && seen.fingerprint.logical_block_bytes != before.fingerprint.logical_block_bytes) {
    add_once(out.main, {FactKind::accepted_logical_block,
                        std::to_string(seen.fingerprint.logical_block_bytes)});
  }
  out.main_has_no_identity = !has_own_name(seen.facts) && (accepted || before.no_identity);
  return out;
}

}  // namespace dmremap::discovery
