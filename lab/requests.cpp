// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "fault_text.hpp"
#include "flush_fault.hpp"
#include "service.hpp"

namespace dmremap::lab {

namespace {

using nlohmann::json;

json to_json(const Counts& counts) {
  return {{"reads", counts.reads},
          {"writes", counts.writes},
          {"zeroes", counts.zeroes},
          {"flushes", counts.flushes},
          {"failed_reads", counts.failed_reads},
          {"failed_writes", counts.failed_writes},
          {"failed_zeroes", counts.failed_zeroes},
          {"failed_flushes", counts.failed_flushes},
          {"delayed", counts.delayed}};
}

json show(const Disk& disk, const std::string& mountfile) {
  return {{"json_version", 1},
          {"image", disk.image()},
          {"mountfile", mountfile},
          {"size_sectors", disk.size().value},
          {"unplugged", disk.unplugged()},
          {"mode", print_mode(disk.mode())},
          {"cache", disk.volatile_cache() ? "volatile" : "none"},
          {"flushes", print_flush_fault(disk.flush_fault())},
          {"faults", faults_to_json(disk.faults())},
          {"counts", to_json(disk.counts())}};
}

SectorRange range_of(const json& value) {
  return {{value.at("sector").get<std::uint64_t>()}, {value.at("count").get<std::uint64_t>()}};
}

}  // namespace

json faults_to_json(const std::vector<FaultRun>& runs) {
  json out = json::array();
  for (const FaultRun& run : runs) {
    out.push_back({{"sector", run.range.first.value},
                   {"count", run.range.count.value},
                   {"kinds", kinds_of(run.fault)}});
  }
  return out;
}

Result<std::vector<FaultRun>> faults_from_json(const json& value) {
  std::vector<FaultRun> out;
  for (const json& run : value) {
    const auto kinds = run.at("kinds").get<std::vector<std::string>>();
    const auto fault = parse_kinds(fmt::format("{}", fmt::join(kinds, "+")));
    if (!fault) return failure_of(fault);
    out.push_back({range_of(run), *fault});
  }
  return out;
}

Result<json> answer_request(Disk& disk, const std::string& mountfile, const json& request) {
  const auto op = request.at("op").get<std::string>();
  Result<void> done{};
  if (op == "show") return show(disk, mountfile);
  if (op == "fault") {
    const auto faults = faults_from_json(request.at("faults"));
    if (!faults) return failure_of(faults);
    done = disk.add_faults(*faults);
  } else if (op == "clear" && request.contains("sector")) {
    done = disk.clear(range_of(request));
  } else if (op == "clear") {
    disk.clear();
  } else if (op == "unplug" || op == "replug") {
    disk.set_unplugged(op == "unplug");
  } else if (op == "mode") {
    const auto mode = parse_mode(request.at("mode").get<std::string>());
    if (!mode) return failure_of(mode);
    disk.set_mode(*mode);
  } else if (op == "cache") {
    done = disk.set_volatile_cache(request.at("volatile").get<bool>());
  } else if (op == "flushes") {
    const auto fault = parse_flush_fault(request.at("end").get<std::string>());
    if (!fault) return failure_of(fault);
    disk.set_flush_fault(*fault);
  } else {
    done = fail(ErrorCode::protocol, fmt::format("no such request: {}", op), mountfile);
  }
  if (!done) return failure_of(done);
  return json::object();
}

}  // namespace dmremap::lab
