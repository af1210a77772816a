// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>
#include <cstdlib>
#include <memory>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/parse.hpp"
#include "cli/common/disk_view.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/streams.hpp"
#include "cli/common/verb.hpp"
#include "cli/common/verdict_line.hpp"
#include "view/cells.hpp"
#include "view/picture.hpp"
#include "view/terminal_map.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

constexpr unsigned kColumns = 80;
constexpr unsigned kRows = 20;
// Rows of the window that are left for the title, the legend and the prompt.
constexpr unsigned kOtherRows = 10;
constexpr std::uint64_t kWidest = 1000;

struct Arguments {
  std::string name;
  std::string svg;
  std::string png;
  bool json = false;
};

// COLUMNS goes before the size of the terminal: a user who sets it wants that width, in a file too.
view::TerminalForm form_of_terminal() {
  view::TerminalForm out{.columns = kColumns, .rows = kRows, .color = false};
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  winsize window{};
  if (terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) {
    out.columns = window.ws_col;
    if (window.ws_row > 2 * kOtherRows) out.rows = window.ws_row - kOtherRows;
  }
  const char* columns = std::getenv("COLUMNS");
  const auto given = parse_number(columns != nullptr ? columns : "");
  if (given && *given > 0 && *given <= kWidest) out.columns = static_cast<unsigned>(*given);
  const char* no_color = std::getenv("NO_COLOR");
  out.color = terminal && (no_color == nullptr || *no_color == '\0');
  return out;
}

json to_json(const DiskView& disk) {
  json counts = json::object();
  const auto sectors = view::count_states(disk.map.extents, disk.map.size);
  for (std::size_t i = 0; i < sectors.size(); ++i) {
    counts[std::string(name_of(view::kStatesOfMain[i]))] = sectors[i];
  }
  json ranges = json::array();
  for (const format::Extent& extent : disk.map.extents) {
    ranges.push_back({{"sector", extent.main().first.value},
                      {"count", extent.main().count.value},
                      {"state", name_of(extent.state())}});
  }
  return {{"name", disk.status.name},
          {"uuid", to_string(disk.status.uuid)},
          {"running", disk.running},
          {"doubtful", disk.status.doubtful},
          {"size_sectors", disk.map.size.value},
          {"sectors", counts},
          {"ranges", ranges}};
}

std::string state_text(const DiskView& disk) {
  return fmt::format("{}{}", fmt::join(disk.status.conditions, ", "),
                     disk.status.doubtful ? ", doubtful: a later table may be hidden" : "");
}

Result<void> write_picture(const DiskView& disk, view::PictureKind kind, const std::string& path) {
  const view::PictureTitle title{disk.status.name, to_string(disk.status.uuid), state_text(disk),
                                 format_time(system_clock().wall_ns()),
                                 verdict_line(disk.status.health)};
  const auto bytes = view::draw_picture(kind, title, disk.map.extents, disk.map.size);
  if (!bytes) return failure_of(bytes);
  return write_output(path, *bytes);
}

Result<void> write_pictures(const DiskView& disk, const Arguments& arguments) {
  const std::array<std::pair<view::PictureKind, const std::string&>, 2> asked{
      {{view::PictureKind::svg, arguments.svg}, {view::PictureKind::png, arguments.png}}};
  for (const auto& [kind, path] : asked) {
    if (path.empty()) continue;
    if (auto written = write_picture(disk, kind, path); !written) return written;
  }
  return {};
}

int run(const Arguments& arguments) {
  const auto report_it = [&](Error error) {
    if (error.where.empty()) error.where = arguments.name;
    return report(error, arguments.json);
  };
  for (const auto& [file, option] : {std::pair(arguments.svg, "--svg"), {arguments.png, "--png"}}) {
    if (auto fine = check_output(file, option, arguments.json); !fine) {
      return report_it(fine.error());
    }
  }
  const auto disk = view_of(arguments.name);
  if (!disk) return report_it(disk.error());
  if (auto written = write_pictures(*disk, arguments); !written) return report_it(written.error());
  if (arguments.json) {
    print_json(to_json(*disk));
  } else if (arguments.svg.empty() && arguments.png.empty()) {
    const std::string verdict = verdict_line(disk->status.health);
    fmt::print("{}: {}, {}\n{}{}\n{}", disk->status.name, state_text(*disk),
               view::size_text(disk->map.size), verdict, verdict.empty() ? "" : "\n",
               view::print_terminal_map(disk->map.extents, disk->map.size, form_of_terminal()));
  }
  return kDone;
}

manual::Prose prose() {
  return {.description = R"(
Draws the disk by the state of its sectors, as wide as the terminal, each character a run of sectors
and of the worst state in it, so that a single lost sector is seen on a disk of any size. Letters tell
the states apart, colour only adds to them, on a terminal and unless `NO_COLOR` is set. The verdict on
the disk stands above it, if there is one.
)",
          .examples = {{"dmremap map backup", "in the terminal"},
                       {"dmremap map backup --png backup.png", "a picture for a report"}},
          .exits = {{0, "it is drawn"},
                    {1, "failed: no such set is here, or the file cannot be written"},
                    {3, "refused: two devices hold the set"}},
          .json =
              "name, uuid, running, doubtful, size_sectors, sectors by state, ranges[] that are "
              "not good",
          .see_also = {"status", "explain", "files"}};
}

}  // namespace

void add_map(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb("map", "A picture of the disk by the state of its sectors");
  const auto arguments = std::make_shared<Arguments>();
  add_set_name(verb, arguments->name, "the set").required();
  verb.add_option("--svg", arguments->svg,
                  "write the picture to a file instead, as SVG; `-`: standard output")
      .type_name("FILE");
  verb.add_option("--png", arguments->png,
                  "write the picture to a file instead, as PNG; `-`: standard output")
      .type_name("FILE");
  verb.add_flag("--json", arguments->json, "JSON: counts, and the ranges that are not good");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
