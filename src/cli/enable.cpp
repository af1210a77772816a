// SPDX-License-Identifier: GPL-2.0-or-later
// Both verbs, enable and disable: one setting of a claim.
#include <cstdint>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "claims/present_devices.hpp"
#include "cli/common/claimed_set.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/root_sets.hpp"
#include "cli/common/verb.hpp"

namespace dmremap::cli {

namespace {

struct Arguments {
  std::string name;
  std::string wait;
  bool json = false;
};

// The deadline is recorded in the metadata by the next start; until then the claim alone has it.
void choose_wait(claims::Claim& claim, std::uint32_t wait_s) {
  if (claim.wait_s == wait_s) return;
  claim.wait_s = wait_s;
  claim.wait_is_recorded = false;
}

Result<claims::Claim> set_enabled(const Arguments& arguments, bool enabled) {
  const std::string& name = arguments.name;
  std::optional<std::uint32_t> wait_s;
  if (!arguments.wait.empty()) {
    const auto parsed = parse_boot_wait(arguments.wait);
    if (!parsed) return failure_of(parsed);
    wait_s = *parsed;
  }
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  const auto store = claim_store(*runtime);
  if (!store) return failure_of(store);
  auto file = claim_of(*store, name);
  if (!file) return failure_of(file);
  if (!file->claim) return failure_of(file->claim);
  claims::Claim claim = std::move(*file->claim);
  const claims::HostId here = claims::this_host();
  if (claims::is_of_another_host(claim, here)) {
    return fail(ErrorCode::claim_of_another, "the claim was written on another host",
                store->path_of(claim.name),
                fmt::format("start the set here by hand first, which takes it over: `dmremap start "
                            "{}`",
                            claim.name));
  }
  claim.host = here;
  claim.enabled = enabled;
  if (wait_s) choose_wait(claim, *wait_s);
  if (auto written = store->write(claim); !written) return failure_of(written);
  claims::ask_udev_again(claim);
  return claim;
}

int run(const Arguments& arguments, bool enabled) {
  const auto claim = set_enabled(arguments, enabled);
  if (!claim) return report(claim.error(), arguments.json);
  if (arguments.json) {
    print_json({{"name", claim->name},
                {"uuid", to_string(claim->set_uuid)},
                {"enabled", claim->enabled},
                {"wait_seconds", claim->wait_s},
                {"hides_main", claim->hides_main()}});
    return kDone;
  }
  fmt::print("{} {}; {}\n", claim->name,
             enabled ? fmt::format("comes up by itself at boot, which waits up to {} s for its "
                                   "devices",
                                   claim->wait_s)
                     : "does not come up by itself",
             claim->hides_main() ? "its main is hidden" : "its main is not hidden");
  if (enabled && holds_root(*claim, devices_of_root())) {
    for (const std::string& text : advice_for_root(claim->name, true)) warn(text);
  }
  return kDone;
}

void add(manual::Verb app, VerbAction& chosen, bool enabled, const std::string& summary,
         manual::Prose prose) {
  manual::Verb verb = app.add_verb(enabled ? "enable" : "disable", summary);
  const auto arguments = std::make_shared<Arguments>();
  add_set_name(verb, arguments->name, "the set").required();
  if (enabled) add_boot_wait(verb, arguments->wait);
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(std::move(prose));
  verb.when_given([&chosen, arguments, enabled] {
    chosen = [arguments, enabled] { return run(*arguments, enabled); };
  });
}

}  // namespace

void add_enable(manual::Verb app, VerbAction& chosen) {
  add(app, chosen, true, "Let a set come up by itself at boot, and hide its main",
      {.description = R"(
From the next boot on the set is started when its spare appears, on this host alone, and from now on its
main is hidden: nothing finds the file system by its UUID but on the device of the set. Put
`/dev/dm-remap/NAME`, or the UUID, in `/etc/fstab`. A main that is mounted now stays so until the next
boot.

A device that does not appear is waited for, 30 s or what --wait says, from when another one of the set is
there. Then the mounts that need the set fail, the console says what is missing, and the boot goes on; the set
is served when the device comes. --wait is kept in the set's metadata, by its next start.
)",
       .examples = {{"dmremap enable backup", "it was created and tried; now it is to stay"},
                    {"dmremap enable backup --wait 90", "its USB case takes a minute to wake"}},
       .exits = {{0, "done"}, {3, "refused: this host has no claim of it, or one of another host"}},
       .json = "name, uuid, enabled, wait_seconds, hides_main",
       .see_also = {"disable", "claims", "start"}});
}

void add_disable(manual::Verb app, VerbAction& chosen) {
  add(app, chosen, false, "Do not start a set at boot",
      {.description = R"(
The set is started by hand only. Its main stays hidden as long as it must not be used alone: while the set
is served, and while data of it is on the spare.
)",
       .examples = {{"dmremap disable backup", "before the disk goes to another machine, say"}},
       .exits = {{0, "done"}, {3, "refused: this host has no claim of it, or one of another host"}},
       .json = "name, uuid, enabled, wait_seconds, hides_main",
       .see_also = {"enable", "claims"}});
}

}  // namespace dmremap::cli
