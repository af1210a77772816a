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

bool has(const Status& status, std::string_view condition) {
  return std::find(status.conditions.begin(), status.conditions.end(), condition) !=
         status.conditions.end();
}

remap::TableCounts count_table(const format::Content& content) {
  remap::TableCounts out;
  out.extents = content.extents.size();
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
  for (const SectorRange& range : metadata::reserved_ranges(content.identity.spare.size)) {
    out.spare_capacity -= range.count.value;
  }
  out.spare_free = out.spare_capacity - out.remapped - out.spare_retired;
  return out;
}

// From the worst to the best: the state is the first that holds.
constexpr std::array<std::string_view, 5> kStates{"stopped", "tripped", "read-only", "degraded",
                                                  "healthy"};

}  // namespace

bool Status::needs_attention() const {
  return table.lost + table.gone > 0 || copies.good < copies.total || doubtful ||
         has(*this, "degraded") || has(*this, "read-only") || has(*this, "tripped");
}

void judge(Status& status, const remap::Conditions& engine, bool running) {
  const bool damaged = status.copies.good < status.copies.total;
  status.conditions.clear();
  const auto add_if = [&](bool holds, const char* condition) {
    if (holds) status.conditions.emplace_back(condition);
  };
  add_if(!running, "stopped");
  add_if(engine.tripped, "tripped");
  add_if(engine.read_only, "read-only");
  // A spare that can take no more means that the next bad sector fails its write.
  add_if(damaged || engine.spare_full || engine.table_full, "degraded");
  add_if(status.conditions.empty(), "healthy");
  for (const std::string_view state : kStates) {
    if (has(status, state)) {
      status.state = state;
      break;
    }
  }
  add_if(engine.spare_full, "spare-full");
  add_if(engine.table_full, "table-full");
  add_if(engine.spare_low && !engine.spare_full, "spare-low");

  status.spare_state = engine.spare_full  ? "spare-full"
                       : damaged          ? "degraded"
                       : engine.spare_low ? "spare-low"
                                          : "healthy";
  if (status.reason.empty()) status.reason = engine.reason;
  if (status.reason.empty() && damaged) {
    status.reason = std::to_string(status.copies.total - status.copies.good) + " of " +
                    std::to_string(status.copies.total) +
                    " metadata copies do not hold the latest commit";
  }
}

metadata::CopyCount count_copies(const metadata::Survey& survey) {
  return {survey.decision.holders.size(), format::kCopies};
}

Status stopped_status(const format::Content& content, const metadata::Survey& survey,
                      const std::string& main_path, const std::string& spare_path) {
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
  judge(out, {}, false);
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
