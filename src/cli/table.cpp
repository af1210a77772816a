// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

#include "cli/common/disk_view.hpp"
#include "cli/common/examined_set.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_names.hpp"
#include "cli/common/verb.hpp"
#include "discovery/assembly.hpp"
#include "discovery/start_check.hpp"
#include "os/path.hpp"
#include "view/dm_table.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;
using table::Place;

struct Arguments {
  std::vector<std::string> what;
  std::string accept_main;
  bool json = false;
};

// The source of the table, and what its reader must know besides.
struct TableSource {
  json set;  // {"name", "uuid"}
  view::DmDevices devices;
  control::DiskMap map;
  std::vector<std::string> notes;
};

constexpr const char* kResolve =
    "bring back what is missing, or name the commit to keep with `dmremap resolve`";

// Warns if main was changed by other programs since the set used it last: the table would then
// combine data that does not belong together.
void note_changed(TableSource& out, const metadata::Survey& survey) {
  auto main = io::FileDevice::open(out.devices.main, {io::Access::read_only, io::Holding::shared});
  if (!main) return;
  const format::Identity& set = survey.content->identity;
  discovery::StartConditions conditions;
  if (const auto runtime = control::RuntimeDir::from_environment()) {
    // A running set changes main all the time, and its memory file must not be read meanwhile.
    if (is_running(*runtime, set.name, set.set_uuid)) return;
    conditions.memory_path = memory_path(*runtime, set.name);
  }
  const auto checked = discovery::check_contents(**main, survey, false, conditions);
  if (!checked) {
    out.notes.push_back(out.devices.main + " " + checked.error().what +
                        ": what it holds may not fit what the spare holds");
  }
}

// Finds main: as given, or by its identity. A rescuer may have the spare alone, with main in
// another machine: then the table names the path where main was last seen, and says so.
Result<void> find_main(TableSource& out, const discovery::Spare& spare,
                       const discovery::MainSearch& search) {
  discovery::DeviceLook look;
  const auto members = discovery::find_main(spare, search, look);
  look.close();
  if (members) {
    out.devices.main = members->main.path;
    note_changed(out, spare.survey);
    return {};
  }
  const std::string& hint = spare.identity().main.path_hint;
  if (!spare.others.empty() || members.error().code == ErrorCode::ambiguous || hint.empty()) {
    return failure_of(members);
  }
  out.devices.main = hint;
  out.notes.push_back("main was not given and not found: the table names " + hint +
                      ", where it was last seen; make sure that it is there");
  return {};
}

// The source for a set that is not asked but read from its spare.
Result<TableSource> of_spare(const discovery::Spare& spare, const discovery::MainSearch& search) {
  if (!spare.survey.content) {
    return fail(ErrorCode::no_metadata, "no winner: not one slot holds a whole commit", spare.path,
                "look with `dmremap examine`");
  }
  if (auto refused = metadata::refusal(spare.survey, spare.path)) {
    const bool in_doubt =
        refused->code == ErrorCode::metadata_doubtful || refused->code == ErrorCode::metadata_fork;
    if (in_doubt) refused->hint = kResolve;
    return tl::unexpected(std::move(*refused));
  }
  TableSource out{set_json(spare.survey), {{}, {spare.path}}, {}, {}};
  out.map = {spare.identity().main.size, spare.survey.content->extents};
  if (auto found = find_main(out, spare, search); !found) return failure_of(found);
  return out;
}

Result<TableSource> of_devices(const std::vector<std::string>& paths,
                               const std::string& accept_main) {
  auto set = examine_devices(paths);
  if (!set) return failure_of(set);
  if (!set->has_set) return tl::unexpected(no_set(*set));
  discovery::Spare spare{os::absolute(set->devices[set->spare].path), set->survey(), {}};
  for (std::size_t i = 0; i < set->devices.size(); ++i) {
    if (i != set->spare) spare.others.push_back(os::absolute(set->devices[i].path));
  }
  return of_spare(spare, {{}, accept_main});
}

Result<TableSource> of_running(const std::string& name) {
  auto disk = view_of(name);
  if (!disk) return failure_of(disk);
  if (disk->status.doubtful) {
    return fail(ErrorCode::metadata_doubtful,
                "doubtful: a later table may be hidden, and this one would give old data", name,
                kResolve);
  }
  TableSource out{{{"name", disk->status.name}, {"uuid", to_string(disk->status.uuid)}},
                  {disk->status.main.path, {disk->spare_path()}},
                  std::move(disk->map),
                  {}};
  out.notes.push_back(name +
                      " is running: stop it before you load this table, and make the table "
                      "anew then: every remap changes it");
  return out;
}

Result<TableSource> of_name(const std::string& name, const std::string& accept_main) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  if (is_running(*runtime, name)) return of_running(name);
  const auto spare = stopped_set(*runtime, name);
  if (!spare) return failure_of(spare);
  const auto hint = discovery::Hints(runtime->hints()).find(name);
  return of_spare(*spare, {hint ? hint->main_path : std::string(), accept_main});
}

// Warns about images, because dmsetup takes block devices only.
void note_images(TableSource& source, std::span<const table::Stretch> targets) {
  std::vector<std::string> paths{source.devices.main};
  paths.insert(paths.end(), source.devices.spares.begin(), source.devices.spares.end());
  for (const std::string& path : paths) {
    const bool used = std::ranges::any_of(targets, [&](const table::Stretch& target) {
      return target.place != Place::nowhere && view::device_of(target, source.devices) == path;
    });
    struct stat st {};
    if (!used || ::stat(path.c_str(), &st) != 0 || S_ISBLK(st.st_mode)) continue;
    source.notes.push_back(path +
                           " is a file, and dmsetup takes block devices: attach it with "
                           "`losetup --find --show` and put that device in its place");
  }
}

json to_json(const TableSource& source, std::span<const table::Stretch> targets,
             const std::string& table) {
  json out{{"set", source.set},           {"size_sectors", source.map.size.value},
           {"main", source.devices.main}, {"spare", source.devices.spares.front()},
           {"targets", json::array()},    {"table", table},
           {"notes", source.notes}};
  for (const table::Stretch& target : targets) {
    const bool nowhere = target.place == Place::nowhere;
    out["targets"].push_back(
        {{"sector", target.range.first.value},
         {"count", target.range.count.value},
         {"target", nowhere ? "error" : "linear"},
         {"device", nowhere ? json() : json(view::device_of(target, source.devices))},
         {"device_sector", nowhere ? json() : json(view::sector_of(target).value)}});
  }
  return out;
}

Result<TableSource> source_of(const Arguments& arguments) {
  const std::string& first = arguments.what.front();
  const bool alone = arguments.what.size() == 1;
  if (is_device_argument(first)) {
    const auto runtime = control::RuntimeDir::from_environment();
    const auto served = alone && runtime ? set_served_at(*runtime, first) : std::nullopt;
    if (served) return of_name(*served, arguments.accept_main);
    return of_devices(arguments.what, arguments.accept_main);
  }
  if (alone) {
    const auto name = resolve_set_name(first);
    return name ? of_name(*name, arguments.accept_main) : failure_of(name);
  }
  return fail(ErrorCode::usage, "give one name, or devices", first,
              "a device is named with a `/` in it: ./" + first);
}

int run(const Arguments& arguments) {
  auto source = source_of(arguments);
  if (!source) return report(source.error(), arguments.json);
  const auto targets = view::dm_targets(source->map.extents, source->map.size);
  const auto table = view::print_dm_table(targets, source->devices);
  if (!table) return report(table.error(), arguments.json);
  note_images(*source, targets);
  if (arguments.json) {
    print_json(to_json(*source, targets, *table));
    return kDone;
  }
  for (const std::string& note : source->notes) {
    if (!is_quiet()) fmt::print(stderr, "dmremap: note: {}\n", printable(note));
  }
  fmt::print("{}", *table);
  return kDone;
}

manual::Prose prose() {
  return {.description = R"(
Prints the set as a table for `dmsetup create`: linear targets where the data is, error targets where
sectors are lost or gone. With it the data can be reached by any kernel with device-mapper, without
this program. Reads only; every remap changes the table, so stop the set before you load it.

dmsetup takes block devices: attach an image with `losetup` and put that device in its place. What
else must be known is said on stderr.
)",
          .examples = {{"dmremap table backup", "of a set that is known here"},
                       {"dmremap table /dev/sdc1 /dev/sdb1 | dmsetup create --readonly rescue",
                        "the data, read-only, on another machine"}},
          .exits = {{0, "the table is printed"},
                    {1, "failed: no whole commit is left, or main is not known"},
                    {3, "refused: in doubt, so that the table might give old data"}},
          .json =
              "set, size_sectors, main, spare, targets[] with sector, count, target, device and "
              "device_sector, table, notes[]",
          .see_also = {"examine", "copy", "dmsetup(8)"}};
}

}  // namespace

void add_table(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "table",
      "The set as a table for `dmsetup create`: the data without this program; reads only");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option("NAME|DEVICE", arguments->what,
                  "the set; or its spare, and main if it is not found by itself")
      .required();
  verb.add_option("--accept-main", arguments->accept_main,
                  "this is main, though what is recorded cannot prove it")
      .type_name("PATH");
  verb.add_flag("--json", arguments->json, "JSON instead of the table");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
