// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/drive_timeouts.hpp"

#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/log.hpp"
#include "io/replace_file.hpp"
#include "os/program_run.hpp"
#include "os/sysfs.hpp"

namespace dmremap::set {

namespace {

using health::ErrorRecovery;
using health::RecoveryTimes;
using nlohmann::json;

// smartctl's word for "as long as the drive likes" is 0.
std::uint32_t tenths_of(const std::optional<ErrorRecovery>& recovery) {
  return recovery && recovery->enabled ? recovery->tenths_of_second : 0;
}

std::string in_words(const std::optional<ErrorRecovery>& recovery) {
  if (!recovery || !recovery->enabled) return "as long as it likes";
  return fmt::format("{:.1f} s", recovery->tenths_of_second / 10.0);
}

std::string in_words(const RecoveryTimes& now, const RecoveryTimes& former) {
  std::string out;
  if (now.read) {
    out = fmt::format("tries a bad sector for {} (before: {})", in_words(now.read),
                      in_words(former.read));
  }
  if (now.kernel_timeout_s && now.kernel_timeout_s != former.kernel_timeout_s) {
    out += fmt::format("{}is waited for {} s (before: {} s)", out.empty() ? "" : ", ",
                       *now.kernel_timeout_s, *former.kernel_timeout_s);
  }
  return "until the set stops, the drive " + out;
}

json json_of(const std::optional<ErrorRecovery>& recovery) {
  return recovery ? json(tenths_of(recovery)) : json();
}

std::optional<ErrorRecovery> recovery_in(const json& from, const char* key) {
  const auto found = from.find(key);
  if (found == from.end() || !found->is_number_unsigned()) return std::nullopt;
  const auto tenths = found->get<std::uint32_t>();
  return ErrorRecovery{tenths != 0, tenths};
}

}  // namespace

Result<void> DriveTimeouts::run_smartctl(const std::vector<std::string>& words) {
  std::vector<std::string> all{smartctl_program()};
  all.insert(all.end(), words.begin(), words.end());
  return os::run_program({all, {}, std::chrono::seconds(10)});
}

std::optional<DriveTimeouts::Report> DriveTimeouts::take(const DriveAnswer& answer) {
  const std::lock_guard lock(mutex_);
  if (ended_ || !answer.believed || answer.place.node.empty()) return std::nullopt;
  const Drive drive{answer.place.node, answer.place.directory + "/device/timeout",
                    answer.reading.serial};
  const RecoveryTimes seen{answer.reading.read_recovery, answer.reading.write_recovery,
                           answer.place.kernel_timeout_s};
  // Another drive at the place of main has settings of its own; those of the one before went with
  // it.
  if (!drive_ || drive_->serial != drive.serial) former_ = kept_for(drive.serial);
  drive_ = drive;
  now_ = seen;
  if (!parts_.wanted) {
    put_back();
    return std::nullopt;
  }
  const RecoveryTimes bounded =
      health::bounded_times(former_.value_or(seen), parts_.deadline_ms, parts_.tries);
  if (bounded == seen) {
    return former_ ? std::optional(Report{now_, in_words(now_, *former_)}) : std::nullopt;
  }
  if (!former_) {
    // A crash before this leaves the drive as it was. A crash after it leaves a file that says how
    // the drive was, whether or not it was changed.
    if (!keep(seen)) return std::nullopt;
    former_ = seen;
  }
  if (!set(bounded)) return std::nullopt;
  return Report{now_, in_words(now_, *former_)};
}

void DriveTimeouts::begin_round() {
  const std::lock_guard lock(mutex_);
  if (former_ && !ended_) (void)set(health::lifted_times(*former_));
}

void DriveTimeouts::end_round() {
  const std::lock_guard lock(mutex_);
  if (former_ && !ended_) {
    (void)set(health::bounded_times(*former_, parts_.deadline_ms, parts_.tries));
  }
}

void DriveTimeouts::restore() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(ended_, true)) return;
  put_back();
}

void DriveTimeouts::go_on() {
  const std::lock_guard lock(mutex_);
  ended_ = false;
  // As at a start: of what could not be put back the file still tells what was before.
  drive_.reset();
}

// Called with the mutex.
void DriveTimeouts::put_back() {
  if (!former_) return;
  // A crash between these two leaves a file that says what is set already.
  if (set(*former_)) ::unlink(parts_.file.c_str());
  former_.reset();
}

// Called with the mutex. The longer of the two waits comes first, so that the kernel never resets a
// drive that may still try.
bool DriveTimeouts::set(const RecoveryTimes& times) {
  const bool kernel_first = tenths_of(times.read) == 0;
  bool done = true;
  const auto set_kernel = [&] {
    if (!times.kernel_timeout_s || times.kernel_timeout_s == now_.kernel_timeout_s) return;
    if (os::write_attribute(drive_->timeout_file, std::to_string(*times.kernel_timeout_s))) {
      now_.kernel_timeout_s = times.kernel_timeout_s;
    } else {
      done = false;
      log(Severity::warning,
          fmt::format("the kernel's timeout for {} cannot be set", drive_->node));
    }
  };
  if (kernel_first) set_kernel();
  if (times.read && times.read != now_.read) {
    const auto set = parts_.smartctl(
        {"-q", "errorsonly", "-l",
         fmt::format("scterc,{},{}", tenths_of(times.read), tenths_of(times.write)), drive_->node});
    if (set) {
      now_.read = times.read;
    } else {
      done = false;
      log(Severity::warning, fmt::format("how long {} tries a bad sector cannot be set: {}",
                                         drive_->node, set.error().message()));
    }
  }
  if (!kernel_first) set_kernel();
  return done;
}

std::optional<RecoveryTimes> DriveTimeouts::kept_for(const std::string& serial) const {
  const json kept = json::parse(os::read_attribute(parts_.file), nullptr, false);
  if (!kept.is_object() || kept.value("serial", json()) != json(serial)) return std::nullopt;
  RecoveryTimes out{recovery_in(kept, "read"), recovery_in(kept, "write"), std::nullopt};
  const auto timeout = kept.find("kernel_timeout_s");
  if (timeout != kept.end() && timeout->is_number_unsigned()) {
    out.kernel_timeout_s = timeout->get<std::uint64_t>();
  }
  return out;
}

bool DriveTimeouts::keep(const RecoveryTimes& former) const {
  json kept{{"serial", drive_->serial},
            {"read", json_of(former.read)},
            {"write", json_of(former.write)},
            {"kernel_timeout_s", json()}};
  if (former.kernel_timeout_s) kept["kernel_timeout_s"] = *former.kernel_timeout_s;
  // A serial number may hold any bytes.
  const auto text = kept.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  const auto written = io::write_file(parts_.file, text);
  if (!written) {
    log(Severity::warning,
        "the drive is left as it is, because what it is set to cannot be kept: " +
            written.error().message());
  }
  return written.has_value();
}

}  // namespace dmremap::set
