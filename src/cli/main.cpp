// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <exception>
#include <string_view>

#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"
#include "discovery/host_configuration.hpp"
#include "os/root_storage.hpp"

namespace {

using dmremap::Error;
using dmremap::ErrorCode;

constexpr const char* kAbout =
    "Keeps a failing disk in service: healthy sectors go straight to it, failing ones to a spare.";

bool has_word(int argc, char** argv, std::string_view word) {
  return std::any_of(argv, argv + argc, [&](std::string_view arg) { return arg == word; });
}

// A command line that could not be parsed may still have asked for JSON.
bool asks_for_json(int argc, char** argv) {
  return has_word(argc, argv, "--json");
}

// How the verbs are listed to somebody who does not know their names yet.
void group_verbs(dmremap::manual::Verb app) {
  app.group_verbs("Every day:",
                  {"create", "start", "stop", "list", "status", "events", "scrub", "monitor",
                   "metrics", "discover", "assemble", "enable", "disable", "claims", "help"});
  app.group_verbs("To get data back, and to let go of a disk:",
                  {"files", "backfill", "copy", "remap", "unremap", "retry", "bad", "spare",
                   "table", "release"});
  app.group_verbs("When there is trouble, and to look closer:",
                  {"explain", "map", "report", "examine", "check", "repair", "resolve"});
}

int usage_error(const dmremap::manual::Parsed& parsed, bool json) {
  if (parsed.error) return dmremap::cli::report(*parsed.error, json);
  const std::string& verbs = parsed.verbs;
  const std::string help = "dmremap " + (verbs.empty() ? "" : verbs + " ");
  std::string what = parsed.problem;
  const auto line_end = what.find('\n');
  if (line_end != std::string::npos) what.resize(line_end);
  return dmremap::cli::report(Error{ErrorCode::usage, what, verbs.empty() ? "command line" : verbs,
                                    "see `" + help + "--help`"},
                              json);
}

// True of what the unit of a set runs, to the word. To declare all else that the program can do
// takes milliseconds, for which a boot would wait.
bool is_wanted_at_boot(int argc, char** argv) {
  return argc == 5 && std::string_view(argv[1]) == "start" && argv[2][0] != '-' &&
         std::string_view(argv[3]) == "--foreground" && std::string_view(argv[4]) == "--at-boot";
}

void add_verbs(dmremap::manual::Verb app, dmremap::cli::VerbAction& chosen) {
  using namespace dmremap::cli;
  add_create(app, chosen);
  add_start(app, chosen);
  add_stop(app, chosen);
  add_list(app, chosen);
  add_status(app, chosen);
  add_events(app, chosen);
  add_scrub(app, chosen);
  add_monitor(app, chosen);
  add_metrics(app, chosen);
  add_discover(app, chosen);
  add_assemble(app, chosen);
  add_files(app, chosen);
  add_backfill(app, chosen);
  add_copy(app, chosen);
  add_remap(app, chosen);
  add_unremap(app, chosen);
  add_retry(app, chosen);
  add_bad(app, chosen);
  add_table(app, chosen);
  add_spare(app, chosen);
  add_release(app, chosen);
  add_explain(app, chosen);
  add_map(app, chosen);
  add_report(app, chosen);
  add_examine(app, chosen);
  add_check(app, chosen);
  add_repair(app, chosen);
  add_resolve(app, chosen);
  add_claims(app, chosen);
  add_enable(app, chosen);
  add_disable(app, chosen);
}

int run(int argc, char** argv) {
  using namespace dmremap::cli;
  using Kind = dmremap::manual::Parsed::Kind;
  dmremap::manual::Program program("dmremap", kAbout, "dmremap " DMREMAP_VERSION);
  dmremap::manual::Verb app = program.top();
  app.require_verb();
  VerbAction chosen;
  if (is_wanted_at_boot(argc, argv)) {
    add_start(app, chosen);
  } else {
    add_verbs(app, chosen);
    add_help(app, program, chosen);
    group_verbs(app);
  }
  bool quiet = false;
  bool verbose = false;
  program.add_flag_everywhere("-q,--quiet", quiet, "errors alone: no warnings and no progress");
  program.add_flag_everywhere("-v,--verbose", verbose, "say what is looked at, too");
  app.describe(about());
  // While the command line is parsed names of sets are resolved, of which -v tells.
  verbose = has_word(argc, argv, "-v") || has_word(argc, argv, "--verbose");
  if (verbose) set_verbosity(Verbosity::verbose);
  const dmremap::manual::Parsed parsed = program.parse(argc, argv);
  if (parsed.kind == Kind::answered) return parsed.exit_code;
  if (parsed.kind == Kind::wrong) return usage_error(parsed, asks_for_json(argc, argv));
  if (quiet || verbose) set_verbosity(quiet ? Verbosity::quiet : Verbosity::verbose);
  const auto& configuration = dmremap::discovery::host_configuration();
  for (const Error& problem : configuration.problems) warn(problem.message());
  return chosen();
}

}  // namespace

int main(int argc, char** argv) {
  dmremap::os::remember_arguments(argv);
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    return dmremap::cli::report(Error{ErrorCode::internal, error.what(), {}, "report this"},
                                asks_for_json(argc, argv));
  }
}
