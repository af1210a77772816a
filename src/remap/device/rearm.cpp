// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/rearm.hpp"

#include <utility>

#include <fmt/format.h>

#include "base/log.hpp"

namespace dmremap::remap {

Rearm::Rearm(DataPath& path, MainReopener& reopener, std::chrono::milliseconds interval)
    : path_(path),
      reopener_(reopener),
      thread_(path.scheduling, interval, PeriodicThread::First::after_interval) {
  thread_.start("main-return", [this] {
    if (path_.breaker.tripped()) look();
    if (!path_.breaker.tripped() && !path_.direct_follows_main()) lead_direct_path();
  });
}

void Rearm::look() {
  // What a device has not answered it may still carry out, after all that it is given from now on.
  if (path_.live.is_overdue({{0}, path_.geometry.size})) {
    return explain(
        "main still has a write that it did not answer by its deadline: it is taken again when "
        "that has ended");
  }
  // Main that is held through a node of its own may be exchanged there: a request that saw the
  // breaker closed, and has not reached main yet, would reach the next one.
  if (path_.direct != nullptr &&
      !path_.live.drain({{0}, path_.geometry.size}, path_.clock, path_.deadline_from_now())) {
    return explain("main still has requests that have not ended: it is taken again when they have");
  }
  const auto device = reopener_.reopen();
  if (!device) {
    const ErrorCode code = device.error().code;
    const bool absent = code == ErrorCode::missing_device || code == ErrorCode::no_such_device;
    return explain(absent ? "" : device.error().message());
  }
  // One that has the size and does not read is still on its way.
  const bool same_size = (*device)->geometry() == path_.geometry;
  const bool reads = same_size && path_.reads_well(**device);
  const std::string refusal = reads || !same_size ? refusal_of(**device) : std::string();
  if (reads && refusal.empty()) return path_.rearm(**device);
  explain(refusal);
  // The reopener may let go of it.
  reopener_.refuse(**device);
}

void Rearm::lead_direct_path() {
  const auto led = path_.send_direct_to_main();
  if (led) {
    is_direct_told_ = false;
  } else if (!std::exchange(is_direct_told_, true)) {
    log(Severity::warning, "all requests go by this process: " + led.error().message());
  }
}

// The identity of the device is the reopener's affair; this is whether it still holds what main
// held. The breaker is tripped: no write begins meanwhile, and those that had begun void what they
// overlap for as long as they hang, so that nothing has to be waited for.
std::string Rearm::refusal_of(io::BlockDevice& device) {
  if (device.geometry() != path_.geometry) {
    return fmt::format("{} is there, but has not main's size and block size", device.path());
  }
  const EvidenceComparison found = compare_evidence(device, path_.evidence_now());
  if (found.mismatch) {
    return fmt::format(
        "{} is there, but is not main as it was left: sector {} holds other data; attach the disk "
        "that was main, or stop the set and start it with --accept-main-changed",
        device.path(), found.mismatch->first.value);
  }
  // Silence is no proof: with nothing to compare, a clone looks like main.
  if (found.compared == 0) {
    return fmt::format(
        "{} is there, but nothing proves that it is main as it was left: stop the set and start "
        "it again",
        device.path());
  }
  return {};
}

void Rearm::explain(const std::string& refusal) {
  if (!path_.breaker.explain(refusal) || refusal.empty()) return;
  path_.emit(format::EventKind::trip, Severity::error, {}, 0, refusal);
}

}  // namespace dmremap::remap
