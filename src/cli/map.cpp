// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>
#include <cstdlib>
#include <memory>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/parse.hpp"
#include "cli/common/disk_view.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/map_facts.hpp"
#include "cli/common/output.hpp"
#include "cli/common/streams.hpp"
#include "cli/common/verb.hpp"
#include "os/locale.hpp"
#include "view/cells.hpp"
#include "view/picture.hpp"
#include "view/terminal_map.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

constexpr unsigned kColumns = 80;
constexpr std::uint64_t kWidest = 1000;

struct Arguments {
  std::string name;
  std::string svg;
  std::string png;
  std::string region;
  bool json = false;
};

// COLUMNS goes before the size of the terminal: a user who sets it wants that width, in a file too.
view::TerminalForm form_of_terminal(const view::MapFacts& facts) {
  view::TerminalForm out{.columns = kColumns};
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  winsize window{};
  const bool sized = terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0;
  if (sized && window.ws_col > 0) out.columns = window.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const auto given = parse_number(columns != nullptr ? columns : "");
  if (given && *given > 0 && *given <= kWidest) out.columns = static_cast<unsigned>(*given);
  const char* no_color = std::getenv("NO_COLOR");
  out.color = terminal && (no_color == nullptr || *no_color == '\0');
  out.ascii = !os::shows_utf8();
  // The prompt has the last line.
  return sized && window.ws_row > 0 ? view::fitted(facts, window.ws_row - 1U, out) : out;
}

json to_json(const DiskView& disk, const view::MapFacts& facts) {
  json counts = json::object();
  const auto sectors = view::count_states(facts.extents, facts.shown);
  for (std::size_t i = 0; i < sectors.size(); ++i) {
    counts[std::string(name_of(view::kStatesOfMain[i]))] = sectors[i];
  }
  json ranges = json::array();
  for (const format::Extent& extent : facts.extents) {
    const SectorRange part = extent.main().intersect(facts.shown);
    if (part.empty()) continue;
    ranges.push_back({{"sector", part.first.value},
                      {"count", part.count.value},
                      {"state", name_of(extent.state())}});
  }
  json out{{"name", disk.status.name},
           {"uuid", to_string(disk.status.uuid)},
           {"running", disk.running},
           {"doubtful", disk.status.doubtful},
           {"size_sectors", disk.map.size.value},
           {"sectors", counts},
           {"ranges", ranges}};
  if (!facts.is_whole()) {
    out["region"] = {{"sector", facts.shown.first.value}, {"count", facts.shown.count.value}};
  }
  return out;
}

Result<void> write_pictures(const view::MapFacts& facts, const Arguments& arguments) {
  const std::array<std::pair<view::PictureKind, const std::string&>, 2> asked{
      {{view::PictureKind::svg, arguments.svg}, {view::PictureKind::png, arguments.png}}};
  for (const auto& [kind, path] : asked) {
    if (path.empty()) continue;
    const auto bytes = view::draw_picture(kind, facts);
    if (!bytes) return failure_of(bytes);
    if (auto written = write_output(path, *bytes); !written) return written;
  }
  return {};
}

// The part of the disk to be shown. It may reach beyond the end: nobody counts the last sectors.
Result<SectorRange> region_of(const Arguments& arguments, SectorCount size) {
  const SectorRange whole{{0}, size};
  if (arguments.region.empty()) return whole;
  const auto range = parse_range(arguments.region);
  if (!range) return failure_of(range);
  const SectorRange shown = range->intersect(whole);
  if (shown.empty()) {
    return fail(ErrorCode::usage, fmt::format("the disk ends at sector {}", size.value),
                "--region");
  }
  return shown;
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
  view::MapFacts facts = map_facts(*disk);
  const auto shown = region_of(arguments, facts.size);
  if (!shown) return report_it(shown.error());
  facts.shown = *shown;
  if (auto written = write_pictures(facts, arguments); !written) return report_it(written.error());
  if (arguments.json) {
    print_json(to_json(*disk, facts));
  } else if (arguments.svg.empty() && arguments.png.empty()) {
    fmt::print("{}", view::print_terminal_map(facts, form_of_terminal(facts)));
  }
  return kDone;
}

manual::Prose prose() {
  return {
      .description = R"(
Draws the disk by the state of its sectors, each character or square a run of sectors and of the worst
state in it, so that a single lost sector is seen on a disk of any size. Two characters of a state, or
how much of a square is coloured, tell a few sectors from most of them. Around it stand in words what
was lost, which disk it is, how full the spare is, where partitions begin, and which sectors cannot be
read.

In the terminal it is as wide and as high as the window. Letters tell the states apart, colour only
adds to them, on a terminal and unless `NO_COLOR` is set; in a locale without UTF-8 (`LC_ALL=C`) it is
ASCII. In an SVG each square says what it is when the pointer rests on it. Model, serial number, labels
of file systems and partitions are what the kernel and udev know: the disk is not read.
)",
      .examples = {{"dmremap map backup", "in the terminal"},
                   {"dmremap map backup --png backup.png", "a picture for a report"},
                   {"dmremap map backup --region 1850000000+500000", "a part of it"}},
      .exits = {{0, "it is drawn"},
                {1, "failed: no such set is here, or the file cannot be written"},
                {3, "refused: two devices hold the set"}},
      .json =
          "name, uuid, running, doubtful, size_sectors, region if one was asked for, sectors by "
          "state, ranges[] that are not good",
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
  verb.add_option(
          "--region", arguments->region,
          "show only these sectors: START+COUNT or FIRST-LAST, of 512 bytes, or bytes with a unit")
      .type_name("RANGE");
  verb.add_flag("--json", arguments->json, "JSON: counts, and the ranges that are not good");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
