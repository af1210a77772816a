// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/messages.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "base/units.hpp"
#include "control/table_json.hpp"

namespace dmremap::control {

using nlohmann::json;

bool SetReport::has_condition(const std::string& condition) const {
  return std::ranges::find(conditions, condition) != conditions.end();
}

SpareRoom SetReport::spare_room() const {
  SpareRoom out;
  for (const SpareReport& spare : spares) {
    out.capacity += spare.capacity_sectors;
    out.free += spare.free_sectors;
    out.retired += spare.retired_sectors;
  }
  return out;
}

ScrubReport report_of(const set::ScannerStatus& scanner) {
  ScrubReport out;
  out.state = scanner.state;
  out.waits_for = scanner.waits_for;
  out.position_sectors = scanner.position;
  out.scanned_sectors = scanner.scanned;
  out.passes = scanner.passes;
  if (scanner.last_complete_s != 0) {
    out.last_complete = format_time(scanner.last_complete_s * kSecondNs);
  }
  out.found = {scanner.found.lost, scanner.found.recovered, scanner.found.slow,
               scanner.found.mended_slots};
  const health::FeltReport& felt = scanner.felt;
  out.felt_pairs = felt.pairs;
  out.slowdown = felt.slowdown;
  if (felt.enough) {
    out.felt = {felt.mean_percent, felt.low_percent, felt.high_percent, felt.p99_percent,
                felt.pairs};
  }
  return out;
}

SetReport report_of(const set::Status& status) {
  SetReport out;
  out.name = status.name;
  out.uuid = status.uuid;
  out.state = status.state;
  out.conditions = status.conditions;
  out.reason = status.reason;
  out.doubtful = status.doubtful;
  out.sequence = status.sequence;
  out.term = status.term;
  if (!status.run.is_nil()) out.run = status.run;
  out.size_sectors = status.size.value;
  out.remapped_sectors = status.table.remapped;
  out.lost_sectors = status.table.lost + status.table.gone;
  out.gone_sectors = status.table.gone;
  out.suspect_sectors = status.table.suspect;
  out.extents = status.table.extents;
  out.main = {status.main_path, status.main_read_errors, status.main_write_errors};
  for (const set::SpareStatus& spare : status.spares) {
    // There is but one, and what is counted of all is its own.
    out.spares.push_back({spare.path, spare.uuid, spare.state, status.table.spare_capacity,
                          status.table.spare_free, status.table.spare_retired,
                          spare.growable.value});
  }
  out.copies = {status.copies.good, status.copies.total};
  out.io = {status.io.reads, status.io.writes, status.io.flushes, status.io.remapped_reads,
            status.io.remapped_writes};
  out.needs_attention = status.needs_attention();
  if (status.scan) out.scrub = report_of(*status.scan);
  if (status.health) out.health = report_of(*status.health);
  return out;
}

EventReport report_of(const format::Event& event) {
  EventReport out;
  out.seq = event.number;
  out.time = format_time(event.wall_ns);
  out.severity = name_of(event.severity);
  out.kind = format::name_of(event.kind);
  if (!event.main.empty()) out.sector = event.main.first;
  out.count = event.main.count;
  out.text = event.text;
  return out;
}

SpareGrowReply report_of(const set::SpareGrowth& growth) {
  return {growth.path, growth.size_before, growth.size,          growth.capacity,
          growth.free, growth.entries,     growth.entry_capacity};
}

std::vector<EventReport> reports_of(const std::vector<format::Event>& events) {
  std::vector<EventReport> out;
  out.reserve(events.size());
  for (const format::Event& event : events) out.push_back(report_of(event));
  return out;
}

void to_json(json& out, const DiskMap& map) {
  out = {{"unit_sectors", map.unit},
         {"sequence", map.sequence},
         {"size_sectors", map.size},
         {"extents", extents_to_json(map.extents)},
         {"evidence", evidence_to_json(map.extents)},
         {"failing", failing_to_json(map.failing)}};
}

void from_json(const json& in, DiskMap& map) {
  in.at("unit_sectors").get_to(map.unit);
  in.at("sequence").get_to(map.sequence);
  in.at("size_sectors").get_to(map.size);
  const auto extents = extents_from_json(in.at("extents"));
  if (!extents) throw MalformedMessage("not a list of extents");
  auto whole = with_evidence(*extents, in.at("evidence"));
  if (!whole) throw MalformedMessage("not the evidence of the extents");
  auto failing = failing_from_json(in.at("failing"));
  if (!failing) throw MalformedMessage("not a list of failing places");
  if (map.unit.value == 0) throw MalformedMessage("a logical block without sectors");
  map.extents = std::move(*whole);
  map.failing = std::move(*failing);
}

Error RangeRequest::malformed() {
  return {ErrorCode::usage, "not a range", {}, "give SECTOR or SECTOR+COUNT"};
}

void to_json(json& out, const RangeRequest& request) {
  out = {{"first", request.range.first}, {"count", request.range.count}};
}

void from_json(const json& in, RangeRequest& request) {
  in.at("first").get_to(request.range.first);
  in.at("count").get_to(request.range.count);
  if (!is_on_a_disk(request.range)) throw MalformedMessage("not a range");
}

void to_json(json& out, const UnremapReply& reply) {
  out = {{"returned_sectors", reply.returned_sectors},
         {"kept_sectors", reply.kept_sectors},
         {"untouched_sectors", reply.untouched_sectors},
         {"first_kept_sector", reply.first_kept_sector},
         {"errno", reply.error}};
}

void from_json(const json& in, UnremapReply& reply) {
  in.at("returned_sectors").get_to(reply.returned_sectors);
  in.at("kept_sectors").get_to(reply.kept_sectors);
  in.at("untouched_sectors").get_to(reply.untouched_sectors);
  in.at("first_kept_sector").get_to(reply.first_kept_sector);
  in.at("errno").get_to(reply.error);
}

}  // namespace dmremap::control
