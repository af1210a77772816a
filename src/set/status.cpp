// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/status.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/clock.hpp"

namespace dmremap::set {

namespace {

constexpr int kJsonVersion = 1;

remap::TableCounts count_table(const format::Content& content) {
  remap::TableCounts out;
  out.extents = content.extents.size();
  out.entries = content.extents.size() + content.retired.size();
  out.entry_capacity = metadata::table_capacity(content);
  for (const format::Extent& extent : content.extents) {
    const std::uint64_t sectors = extent.main().count.value;
    switch (extent.state()) {
      case format::State::remapped:
        out.remapped += sectors;
        break;
      case format::State::lost:
        out.lost += sectors;
        break;
      case format::State::gone:
        out.gone += sectors;
        break;
      case format::State::suspect:
        out.suspect += sectors;
        break;
      case format::State::good:
      case format::State::retired:
        break;
    }
  }
  for (const format::Extent& extent : content.retired) {
    out.spare_retired += extent.spare().count.value;
  }
  out.spare_capacity = content.identity.spare.size.value;
  for (const SectorRange& range : format::reserved_ranges(content.identity.spare.size)) {
    out.spare_capacity -= range.count.value;
  }
  out.spare_free = out.spare_capacity - out.remapped - out.spare_retired;
  return out;
}

// The worst condition that concerns the spare.
std::string_view spare_state_of(const std::vector<ConditionReport>& conditions) {
  constexpr std::array kOfSpare{Condition::spare_away, Condition::spare_refuses,
                                Condition::spare_full, Condition::degraded, Condition::spare_low};
  for (const Condition one : kOfSpare) {
    if (std::ranges::find(conditions, one, &ConditionReport::condition) != conditions.end()) {
      return name_of(one);
    }
  }
  return "healthy";
}

}  // namespace

bool Status::needs_attention() const {
  return doubtful || set::needs_attention(reports);
}

void judge(Status& status, const remap::Conditions& engine, bool running, const HostView& host) {
  status.reports =
      conditions_of({running, host.death, host.main_absence, engine, status.table, status.copies});
  status.state = state_of(status.reports);
  status.conditions = {status.state};
  for (const ConditionReport& report : status.reports) {
    const std::string_view word = name_of(report.condition);
    if (word != status.state) status.conditions.emplace_back(word);
    if (report.text.empty()) continue;
    status.reason += (status.reason.empty() ? "" : "; ") + report.text;
  }
  status.spare_state = spare_state_of(status.reports);
}

metadata::CopyCount count_copies(const metadata::Survey& survey) {
  return {survey.decision.holders.size(), format::kCopies};
}

Status stopped_status(const format::Content& content, const metadata::Survey& survey,
                      const std::string& main_path, const std::string& spare_path,
                      const HostView& host) {
  Status out;
  out.name = content.identity.name;
  out.uuid = content.identity.set_uuid;
  out.doubtful = !survey.decision.writable();
  if (out.doubtful) out.reason = survey.reason;
  if (survey.decision.winner) {
    out.sequence = survey.decision.winner->sequence;
    out.term = survey.decision.winner->term;
  }
  out.size = content.identity.main.size;
  out.table = count_table(content);
  out.copies = count_copies(survey);
  out.main_path = main_path;
  out.spare_path = spare_path;
  out.spare_uuid = content.identity.spare_uuid;
  out.main_read_errors = content.health.main_read_errors;
  out.main_write_errors = content.health.main_write_errors;
  judge(out, {}, false, host);
  return out;
}

nlohmann::json to_json(const Status& status) {
  nlohmann::json out;
  out["json_version"] = kJsonVersion;
  out["name"] = status.name;
  out["uuid"] = to_string(status.uuid);
  out["state"] = status.state;
  out["conditions"] = status.conditions;
  out["reason"] = status.reason;
  out["doubtful"] = status.doubtful;
  out["sequence"] = status.sequence;
  out["term"] = status.term;
  out["run"] = status.run == Uuid{} ? nlohmann::json() : nlohmann::json(to_string(status.run));
  out["size_sectors"] = status.size.value;
  out["remapped_sectors"] = status.table.remapped;
  out["lost_sectors"] = status.table.lost + status.table.gone;
  out["gone_sectors"] = status.table.gone;
  out["suspect_sectors"] = status.table.suspect;
  out["extents"] = status.table.extents;
  out["main"] = {{"path", status.main_path},
                 {"read_errors", status.main_read_errors},
                 {"write_errors", status.main_write_errors}};
  out["spares"] = nlohmann::json::array({{{"path", status.spare_path},
                                          {"uuid", to_string(status.spare_uuid)},
                                          {"state", status.spare_state},
                                          {"capacity_sectors", status.table.spare_capacity},
                                          {"free_sectors", status.table.spare_free},
                                          {"retired_sectors", status.table.spare_retired}}});
  out["copies"] = {{"good", status.copies.good}, {"total", status.copies.total}};
  out["io"] = {{"reads", status.io.reads},
               {"writes", status.io.writes},
               {"flushes", status.io.flushes},
               {"remapped_reads", status.io.remapped_reads},
               {"remapped_writes", status.io.remapped_writes}};
  out["needs_attention"] = status.needs_attention();
  return out;
}

nlohmann::json to_json(const format::Event& event) {
  nlohmann::json out;
  out["seq"] = event.number;
  out["time"] = format_time(event.wall_ns);
  out["severity"] = name_of(event.severity);
  out["kind"] = format::name_of(event.kind);
  // An event that concerns no sector has count 0 and no sector.
  out["sector"] = event.main.empty() ? nlohmann::json() : nlohmann::json(event.main.first.value);
  out["count"] = event.main.count.value;
  out["text"] = event.text;
  return out;
}

}  // namespace dmremap::set
