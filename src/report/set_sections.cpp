// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "base/size_text.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"
#include "view/disk_caption.hpp"

namespace dmremap::report {

namespace {

constexpr std::size_t kEvents = 50;

std::string code(const std::string& text) {
  if (text.empty()) return "not known";
  return "<code>" + isolated(text) + "</code>";
}

std::string sectors(std::uint64_t count) {
  return fmt::format("{} sectors, {}", count, size_text({count}));
}

// The drive's word for itself, as far as it was asked.
std::string drive_html(const control::SmartReport& smart) {
  FactTable facts("What the drive says of itself (SMART)");
  std::string state = escape(smart.state);
  if (!smart.reason.empty()) state += ": " + isolated(smart.reason);
  facts.add("Answer", state + (smart.believed ? ", believed" : ", not believed"));
  if (smart.asked) facts.add("Asked", time_element(*smart.asked));
  const auto seconds = [](double value) {
    return value == 0 ? std::string("as long as it likes") : fmt::format("{:g} s", value);
  };
  if (smart.read_recovery_s) facts.add("Tries a read for", seconds(*smart.read_recovery_s));
  if (smart.write_recovery_s) facts.add("Tries a write for", seconds(*smart.write_recovery_s));
  if (smart.kernel_timeout_s) {
    facts.add("The kernel waits", fmt::format("{} s", *smart.kernel_timeout_s));
  }
  if (!smart.advice.empty()) facts.add("Advice", isolated(smart.advice));
  return facts.html();
}

std::string exports_html(const control::SetReport& set) {
  Table table("Where it is served", {{"Kind"}, {"Where"}, {"Stable name"}});
  for (const control::ExportReport& one : set.exports) {
    table.add_row({escape(one.kind), code(one.where), one.stable ? code(*one.stable) : "none"});
  }
  return table.empty() ? std::string() : table.html();
}

std::string main_html(const ReportFacts& facts) {
  const control::SetReport& set = facts.set;
  FactTable main("The disk (main)");
  main.add("Path", code(set.main.path));
  if (!facts.disk.model.empty()) main.add("Model", isolated(facts.disk.model));
  if (!facts.disk.serial.empty()) main.add("Serial number", isolated(facts.disk.serial));
  if (!facts.disk.file_system.empty()) {
    main.add("File system", isolated(facts.disk.file_system));
  }
  for (const view::Partition& partition : facts.disk.partitions) {
    main.add(fmt::format("Partition {}", partition.number),
             isolated(fmt::format("{}+{}, {}{}{}", partition.range.first.value,
                                  partition.range.count.value, size_text(partition.range.count),
                                  partition.holds.empty() ? "" : ", ", partition.holds)));
  }
  main.add("Size", sectors(set.size_sectors));
  main.add("Errors", fmt::format("{} reads and {} writes failed, over the life of the set",
                                 set.main.read_errors, set.main.write_errors));
  return main.html();
}

std::string spares_html(const control::SetReport& set) {
  std::string out;
  for (std::size_t i = 0; i < set.spares.size(); ++i) {
    const control::SpareReport& spare = set.spares[i];
    FactTable facts(set.spares.size() == 1 ? "The spare" : fmt::format("Spare {}", i));
    facts.add("Path", code(spare.path));
    facts.add("State", escape(spare.state));
    facts.add("UUID", code(to_string(spare.uuid)));
    facts.add("Room", sectors(spare.capacity_sectors));
    facts.add("Free", sectors(spare.free_sectors));
    facts.add("Given up", sectors(spare.retired_sectors));
    out += facts.html();
  }
  return out;
}

std::string identity_html(const ReportFacts& facts) {
  const control::SetReport& set = facts.set;
  FactTable out("The set");
  out.add("Name", isolated(set.name));
  out.add("UUID", code(to_string(set.uuid)));
  if (set.pid) out.add("Process", std::to_string(*set.pid));
  out.add("Runs", facts.running ? "yes" : "no");
  if (facts.running) {
    out.add("Reads",
            fmt::format("{}, {} of them from the spare", set.io.reads, set.io.remapped_reads));
    out.add("Writes",
            fmt::format("{}, {} of them to the spare", set.io.writes, set.io.remapped_writes));
    out.add("Flushes", std::to_string(set.io.flushes));
  }
  return out.html();
}

std::string felt_text(const std::optional<control::ScrubFeltReport>& felt) {
  if (!felt) return "not measured";
  return fmt::format("mean {:+.1f} %, 99th percentile {:+.1f} %, over {} pairs of windows",
                     felt->mean, felt->p99, felt->pairs);
}

}  // namespace

std::string scan_html(const ReportFacts& facts) {
  const auto& scrub = facts.set.scrub;
  if (!scrub) {
    return section("scan", "The scan",
                   "<p class=\"none\">No scan runs: the set is stopped or read-only.</p>\n");
  }
  const std::uint64_t size = facts.set.size_sectors;
  const double share =
      size == 0
          ? 1
          : std::min(static_cast<double>(scrub->scanned_sectors.value) / static_cast<double>(size),
                     1.0);
  FactTable table("The reading of the whole disk in the background");
  std::string state = escape(scrub->state);
  if (!scrub->waits_for.empty()) state += " for " + escape(scrub->waits_for);
  table.add("State", state);
  table.add("This pass", fmt::format("{:.1f} % read, {} of {}", share * 100,
                                     size_text(scrub->scanned_sectors), size_text({size})));
  table.add("Position", fmt::format("sector {}", scrub->position_sectors.value));
  table.add("Complete passes", std::to_string(scrub->passes));
  table.add("Last complete",
            scrub->last_complete ? time_element(*scrub->last_complete) : std::string("never"));
  table.add("Found", fmt::format("{} lost, {} recovered, {} slow sectors; {} mended slots of the "
                                 "metadata",
                                 scrub->found.lost, scrub->found.recovered, scrub->found.slow,
                                 scrub->found.mended_slots));
  table.add("Felt by others", felt_text(scrub->felt));
  const std::string bar = fmt::format(
      "<svg class=\"progress\" viewBox=\"0 0 400 10\" preserveAspectRatio=\"none\" role=\"img\" "
      "aria-label=\"{0:.1f} % of this pass read\"><rect class=\"scale\" width=\"400\" "
      "height=\"10\"/><rect class=\"done\" width=\"{1:.1f}\" height=\"10\"/></svg>\n",
      share * 100, share * 400);
  return section("scan", "The scan", bar + table.html());
}

std::string devices_html(const ReportFacts& facts) {
  const control::SetReport& set = facts.set;
  std::string out =
      "<div class=\"pair\">" + main_html(facts) + spares_html(set) + identity_html(facts);
  if (set.health && set.health->smart) out += drive_html(*set.health->smart);
  return section("devices", "Devices and identity", out + "</div>\n" + exports_html(set));
}

std::string metadata_html(const ReportFacts& facts) {
  const control::SetReport& set = facts.set;
  const bool whole = set.copies.good == set.copies.total;
  std::string out = "<p class=\"copies\">";
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(set.copies.total, 64); ++i) {
    out += i < set.copies.good ? "<span class=\"copy\" aria-hidden=\"true\">\u2713</span>"
                               : "<span class=\"copy bad\" aria-hidden=\"true\">\u2717</span>";
  }
  out += fmt::format("{} of {} copies hold the last commit{}.</p>\n", set.copies.good,
                     set.copies.total, whole ? "" : "; the others are damaged");
  FactTable table("The last commit");
  table.add("Commit", std::to_string(set.sequence));
  table.add("Term", std::to_string(set.term));
  table.add("Table", counted(set.extents, "extent"));
  table.add("Doubtful", set.doubtful ? "yes: a later commit may be hidden" : "no");
  return section("metadata", "Metadata", out + table.html());
}

std::string events_html(const ReportFacts& facts) {
  if (facts.events.empty()) {
    return section("events", "Events", "<p class=\"none\">None are recorded.</p>\n");
  }
  const std::size_t count = std::min(facts.events.size(), kEvents);
  Table table(fmt::format("The last {}, the newest first; times are UTC", counted(count, "event")),
              {{"Time"}, {"Event"}, {"What"}}, "events");
  for (std::size_t i = 0; i < count; ++i) {
    const control::EventReport& event = facts.events[facts.events.size() - 1 - i];
    std::string what;
    if (event.sector) {
      what = fmt::format("sector {}", event.sector->value);
      if (event.count.value != 1) what += fmt::format(", {}", counted(event.count.value, "sector"));
    }
    if (!event.text.empty()) what += (what.empty() ? "" : ": ") + isolated(event.text);
    const bool known = event.severity == "warning" || event.severity == "error";
    table.add_row({time_element(event.time),
                   fmt::format("<span class=\"event {}\">{}</span>{}",
                               known ? event.severity : "info", escape(event.kind),
                               event.severity == "info" ? ""
                                                        : " <span class=\"severity\">" +
                                                              escape(event.severity) + "</span>"),
                   what});
  }
  return section("events", "Events", table.html());
}

std::string footer_html(const ReportFacts& facts) {
  std::string out =
      fmt::format("<footer>\n<p>Made {} by {}", time_element(facts.made_at), escape(facts.made_by));
  if (!facts.host.empty()) out += " on " + isolated(facts.host);
  return out +
         fmt::format(
             ", of a set that {}. A sector is 512 bytes. This page is whole in itself: it runs no "
             "script and fetches nothing.</p>\n</footer>\n",
             facts.running ? "runs" : "was stopped");
}

}  // namespace dmremap::report
