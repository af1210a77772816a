// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/disk_view.hpp"

#include <algorithm>

#include "cli/common/lookup.hpp"
#include "control/protocol.hpp"
#include "control/table_json.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

std::string text_in(const json& object, const char* field) {
  const auto at = object.find(field);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

Error other_version(const std::string& name) {
  return {ErrorCode::protocol, "runs under another version of dm-remap, which does not say this",
          name, "stop it and start it again, or use the dmremap that started it"};
}

Result<json> ask_extents(const control::RuntimeDir& runtime, const std::string& name) {
  auto client = connect(runtime, name);
  if (!client) return tl::unexpected(client.error());
  return client->call(control::make_request("extents"), kAnswerTime);
}

Result<control::DiskMap> map_in(const json& answer, const std::string& name) {
  auto extents = control::extents_from_json(answer.value("extents", json()));
  if (!extents) {
    return fail(ErrorCode::protocol, "the answer is not of this protocol", name,
                "use the dmremap that started the set");
  }
  const auto number = [&](const char* field) { return answer.value(field, std::uint64_t{0}); };
  return control::DiskMap{{number("size_sectors")},
                          std::move(*extents),
                          {number("unit_sectors")},
                          number("sequence"),
                          {}};
}

Result<control::DiskMap> map_of_running(const control::RuntimeDir& runtime,
                                        const std::string& name) {
  const auto answer = ask_extents(runtime, name);
  if (!answer) return tl::unexpected(answer.error());
  return map_in(*answer, name);
}

Result<DiskView> running_view(const control::RuntimeDir& runtime, const std::string& name) {
  // The table first: what it says is in force by the time of the status.
  const auto answer = ask_extents(runtime, name);
  if (!answer) return tl::unexpected(answer.error());
  auto map = map_in(*answer, name);
  if (!map) return tl::unexpected(map.error());
  auto whole = control::with_evidence(map->extents, answer->value("evidence", json()));
  if (!whole) return tl::unexpected(other_version(name));
  map->extents = std::move(*whole);
  map->failing = control::failing_from_json(answer->value("failing", json()));
  auto status = running_status(runtime, name);
  if (!status) return tl::unexpected(status.error());
  return DiskView{std::move(*status), std::move(*map), true};
}

Result<discovery::Spare> stopped_spare(const control::RuntimeDir& runtime,
                                       const std::string& name) {
  auto spare = stopped_set(runtime, name);
  if (spare && !spare->survey.content) {
    return fail(ErrorCode::no_metadata, "no whole commit is left in its metadata", spare->path,
                "look with `dmremap examine`");
  }
  return spare;
}

control::DiskMap map_in(const discovery::Spare& spare) {
  return {spare.identity().main.size, spare.survey.content->extents, {1}, 0, {}};
}

}  // namespace

std::string DiskView::text(const char* field) const {
  return text_in(status, field);
}
bool DiskView::doubtful() const {
  return status.value("doubtful", false);
}
std::string DiskView::main_path() const {
  return text_in(status.value("main", json::object()), "path");
}
std::string DiskView::spare_path() const {
  const json spares = status.value("spares", json::array());
  return spares.empty() ? std::string() : text_in(spares.front(), "path");
}
bool DiskView::has_condition(const char* condition) const {
  const json conditions = status.value("conditions", json::array());
  return std::ranges::find(conditions, json(condition)) != conditions.end();
}

Result<DiskView> view_of(const std::string& name) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return tl::unexpected(runtime.error());
  if (is_running(*runtime, name)) return running_view(*runtime, name);
  const auto spare = stopped_spare(*runtime, name);
  if (!spare) return tl::unexpected(spare.error());
  return DiskView{status_json(*runtime, *spare), map_in(*spare), false};
}

Result<control::DiskMap> disk_map_of(const std::string& name) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return tl::unexpected(runtime.error());
  if (is_running(*runtime, name)) return map_of_running(*runtime, name);
  const auto spare = stopped_spare(*runtime, name);
  if (!spare) return tl::unexpected(spare.error());
  return map_in(*spare);
}

Result<control::DiskMap> running_map(const control::RuntimeDir& runtime, const std::string& name) {
  auto map = map_of_running(runtime, name);
  if (map && map->unit.value == 0) return tl::unexpected(other_version(name));
  return map;
}

view::Situation situation_of(const DiskView& disk) {
  view::Situation out;
  out.running = disk.running;
  out.read_only = disk.has_condition("read-only");
  out.tripped = disk.has_condition("tripped");
  out.spare_full = disk.has_condition("spare-full");
  out.table_full = disk.has_condition("table-full");
  out.sequence = disk.status.value("sequence", std::uint64_t{0});
  return out;
}

}  // namespace dmremap::cli
