// SPDX-License-Identifier: GPL-2.0-or-later
// What a boot waits for because of a set: file systems that systemd is to mount from its device.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "claims/claim.hpp"
#include "os/program_run.hpp"

namespace dmremap::cli {

// The units of the devices by which a file system on the set may be named in /etc/fstab, as far as
// the claim tells: the stable link and its first partitions, the UUID and the label of main's file
// system, and the links that the set's device and its partitions had when it was last served.
[[nodiscard]] std::vector<std::string> device_units_of(const claims::Claim& claim);

// The numbers of the jobs that wait for one of these units, from the output of
// `systemctl list-jobs --no-legend`.
[[nodiscard]] std::vector<std::string> jobs_for(const std::string& list,
                                                const std::vector<std::string>& units);

// Has the mounts that wait for the device of the set fail now: systemd would wait on, for 90 s or
// what the mount says. A mount that is asked for later waits anew. Without systemd nothing happens.
void fail_waiting_mounts(const claims::Claim& claim);

// The same, with systemctl as a function of its arguments. It is asked again if it does not answer.
// Returns what it said if the jobs could not be cancelled, and else nothing.
using RunSystemctl = std::function<os::ProgramEnd(std::vector<std::string> arguments)>;
[[nodiscard]] std::string cancel_jobs_for(const claims::Claim& claim,
                                          const RunSystemctl& systemctl);

}  // namespace dmremap::cli
