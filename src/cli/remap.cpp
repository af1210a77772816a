// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>

#include <fmt/format.h>

#include "base/parse.hpp"
#include "cli/lookup.hpp"
#include "cli/output.hpp"
#include "cli/verb.hpp"
#include "control/protocol.hpp"

namespace dmremap::cli {

namespace {

struct Arguments {
  std::string name;
  std::string range;
  bool json = false;
};

Result<nlohmann::json> remap(const Arguments& arguments) {
  const auto range = parse_range(arguments.range);
  if (!range) return tl::unexpected(range.error());
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return tl::unexpected(runtime.error());
  auto client = connect(*runtime, arguments.name);
  if (!client) return tl::unexpected(client.error());
  nlohmann::json request = control::make_request("remap");
  request["first"] = range->first.value;
  request["count"] = range->count.value;
  return client->call(request, kWorkTime);
}

int run(const Arguments& arguments) {
  const auto done = remap(arguments);
  if (!done) {
    Error error = done.error();
    if (error.where.empty()) error.where = arguments.name;
    return report(error, arguments.json);
  }
  const auto sectors = [&](const char* field) { return done->value(field, std::uint64_t{0}); };
  if (arguments.json) {
    print_json({{"name", arguments.name},
                {"relocated_sectors", sectors("relocated_sectors")},
                {"lost_sectors", sectors("lost_sectors")},
                {"untouched_sectors", sectors("untouched_sectors")}});
  } else {
    fmt::print("{} sectors relocated, {} lost, {} left as they were\n",
               sectors("relocated_sectors"), sectors("lost_sectors"), sectors("untouched_sectors"));
  }
  return kDone;
}

manual::Prose prose() {
  return {
      .description = R"(
Moves good and suspect sectors of the range to the spare while the set runs, before the disk loses
them. What cannot be read becomes lost, and reads as an error until something writes it. Sectors
that are already remapped, lost or gone stay as they are.
)",
      .examples = {{"dmremap remap backup 2048+8", "8 sectors of 512 bytes from sector 2048 on"}},
      .exits = {{0, "done; how many were moved and lost is printed"},
                {1, "failed: no such set runs, it is read-only, the spare or the table is full"}},
      .json = "name, relocated_sectors, lost_sectors, untouched_sectors",
      .see_also = {"unremap", "status"}};
}

}  // namespace

void add_remap(CLI::App& app, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand(
      "remap", "Move sectors to the spare by hand; what cannot be read becomes lost");
  const auto arguments = std::make_shared<Arguments>();
  verb->add_option("NAME", arguments->name, "the set")->required();
  verb->add_option("RANGE", arguments->range, "SECTOR or SECTOR+COUNT, in sectors of 512 bytes")
      ->required();
  verb->add_flag("--json", arguments->json, "JSON instead of text");
  manual::describe(*verb, prose());
  verb->callback([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
