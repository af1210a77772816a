// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/disk_map.hpp"

#include "cli/lookup.hpp"
#include "control/protocol.hpp"
#include "control/table_json.hpp"

namespace dmremap::cli {

Result<DiskMapSeen> disk_map_of(control::Client& client, const std::string& name) {
  const auto answer = client.call(control::make_request("extents"), kAnswerTime);
  if (!answer) return tl::unexpected(answer.error());
  const auto number = [&](const char* field) { return answer->value(field, std::uint64_t{0}); };
  auto extents = control::extents_from_json(answer->value("extents", nlohmann::json()));
  DiskMapSeen out;
  out.disk.size = {number("size_sectors")};
  out.disk.unit = {number("unit_sectors")};
  out.sequence = number("sequence");
  if (!extents || out.disk.unit.value == 0) {
    return fail(ErrorCode::protocol, "the answer is not of this protocol", name,
                "use the dmremap that started the set");
  }
  out.disk.extents = std::move(*extents);
  return out;
}

}  // namespace dmremap::cli
