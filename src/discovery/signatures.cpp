// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/signatures.hpp"

#include <algorithm>

#include "discovery/probe.hpp"

namespace dmremap::discovery {

namespace {

std::string in_words(const Probe& probe) {
  const std::string table = probe.value("PTTYPE");
  if (table == "gpt" || table == "PMBR") return "GPT partition table";
  if (table == "dos") return "DOS partition table";
  if (!table.empty()) return table + " partition table";
  const std::string type = probe.value("TYPE");
  return probe.value("USAGE") == "filesystem" ? type + " file system" : type;
}

}  // namespace

Result<std::vector<std::string>> signatures_on(const io::FileDevice& device) {
  auto probe = Probe::open(device);
  if (!probe) return failure_of(probe);
  ::blkid_probe_enable_superblocks(probe->get(), 1);
  ::blkid_probe_set_superblocks_flags(
      probe->get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE | BLKID_SUBLKS_BADCSUM);
  ::blkid_probe_enable_partitions(probe->get(), 1);
  ::blkid_probe_set_partitions_flags(probe->get(), BLKID_PARTS_FORCE_GPT);

  std::vector<std::string> found;
  while (true) {
    const int outcome = ::blkid_do_probe(probe->get());
    // What was found before a read error is reason enough to say so.
    if (outcome == 1 || (outcome != 0 && !found.empty())) return found;
    if (outcome != 0) {
      return fail(ErrorCode::io, "cannot be searched for file systems: it does not read well",
                  device.path(), "use another device");
    }
    std::string words = in_words(*probe);
    if (!words.empty() && std::ranges::find(found, words) == found.end()) {
      found.push_back(std::move(words));
    }
  }
}

}  // namespace dmremap::discovery
