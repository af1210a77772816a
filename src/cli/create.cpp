// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/create.hpp"

#include <memory>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/parse.hpp"
#include "base/size_text.hpp"
#include "claims/claim_store.hpp"
#include "claims/present_devices.hpp"
#include "cli/common/claimed_set.hpp"
#include "cli/common/known_bad_arguments.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/root_sets.hpp"
#include "cli/common/streams.hpp"
#include "cli/common/verb.hpp"
#include "discovery/host_configuration.hpp"
#include "os/set_link.hpp"
#include "os/usage.hpp"
#include "set/drive_query.hpp"

namespace dmremap::cli {

namespace {

struct Arguments {
  set::CreateOptions options;
  std::string spare_size;
  std::string boot_wait;
  std::string destroy;
  std::string discard_data;
  std::string known_bad_path;
  KnownBadArguments known_bad;
  bool json = false;
};

Result<void> parse(Arguments& arguments) {
  if (auto named = discovery::check_set_name(arguments.options.name); !named) return named;
  if (!arguments.spare_size.empty()) {
    const auto bytes = parse_size(arguments.spare_size);
    if (!bytes) return failure_of(bytes);
    arguments.options.spare_bytes = *bytes;
  }
  arguments.options.boot_wait_s = discovery::host_configuration().boot_wait_s;
  if (!arguments.boot_wait.empty()) {
    const auto wait = parse_boot_wait(arguments.boot_wait);
    if (!wait) return failure_of(wait);
    arguments.options.boot_wait_s = *wait;
  }
  auto list = parse(arguments.known_bad);
  if (!list) return failure_of(list);
  list->path = input_path(arguments.known_bad_path);
  arguments.options.known_bad = std::move(*list);
  if (!arguments.destroy.empty()) {
    arguments.options.destroy = parse_uuid(arguments.destroy);
    if (!arguments.options.destroy) {
      return fail(ErrorCode::usage, "not a UUID", arguments.destroy,
                  "give the UUID of the set to destroy, as `dmremap examine` shows it");
    }
  }
  if (!arguments.discard_data.empty()) {
    arguments.options.discard_data = parse_uuid(arguments.discard_data);
    if (!arguments.options.discard_data) {
      return fail(ErrorCode::usage, "not a UUID", arguments.discard_data,
                  "give the UUID that the refusal names");
    }
  }
  return {};
}

// Refuses the name of a set that runs, or that is still on the spare where it was last seen, unless
// that very set is to be destroyed.
Result<void> check_name_is_free(const control::RuntimeDir& runtime,
                                const set::CreateOptions& options) {
  if (is_running(runtime, options.name)) {
    return fail(ErrorCode::name_in_use, "a set of this name is running", options.name,
                "choose another name");
  }
  const auto claimed = claims::ClaimStore(runtime.claims()).find(options.name);
  if (claimed && !claimed->claim) return failure_of(claimed->claim);
  const auto is_given_up = [&](const Uuid& uuid) {
    return options.destroy == uuid || options.discard_data == uuid;
  };
  if (claimed && !is_given_up(claimed->claim->set_uuid)) {
    const std::string uuid = to_string(claimed->claim->set_uuid);
    return fail(
        ErrorCode::name_in_use, "this host claims a set of this name, " + uuid, options.name,
        "choose another name, or `dmremap claims --forget " + uuid + "` if that set is gone");
  }
  const auto hint = discovery::Hints(runtime.hints()).find(options.name);
  if (!hint) return {};
  const auto survey = discovery::survey_path(hint->spare_path);
  if (!survey || !survey->content || survey->content->identity.name != options.name) return {};
  if (options.destroy && options.destroy == survey->set_uuid) return {};
  return fail(ErrorCode::name_in_use, "a set of this name is on " + hint->spare_path, options.name,
              "choose another name");
}

// The devices of a running set can still be opened for reading. So main is compared with them,
// because a device must not be adopted by two sets.
Result<void> check_devices_are_free(const control::RuntimeDir& runtime,
                                    const set::CreateOptions& options) {
  const auto main = os::storage_of(options.main_path);
  if (!main) return {};  // said better when it is opened
  for (const std::string& name : runtime.names()) {
    if (!is_running(runtime, name)) continue;
    const auto status = running_status(runtime, name);
    if (!status) continue;
    std::vector<std::string> paths{status->main.path};
    for (const auto& spare : status->spares) paths.push_back(spare.path);
    for (const std::string& path : paths) {
      if (os::storage_of(path) != main) continue;
      return fail(ErrorCode::device_in_use, "belongs to the running set " + name, options.main_path,
                  "stop that set first, or give another device");
    }
  }
  return {};
}

// A set that was given up for this one must not hide main any more.
void forget_given_up(const claims::ClaimStore& store, const set::CreateOptions& options,
                     set::CreateResult& created) {
  for (const claims::ClaimFile& file : store.all()) {
    if (!file.claim || file.name == options.name) continue;
    const Uuid& uuid = file.claim->set_uuid;
    if (options.destroy != uuid && options.discard_data != uuid) continue;
    if (auto removed = store.remove(file.name); !removed) {
      created.warnings.push_back("its main stays hidden: " + removed.error().message());
    }
    claims::ask_udev_again(*file.claim);
  }
}

// The set is made whether or not it can be claimed.
void claim(const control::RuntimeDir& runtime, const set::CreateOptions& options,
           set::CreateResult& created) {
  const claims::ClaimStore store(runtime.claims());
  forget_given_up(store, options, created);
  const format::Identity& identity = created.identity;
  claims::Claim out;
  out.name = identity.name;
  out.set_uuid = identity.set_uuid;
  out.host = claims::this_host();
  if (options.boot_wait_s) out.wait_s = *options.boot_wait_s;
  out.main =
      claims::device_to_claim(created.main_path, created.main.fingerprint, created.main.facts);
  out.spares.push_back(
      {identity.spare_uuid,
       claims::device_to_claim(created.spare_path, identity.spare, created.spare_facts)});
  if (auto written = store.write(out); !written) {
    created.warnings.push_back("main cannot be hidden at boot: " + written.error().message());
  }
  claims::ask_udev_again(created.spare_path);
  if (holds_root(out, devices_of_root())) {
    for (std::string& text : advice_for_root(out.name, false)) {
      created.warnings.push_back(std::move(text));
    }
  }
}

void print(const set::CreateResult& created, bool json) {
  const format::Identity& identity = created.identity;
  if (!json) {
    for (const std::string& text : created.warnings) warn(text);
  }
  if (json) {
    print_json({{"name", identity.name},
                {"uuid", to_string(identity.set_uuid)},
                {"main", {{"path", created.main_path}, {"size_sectors", identity.main.size.value}}},
                {"spare",
                 {{"path", created.spare_path},
                  {"uuid", to_string(identity.spare_uuid)},
                  {"capacity_sectors", created.spare_data.value}}},
                {"lost_sectors", created.known_bad.lost.value},
                {"suspect_sectors", created.known_bad.suspect.value},
                {"warnings", created.warnings}});
    return;
  }
  fmt::print("created {}: {} ({}), spare {} (room for {})\n", identity.name,
             printable(created.main_path), size_text({identity.main.size.value}),
             printable(created.spare_path), size_text({created.spare_data.value}));
  if (created.known_bad != table::MarkReport{}) {
    fmt::print("{} sectors are known to be lost, {} to be suspect\n", created.known_bad.lost.value,
               created.known_bad.suspect.value);
  }
  fmt::print(
      "From the first remapped sector on, use {} only through dm-remap: `dmremap start {}`\n",
      printable(created.main_path), identity.name);
  fmt::print("In /etc/fstab, name {} from now on, not {} nor a UUID\n", os::set_link(identity.name),
             printable(created.main_path));
}

int run(Arguments& arguments) {
  if (auto parsed = parse(arguments); !parsed) return report(parsed.error(), arguments.json);
  const auto runtime = control::RuntimeDir::from_environment();
  if (runtime) {
    auto free = check_name_is_free(*runtime, arguments.options);
    if (free) free = check_devices_are_free(*runtime, arguments.options);
    if (!free) return report(free.error(), arguments.json);
  }
  const discovery::Hints known(runtime ? runtime->hints() : std::string());
  auto created = set::create(arguments.options, known, system_clock(), system_random());
  if (!created) {
    const bool listed = !arguments.known_bad_path.empty();
    return report(listed ? with_round_hint(created.error(), arguments.known_bad, "--known-bad-")
                         : created.error(),
                  arguments.json);
  }
  // A place to look first, nothing more: the set is made whether or not it can be noted.
  if (runtime && runtime->make()) {
    known.remember(created->identity.name, {created->main_path,
                                            created->spare_path,
                                            {},
                                            created->identity.set_uuid,
                                            created->main,
                                            created->identity.spare});
  }
  if (runtime) claim(*runtime, arguments.options, *created);
  // The set is made whatever the drive says, and asks it again once it runs.
  set::DriveQuery drive([&] { return created->main_path; }, created->identity.main.size);
  for (std::string& text : set::warnings_of(drive.ask({}, {}))) {
    created->warnings.push_back(std::move(text));
  }
  print(*created, arguments.json);
  return kDone;
}

manual::Prose prose() {
  return {
      .description = R"(
Adopts MAIN in place: it keeps its file system and may be mounted meanwhile, for it is only read.
All metadata goes to SPARE, eight times, and so does later the data of the sectors that fail. SPARE
must have 16 MiB or more and logical blocks no larger than those of MAIN; it must not lie on MAIN.

From the first remapped sector on, MAIN may only be used through dm-remap: a part of its data is on
the spare.
)",
      .examples = {{"dmremap create backup /dev/sdb /dev/sdc1",
                    "the failing disk is sdb, the partition sdc1 is to take its sectors"},
                   {"dmremap create backup /dev/sdb /srv/backup.spare --spare-size 1GiB",
                    "a file as the spare, on another disk"},
                   {"dmremap create backup /dev/sdb /dev/sdc1 --known-bad rescue.map",
                    "what ddrescue could not read is lost from the start"}},
      .exits = {{0, "the set was made"},
                {1, "failed: a device cannot be opened, read or written"},
                {3,
                 "refused: the name is taken, SPARE holds data, is too small, in use, or lies on "
                 "MAIN; nothing was written"}},
      .json = "name, uuid, main, spare, lost_sectors, suspect_sectors, warnings[]",
      .see_also = {"start", "release", "bad", "ddrescue(1)", "badblocks(8)"}};
}

}  // namespace

void add_create(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "create", "Make a set: metadata goes to SPARE, nothing to MAIN, which may be mounted");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option("NAME", arguments->options.name, "how the set is to be called")
      .type_name("NEW")
      .required();
  verb.add_option("MAIN", arguments->options.main_path, "the failing disk or image").required();
  verb.add_option("SPARE", arguments->options.spare_path, "the device or image for replacements")
      .required();
  verb.add_option("--spare-size", arguments->spare_size,
                  "make SPARE as a file of this size (K, M, G, T)")
      .type_name("SIZE");
  add_boot_wait(verb, arguments->boot_wait);
  verb.add_flag("--force", arguments->options.force,
                "overwrite a file system, partition table or damaged metadata on SPARE");
  verb.add_option("--destroy", arguments->destroy, "overwrite the set with this UUID on SPARE")
      .type_name("UUID");
  verb.add_option("--discard-data", arguments->discard_data,
                  "MAIN was main of this set, and what its spare holds is given up")
      .type_name("UUID");
  verb.add_option("--known-bad", arguments->known_bad_path,
                  "sectors of MAIN that are lost from the start: a list as `bad import` takes it")
      .type_name("FILE");
  verb.add_option("--known-bad-format", arguments->known_bad.format,
                  "of that list; else its text shows")
      .type_name("ddrescue|badblocks|md|kernel");
  verb.add_option("--known-bad-block-size", arguments->known_bad.block_size,
                  "what badblocks was given as -b (1024)")
      .type_name("SIZE");
  add_list_options(verb, arguments->known_bad, "--known-bad-");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
