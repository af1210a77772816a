// SPDX-License-Identifier: GPL-2.0-or-later
// The life of one served disk, from the mount to its end, and the requests it answers meanwhile.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.hpp"
#include "disk.hpp"
#include "front.hpp"

namespace dmremap::lab {

struct ServeOptions {
  std::string image;
  std::string mountfile;         // absolute
  std::vector<FaultRun> faults;  // from the start
  FrontKind front = FrontKind::file;
};

// Serves until the disk is taken away, stopped or a signal ends it (SIGTERM, SIGINT, SIGHUP).
// `ready` is called once every command works; its error ends the service.
[[nodiscard]] Result<void> serve(
    const ServeOptions& options,
    const std::function<Result<void>(const Disk&, const Front&)>& ready);

// One request on a disk (fault, clear, unplug, replug, mode, cache, flushes, show). Any thread.
[[nodiscard]] Result<nlohmann::json> answer_request(Disk& disk, const std::string& mountfile,
                                                    const nlohmann::json& request);

// Runs as fault_map's runs in JSON, `faults[]{sector,count,kinds[]}`, and back.
[[nodiscard]] nlohmann::json faults_to_json(const std::vector<FaultRun>& runs);
[[nodiscard]] Result<std::vector<FaultRun>> faults_from_json(const nlohmann::json& value);

}  // namespace dmremap::lab
