// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "claims/present_devices.hpp"
#include "cli/common/claim_check.hpp"
#include "cli/common/claimed_set.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/root_sets.hpp"
#include "cli/common/verb.hpp"
#include "os/json_line.hpp"

namespace dmremap::cli {

namespace {

using claims::Claim;
using nlohmann::json;

struct Arguments {
  bool check = false;
  bool root = false;
  std::string forget;
  bool json = false;
};

json json_of(const claims::ClaimedDevice& device) {
  json facts = json::array();
  for (const format::Fact& fact : device.facts) {
    facts.push_back({{"kind", format::name_of(fact.kind)}, {"value", fact.value}});
  }
  return {{"path", device.path}, {"size_sectors", device.size.value}, {"facts", facts}};
}

json json_of(const Claim& claim) {
  json spares = json::array();
  for (const claims::ClaimedSpare& spare : claim.spares) {
    json one = json_of(spare.device);
    one["uuid"] = to_string(spare.uuid);
    spares.push_back(std::move(one));
  }
  return {{"name", claim.name},
          {"uuid", to_string(claim.set_uuid)},
          {"enabled", claim.enabled},
          {"wait_seconds", claim.wait_s},
          {"served", claim.served},
          {"sectors_elsewhere", claim.sectors_elsewhere},
          {"hides_main", claim.hides_main()},
          {"links", claim.links},
          {"of_another_host", claims::is_of_another_host(claim, claims::this_host())},
          {"main", json_of(claim.main)},
          {"spares", std::move(spares)}};
}

json json_of(const std::vector<ClaimFinding>& findings) {
  json out = json::array();
  for (const ClaimFinding& one : findings) {
    out.push_back({{"needs_attention", one.needs_attention}, {"text", one.text}});
  }
  return out;
}

// Why bare main is hidden, or that it is not.
std::string hiding_of(const Claim& claim) {
  if (claim.sectors_elsewhere > 0) {
    return fmt::format("main is hidden: {} of its sectors are elsewhere", claim.sectors_elsewhere);
  }
  if (claim.served) return "main is hidden: the set is being served";
  return claim.enabled ? "main is hidden" : "main is not hidden";
}

void print_text(const claims::ClaimFile& file, const std::vector<ClaimFinding>& findings) {
  if (file.claim) {
    const Claim& claim = *file.claim;
    fmt::print("{:<20} {:<9} {}\n", claim.name, claim.enabled ? "enabled" : "disabled",
               hiding_of(claim));
    fmt::print("{:<20} {:<9} main {}, spare {}\n", "", "", printable(claim.main.path),
               printable(claim.spares.front().device.path));
  } else {
    fmt::print("{:<20} {:<9} {}\n", file.name, "damaged", printable(file.claim.error().message()));
  }
  for (const ClaimFinding& one : findings) {
    fmt::print("{:<20} {:<9} {}\n", "", one.needs_attention ? "attention" : "fine",
               printable(one.text));
  }
}

int list(const Arguments& arguments, const claims::ClaimStore& store,
         const control::RuntimeDir& runtime) {
  const std::vector<claims::ClaimFile> all = store.all();
  json claims = json::array();
  bool attention = false;
  for (const claims::ClaimFile& file : all) {
    std::vector<ClaimFinding> findings;
    if (arguments.check) findings = check_claim(file, all, runtime);
    attention = attention || std::ranges::any_of(findings, &ClaimFinding::needs_attention);
    if (arguments.json) {
      claims.push_back({{"file", store.path_of(file.name)},
                        {"claim", file.claim ? json_of(*file.claim) : json()},
                        {"problem", file.claim ? json() : os::to_json(file.claim.error())},
                        {"findings", arguments.check ? json_of(findings) : json()}});
    } else {
      print_text(file, findings);
    }
  }
  if (arguments.json) {
    print_json({{"claims", std::move(claims)}, {"forgotten", nullptr}, {"root_sets", nullptr}});
  }
  return attention ? kAttention : kDone;
}

int forget(const Arguments& arguments, const claims::ClaimStore& store,
           const control::RuntimeDir& runtime) {
  const auto file = claim_of(store, arguments.forget);
  if (!file) return report(file.error(), arguments.json);
  if (file->claim && is_running(runtime, file->name, file->claim->set_uuid)) {
    return report(Error{ErrorCode::name_in_use, "is running, and main must stay hidden", file->name,
                        "`dmremap stop " + file->name + "` first"},
                  arguments.json);
  }
  if (auto removed = store.remove(file->name); !removed) {
    return report(removed.error(), arguments.json);
  }
  if (file->claim) claims::ask_udev_again(*file->claim);
  if (arguments.json) {
    print_json({{"claims", json::array()}, {"forgotten", file->name}, {"root_sets", nullptr}});
    return kDone;
  }
  fmt::print("{} is forgotten: its main is not hidden on this host any more\n", file->name);
  if (file->claim && file->claim->sectors_elsewhere > 0) {
    warn(fmt::format("{}: {} sectors of it have newer data on the spare, or lost it",
                     file->claim->main.path, file->claim->sectors_elsewhere));
  }
  return kDone;
}

int list_of_root(const Arguments& arguments, const claims::ClaimStore& store) {
  const std::vector<std::string> names = root_sets(store);
  if (arguments.json) {
    print_json({{"claims", json::array()}, {"forgotten", nullptr}, {"root_sets", names}});
    return kDone;
  }
  for (const std::string& name : names) fmt::print("{}\n", name);
  return kDone;
}

int run(const Arguments& arguments) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  const auto store = claim_store(*runtime);
  if (!store) return report(store.error(), arguments.json);
  if (arguments.root) return list_of_root(arguments, *store);
  return arguments.forget.empty() ? list(arguments, *store, *runtime)
                                  : forget(arguments, *store, *runtime);
}

manual::Prose prose() {
  return {.description = R"(
What this host keeps of each set that was created or started on it, in a file of its own,
`/etc/dm-remap/claims.d/NAME`: what main and the spare are known by, whether the set is to come up by
itself, and whether main may be used without it. `dmremap create` and `dmremap start` write it, and
`dmremap release` removes it. It answers at boot, before anything is mounted, which disk is the main of a
set; what is on the spare decides everything else.

Main is hidden while the set is enabled, while it is served or was left without a clean stop, and while
data of it is on the spare: its file system's UUID is then found on the set's device alone.

With --check it is compared with what is there: whether the devices are here, whether bare main is
mounted, whether the claim is of this host.

--forget drops the claim of a set, and needs no spare, which may be dead. Main is not hidden any more,
with whatever it lacks.
)",
          .examples = {{"dmremap claims", "the sets that this host knows"},
                       {"dmremap claims --check", "are their devices here, and is main hidden"},
                       {"dmremap claims --forget 431a65fc-7484-46c4-bade-24f6ad223042",
                        "the spare died, and the disk is to be used as it is"}},
          .exits = {{0, "done"},
                    {3, "--forget: no such claim, or the set is running"},
                    {4, "--check: something needs attention"}},
          .json =
              "claims[]{file, claim or null, problem or null, findings[] or null}, forgotten, "
              "root_sets[] or null",
          .see_also = {"enable", "start", "release", "discover"}};
}

}  // namespace

void add_claims(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb =
      app.add_verb("claims", "The sets that this host knows, and what it does with their mains");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_flag("--check", arguments->check, "compare them with what is there");
  verb.add_flag(
      "--root", arguments->root,
      "print the names of the enabled sets that the root file system lies on, or on whose "
      "mains it lies: those that an initramfs has to start");
  verb.add_option("--forget", arguments->forget, "drop the claim of the set with this UUID or name")
      .type_name("UUID");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
