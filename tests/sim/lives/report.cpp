// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/lives/report.hpp"

#include <fmt/format.h>

namespace dmremap::sim {

namespace {

using format::EventKind;
using format::State;

// Every way between states that design.md names and simulated lives can go.
constexpr std::array kTransitions{
    std::pair{State::good, State::remapped},     // a write failed, or relocation
    std::pair{State::good, State::lost},         // a read failed
    std::pair{State::good, State::gone},         // a flush failed
    std::pair{State::good, State::suspect},      // a list said so, or it was slow
    std::pair{State::suspect, State::good},      // read well again
    std::pair{State::suspect, State::remapped},  // a write failed, or it was slow again
    std::pair{State::suspect, State::lost},      // a read failed
    std::pair{State::lost, State::remapped},     // written, or read again
    std::pair{State::remapped, State::gone},     // its spare sector failed
    std::pair{State::gone, State::remapped},     // written
    std::pair{State::remapped, State::good},     // brought back
};

constexpr std::array kEvents{EventKind::remap,     EventKind::lost,      EventKind::gone,
                             EventKind::recovered, EventKind::trip,      EventKind::rearm,
                             EventKind::read_only, EventKind::spare_low, EventKind::spare_full};

constexpr std::array kMainFaults{
    FaultKind::read_error, FaultKind::write_error,    FaultKind::until_written,
    FaultKind::flaky,      FaultKind::slow,           FaultKind::hung,
    FaultKind::torn_write, FaultKind::unflushed_lost, FaultKind::flush_error,
    FaultKind::gone,       FaultKind::unsupported};

constexpr std::array kSpareFaults{FaultKind::read_error,    FaultKind::write_error,
                                  FaultKind::flaky,         FaultKind::slow,
                                  FaultKind::torn_write,    FaultKind::unflushed_lost,
                                  FaultKind::flush_error,   FaultKind::gone,
                                  FaultKind::dropped_write, FaultKind::misdirected_write,
                                  FaultKind::flipped_write, FaultKind::until_written};

std::string transition_text(State from, State to) {
  return fmt::format("{} -> {}", format::name_of(from), format::name_of(to));
}

void add_line(std::string& out, std::string_view what, std::uint64_t count) {
  out += fmt::format("  {:32} {:>14}\n", what, count);
}

}  // namespace

Report& Report::operator+=(const Report& other) {
  seeds += other.seeds;
  lives += other.lives;
  clean_stops += other.clean_stops;
  kills += other.kills;
  power_cuts += other.power_cuts;
  crashes_in_open += other.crashes_in_open;
  refused_opens += other.refused_opens;
  reads += other.reads;
  read_errors += other.read_errors;
  writes += other.writes;
  write_errors += other.write_errors;
  flushes += other.flushes;
  flush_errors += other.flush_errors;
  zeroes += other.zeroes;
  discards += other.discards;
  relocations += other.relocations;
  unremaps += other.unremaps;
  imports += other.imports;
  backfills += other.backfills;
  backfilled_sectors += other.backfilled_sectors;
  scans += other.scans;
  scan_passes += other.scan_passes;
  scanned_bad += other.scanned_bad;
  mended_slots += other.mended_slots;
  steps += other.steps;
  retired += other.retired;
  slow_found += other.slow_found;
  settled_failing += other.settled_failing;
  failing_moved += other.failing_moved;
  others_shown += other.others_shown;
  main_locks += other.main_locks;
  expired += other.expired;
  others_refused += other.others_refused;
  spares_returned += other.spares_returned;
  spares_refused += other.spares_refused;
  copies_refused += other.copies_refused;
  growths += other.growths;
  evidence_kept += other.evidence_kept;
  main_faults += other.main_faults;
  spare_faults += other.spare_faults;
  for (const auto& [key, count] : other.transitions) transitions[key] += count;
  for (const auto& [kind, count] : other.events) events[kind] += count;
  return *this;
}

std::vector<std::string> Report::missing() const {
  std::vector<std::string> out;
  for (const FaultKind kind : kMainFaults) {
    if (main_faults.of(kind) == 0) out.push_back(fmt::format("main: {}", name_of(kind)));
  }
  for (const FaultKind kind : kSpareFaults) {
    if (spare_faults.of(kind) == 0) out.push_back(fmt::format("spare: {}", name_of(kind)));
  }
  for (const auto& [from, to] : kTransitions) {
    if (!transitions.contains({from, to})) out.push_back(transition_text(from, to));
  }
  for (const EventKind kind : kEvents) {
    if (!events.contains(kind)) out.push_back(fmt::format("event {}", format::name_of(kind)));
  }
  if (backfilled_sectors == 0) out.emplace_back("a lost sector filled from an image");
  if (scanned_bad == 0)
    out.emplace_back("a sector that a scan found lost, with nothing else going on");
  if (mended_slots == 0) out.emplace_back("a slot of the metadata mended while the set runs");
  if (retired == 0) out.emplace_back("a spare sector retired");
  if (slow_found == 0) out.emplace_back("a sector found slow");
  if (settled_failing == 0) out.emplace_back("failing sectors left to settle");
  if (failing_moved == 0) out.emplace_back("a failing sector that reads again");
  if (expired == 0) out.emplace_back("a request answered by its deadline");
  if (main_locks == 0) out.emplace_back("a main that takes no writes");
  if (others_refused == 0) out.emplace_back("a disk that is not main as it was left refused");
  if (spares_returned == 0) out.emplace_back("a spare that came back under another handle");
  if (copies_refused == 0) out.emplace_back("an older copy of a spare refused");
  if (growths == 0) out.emplace_back("a spare that grew");
  if (evidence_kept == 0) out.emplace_back("evidence of main's contents after a crash");
  if (crashes_in_open == 0) out.emplace_back("a crash while a set opens");
  if (clean_stops == 0) out.emplace_back("a clean stop");
  if (kills == 0) out.emplace_back("a kill");
  if (power_cuts == 0) out.emplace_back("a power cut");
  return out;
}

std::string Report::text() const {
  std::string out = fmt::format("{} seeds, {} lives, {} requests, {} crashes, {} steps\n", seeds,
                                lives, requests(), crashes(), steps);
  out += "lives ended by\n";
  add_line(out, "clean stop", clean_stops);
  add_line(out, "kill of the process", kills);
  add_line(out, "power cut", power_cuts);
  add_line(out, "of these while opening", crashes_in_open);
  out += "requests (and how many failed)\n";
  add_line(out, "read", reads);
  add_line(out, "  failed", read_errors);
  add_line(out, "write", writes);
  add_line(out, "  failed", write_errors);
  add_line(out, "flush", flushes);
  add_line(out, "  failed", flush_errors);
  add_line(out, "zero", zeroes);
  add_line(out, "discard", discards);
  add_line(out, "remap by hand", relocations);
  add_line(out, "unremap", unremaps);
  add_line(out, "import of a list", imports);
  add_line(out, "backfill", backfills);
  add_line(out, "  sectors filled", backfilled_sectors);
  add_line(out, "scan", scans);
  add_line(out, "  pass in calm", scan_passes);
  add_line(out, "  sectors found lost by one", scanned_bad);
  add_line(out, "  metadata slots mended", mended_slots);
  out += "faults of main that fired\n";
  for (const FaultKind kind : kMainFaults) add_line(out, name_of(kind), main_faults.of(kind));
  out += "faults of the spare that fired\n";
  for (const FaultKind kind : kSpareFaults) add_line(out, name_of(kind), spare_faults.of(kind));
  out += "sectors that went from one state to another\n";
  for (const auto& [key, count] : transitions) {
    add_line(out, transition_text(key.first, key.second), count);
  }
  add_line(out, "a spare sector retired", retired);
  add_line(out, "a sector found slow", slow_found);
  add_line(out, "a failing one that reads again", failing_moved);
  add_line(out, "another disk where main was", others_shown);
  add_line(out, "  refused by its contents", others_refused);
  add_line(out, "main took no writes", main_locks);
  add_line(out, "requests given up at the deadline", expired);
  add_line(out, "a spare back as another device", spares_returned);
  add_line(out, "  refused as it was", spares_refused);
  add_line(out, "  an older copy refused", copies_refused);
  add_line(out, "the spare grew", growths);
  add_line(out, "evidence left by a crash", evidence_kept);
  out += "events\n";
  for (const auto& [kind, count] : events) add_line(out, format::name_of(kind), count);
  return out;
}

}  // namespace dmremap::sim
