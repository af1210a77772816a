// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/disk_view.hpp"

#include <utility>

#include "cli/common/lookup.hpp"
#include "control/client.hpp"

namespace dmremap::cli {

namespace {

Result<control::DiskMap> map_of_running(const control::RuntimeDir& runtime,
                                        const std::string& name) {
  auto client = connect(runtime, name);
  if (!client) return failure_of(client);
  auto map = client->call(control::ExtentsRequest{}, kAnswerTime);
  if (map || !map.error().where.empty()) return map;
  Error error = map.error();
  error.where = name;
  return tl::unexpected(std::move(error));
}

Result<DiskView> running_view(const control::RuntimeDir& runtime, const std::string& name) {
  // The table is read before the status, so that everything in it is in force by the time of the
  // status.
  auto map = map_of_running(runtime, name);
  if (!map) return failure_of(map);
  auto status = running_status(runtime, name);
  if (!status) return failure_of(status);
  return DiskView{std::move(*status), std::move(*map), true, {}};
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

std::string DiskView::spare_path() const {
  return status.spares.empty() ? std::string() : status.spares.front().path;
}

Result<DiskView> view_of(const std::string& name) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  if (is_running(*runtime, name)) return running_view(*runtime, name);
  const auto spare = stopped_spare(*runtime, name);
  if (!spare) return failure_of(spare);
  return DiskView{stopped_report(*runtime, *spare), map_in(*spare), false, spare->identity().main};
}

Result<control::DiskMap> disk_map_of(const std::string& name) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  if (is_running(*runtime, name)) return map_of_running(*runtime, name);
  const auto spare = stopped_spare(*runtime, name);
  if (!spare) return failure_of(spare);
  return map_in(*spare);
}

Result<control::DiskMap> running_map(const control::RuntimeDir& runtime, const std::string& name) {
  return map_of_running(runtime, name);
}

view::Situation situation_of(const DiskView& disk) {
  view::Situation out;
  out.running = disk.running;
  out.read_only = disk.status.has_condition("read-only");
  out.tripped = disk.status.has_condition("tripped");
  out.spare_full = disk.status.has_condition("spare-full");
  out.table_full = disk.status.has_condition("table-full");
  out.sequence = disk.status.sequence;
  return out;
}

}  // namespace dmremap::cli
