// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/set_claim.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/log.hpp"
#include "claims/present_devices.hpp"
#include "discovery/partitions.hpp"
#include "discovery/stacked_devices.hpp"
#include "os/set_link.hpp"
#include "os/usage.hpp"

namespace dmremap::daemon {

namespace {

constexpr std::chrono::seconds kLookAtLinksEvery{5};

claims::Claim claim_of(const discovery::Members& members, const set::RunningSet& set) {
  claims::Claim out;
  out.name = members.name;
  out.set_uuid = members.set_uuid;
  out.host = claims::this_host();
  out.served = true;
  out.wait_s = set.boot_wait_s();
  const discovery::RecordedMain main = set.recorded_main();
  out.main = claims::device_to_claim(members.main.path, main.fingerprint, main.facts);
  const set::RecordedSpare spare = set.recorded_spare();
  out.spares.push_back({spare.uuid, claims::device_to_claim(members.spares.front().path,
                                                            spare.fingerprint, spare.facts)});
  return out;
}

// What was chosen since the start, or had no room in the metadata, is for the next start to record.
void keep_unrecorded_wait(const claims::Claim& from, claims::Claim& to) {
  if (from.wait_is_recorded || from.wait_s == to.wait_s) return;
  to.wait_s = from.wait_s;
  to.wait_is_recorded = false;
}

// Of the set's device and its partitions, whatever it is served by, and of what is stacked on them
// alone: logical volumes, dm-crypt.
std::vector<std::string> links_of(const std::string& name) {
  std::vector<dev_t> own;
  std::vector<std::string> out;
  for (const std::string& node : os::set_links(name)) {
    const auto storage = os::storage_of(node);
    if (!storage || !storage->is_block_device()) continue;
    own.push_back(storage->device);
    std::ranges::move(discovery::contents_links_in_udev(storage->device), std::back_inserter(out));
  }
  for (const dev_t stacked : discovery::devices_stacked_on(own)) {
    std::ranges::move(discovery::links_in_udev(stacked), std::back_inserter(out));
  }
  return out;
}

}  // namespace

std::optional<std::uint32_t> SetClaim::chosen_wait_s(const discovery::Members& members) const {
  if (!store_.keeps_claims()) return std::nullopt;
  const std::optional<claims::ClaimFile> kept = store_.find(members.name);
  if (!kept || !kept->claim || kept->claim->set_uuid != members.set_uuid) return std::nullopt;
  if (kept->claim->wait_is_recorded || is_of_another_host(*kept->claim, claims::this_host())) {
    return std::nullopt;
  }
  return kept->claim->wait_s;
}

std::vector<std::string> SetClaim::begin(const discovery::Members& members,
                                         const set::RunningSet& set) {
  const std::lock_guard lock(mutex_);
  if (!store_.keeps_claims() || set.read_only()) return {};
  std::vector<std::string> out;
  claims::Claim claim = claim_of(members, set);
  const std::optional<claims::ClaimFile> before = store_.find(claim.name);
  if (before && !before->claim) {
    out.push_back(before->claim.error().message());
    if (before->claim.error().code != ErrorCode::claim_damaged) return out;
    out.back() = fmt::format(
        "{}: was damaged, and is written anew; `dmremap enable {}` if the set "
        "is to come up by itself",
        store_.path_of(claim.name), claim.name);
  } else if (before && before->claim->set_uuid != claim.set_uuid) {
    // That set's main must stay hidden, so its claim stays.
    out.push_back(
        fmt::format("{}: is the claim of another set of this name: this one's main is not "
                    "hidden; `dmremap claims --forget {}` if that one is gone",
                    store_.path_of(claim.name), to_string(before->claim->set_uuid)));
    return out;
  } else if (before && claims::is_of_another_host(*before->claim, claim.host)) {
    out.push_back(
        fmt::format("{}: was written on another host, and is taken over; `dmremap enable "
                    "{}` if the set is to come up by itself here",
                    store_.path_of(claim.name), claim.name));
  } else if (before) {
    claim.enabled = before->claim->enabled;
    claim.links = before->claim->links;
    keep_unrecorded_wait(*before->claim, claim);
  }
  if (auto written = store_.write(claim); !written) {
    out.push_back("main is not hidden while the set does not run: " + written.error().message());
    return out;
  }
  // At a boot udev has just hidden main by the claim as it was, and its looking again would hold up
  // what waits for the set. What it may be looking at now, it answers by a claim that hides too.
  const bool was_enabled = before && before->claim && before->claim->enabled && claim.enabled;
  if (!was_enabled || !claims::is_known_to_udev(claim)) claims::ask_udev_again(claim);
  claim_ = std::move(claim);
  is_written_ = true;
  return out;
}

bool SetClaim::follow_user() {
  const std::optional<claims::ClaimFile> now = store_.find(claim_.name);
  if (!now || !now->claim || now->claim->set_uuid != claim_.set_uuid) return false;
  claim_.enabled = now->claim->enabled;
  keep_unrecorded_wait(*now->claim, claim_);
  return true;
}

void SetClaim::look_at_links() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (!is_written_ || !follows_links_ || now - looked_at_ < kLookAtLinksEvery) return;
  looked_at_ = now;
  for (std::string& link : links_of(claim_.name)) links_seen_.insert(std::move(link));
  // Those of earlier runs stay until this one has ended: what is stacked on the set may not be
  // there yet, and a crash now must not have it forgotten.
  std::set<std::string> links(claim_.links.begin(), claim_.links.end());
  const std::size_t known = links.size();
  links.insert(links_seen_.begin(), links_seen_.end());
  if (links.size() == known || !follow_user()) return;
  claim_.links.assign(links.begin(), links.end());
  if (auto written = store_.write(claim_); !written) {
    log(Severity::info,
        "by which names the set is mounted was not kept: " + written.error().message());
  }
}

void SetClaim::end(std::uint64_t sectors_elsewhere) {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(is_written_, false) || !follow_user()) return;
  claim_.served = false;
  claim_.sectors_elsewhere = sectors_elsewhere;
  // Without udev there were none.
  if (!links_seen_.empty()) claim_.links.assign(links_seen_.begin(), links_seen_.end());
  if (auto written = store_.write(claim_); !written) {
    log(Severity::warning,
        "the claim still says that the set is served: " + written.error().message());
  }
  claims::ask_udev_again(claim_);
}

}  // namespace dmremap::daemon
