// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/drive_query.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "discovery/hardware.hpp"
#include "health/recovery_times.hpp"
#include "os/program_run.hpp"
#include "os/spawn.hpp"

namespace dmremap::set {

namespace {

using health::SmartReading;
using health::SmartState;

constexpr std::chrono::seconds kDeadline{30};
// Of `-x` with a full list of defects: some tens of KiB.
constexpr std::size_t kLongestAnswer = 4 * kMiB;

SmartReading no_answer(std::string reason) {
  SmartReading out;
  out.state = SmartState::no_answer;
  out.reason = std::move(reason);
  return out;
}

std::vector<std::string> command(std::string program, const std::string& node) {
  return {std::move(program), "--json=c", "-n", "standby", "-x", "-l", "defects,255", node};
}

}  // namespace

health::DiskIdentity identity_of(const DrivePlace& place, const std::string& earlier_serial) {
  health::DiskIdentity out;
  struct stat file {};
  if (::stat(place.node.c_str(), &file) == 0 && S_ISBLK(file.st_mode)) {
    discovery::Hardware hardware = discovery::hardware_of(file.st_rdev);
    out.model = std::move(hardware.model);
    out.serial = std::move(hardware.serial);
    out.wwn = std::move(hardware.wwn);
  }
  out.capacity_bytes = place.size.bytes();
  out.behind_usb = place.behind_usb;
  out.alone_behind_bridge = place.alone_behind_bridge;
  out.earlier_serial = earlier_serial;
  return out;
}

DriveAnswer judge_answer(DrivePlace place, SmartReading reading, const health::DiskIdentity& disk,
                         SectorCount size) {
  DriveAnswer out;
  health::BeliefReason belief = health::belief_in(reading, disk);
  out.believed = belief.belief == health::Belief::same;
  out.reason = std::move(belief.reason);
  if (out.believed) out.defects = on_main(reading.defects, place.main_first, size);
  out.place = std::move(place);
  out.reading = std::move(reading);
  return out;
}

std::vector<std::string> warnings_of(const DriveAnswer& answer) {
  std::vector<std::string> out;
  if (!answer.believed) return out;
  if (answer.reading.passed == false) {
    out.emplace_back("the drive expects to fail (SMART): copy first what matters most");
  }
  if (!answer.defects.empty()) {
    std::uint64_t sectors = 0;
    for (const SectorRange& range : answer.defects) sectors += range.count.value;
    out.push_back(fmt::format(
        "the drive calls {} sectors of main bad; the scan looks at them first", sectors));
  }
  std::string advice =
      health::recovery_advice(answer.reading, answer.place.kernel_timeout_s, answer.place.node);
  if (!advice.empty()) out.push_back(std::move(advice));
  return out;
}

std::string smartctl_program() {
  return os::check_program("smartctl") ? "smartctl" : "/usr/sbin/smartctl";
}

DriveQuery::DriveQuery(std::function<std::string()> main_path, SectorCount main_size)
    : main_path_(std::move(main_path)), main_size_(main_size) {}

SmartReading DriveQuery::run_smartctl(const std::string& node,
                                      const std::function<bool()>& wanted) {
  if (hanging_ && !os::reap(*hanging_)) {
    return no_answer("an earlier smartctl hangs and cannot be killed");
  }
  hanging_.reset();
  const os::ProgramEnd end =
      os::run_to_end({command(smartctl_program(), node), {}, kDeadline, kLongestAnswer, wanted});
  hanging_ = end.left;
  switch (end.how) {
    case os::ProgramEnd::How::not_started:
      if (end.error == ENOENT) return no_answer("smartctl is not there (package smartmontools)");
      return no_answer(fmt::format("smartctl cannot be run: {}", std::strerror(end.error)));
    case os::ProgramEnd::How::timed_out:
      return no_answer(fmt::format("smartctl did not end within {} s", kDeadline.count()));
    case os::ProgramEnd::How::unwanted:
      return no_answer("not asked yet");
    case os::ProgramEnd::How::ended:
      break;
  }
  if (!WIFEXITED(end.status)) return no_answer("smartctl " + os::end_in_words(end.status));
  return health::read_smart(end.output, static_cast<unsigned>(WEXITSTATUS(end.status)));
}

DriveAnswer DriveQuery::ask(const std::string& earlier_serial,
                            const std::function<bool()>& wanted) {
  DrivePlace place = drive_of(main_path_());
  if (place.node.empty()) {
    SmartReading reading = no_answer("an image file has no SMART");
    reading.state = SmartState::unsupported;
    return judge_answer(std::move(place), std::move(reading), {}, main_size_);
  }
  const health::DiskIdentity disk = identity_of(place, earlier_serial);
  SmartReading reading = run_smartctl(place.node, wanted);
  return judge_answer(std::move(place), std::move(reading), disk, main_size_);
}

}  // namespace dmremap::set
