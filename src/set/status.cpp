// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/status.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "set/disk_health.hpp"
#include "set/kept_sections.hpp"

namespace dmremap::set {

namespace {

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
  out.spare_size = format::usable_spare_size(content).value;
  out.spare_capacity = out.spare_size;
  for (const SectorRange& range :
       format::reserved_ranges(content.identity.spare.size, {out.spare_size})) {
    out.spare_capacity -= range.count.value;
  }
  out.spare_free = out.spare_capacity - out.remapped - out.spare_retired;
  return out;
}

// The worst condition that concerns the spare.
std::string_view spare_state_of(const Status& status) {
  constexpr std::array kOfSpare{Condition::spare_away, Condition::spare_refuses,
                                Condition::spare_full, Condition::degraded, Condition::spare_low};
  for (const Condition one : kOfSpare) {
    // A set may be degraded for what is no matter of the spare's.
    if (one == Condition::degraded && status.copies.good == status.copies.total) continue;
    if (std::ranges::find(status.reports, one, &ConditionReport::condition) !=
        status.reports.end()) {
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
  status.reports = conditions_of({running, host.death, host.main_absence, engine, status.table,
                                  status.copies, host.export_trouble});
  status.state = state_of(status.reports);
  status.conditions = {status.state};
  for (const ConditionReport& report : status.reports) {
    const std::string_view word = name_of(report.condition);
    if (word != status.state) status.conditions.emplace_back(word);
    if (report.text.empty()) continue;
    status.reason += (status.reason.empty() ? "" : "; ") + report.text;
  }
  // No condition tells one spare from another.
  for (SpareStatus& spare : status.spares) spare.state = spare_state_of(status);
}

metadata::CopyCount count_copies(const metadata::Survey& survey) {
  return {survey.decision.holders.size(), format::kCopies};
}

namespace {

// All but the state of the disk's health and the conditions.
Status stopped_facts(const format::Content& content, const metadata::Survey& survey) {
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
  out.main_read_errors = content.health.main_read_errors;
  out.main_write_errors = content.health.main_write_errors;
  return out;
}

}  // namespace

Status stopped_status(const format::Content& content, const metadata::Survey& survey,
                      const std::string& main_path, const std::string& spare_path,
                      const HostView& host) {
  Status out = stopped_facts(content, survey);
  out.main_path = main_path;
  out.spares = {{spare_path, content.identity.spare_uuid, {}}};
  if (const auto stored = stored_disk_history(content)) {
    out.health = health_of_stopped(*stored, out.table, content.identity.main);
  }
  judge(out, {}, false, host);
  return out;
}

std::vector<ConditionReport> stopped_conditions(const format::Content& content,
                                                const metadata::Survey& survey) {
  Status out = stopped_facts(content, survey);
  out.spares = {{{}, content.identity.spare_uuid, {}}};
  judge(out, {}, false, {});
  return out.reports;
}

}  // namespace dmremap::set
