// SPDX-License-Identifier: GPL-2.0-or-later
// The tables of docs/fault-model.md: what each way to keep copies makes of every crash and every
// damage after it, what of any contents at all, and the smallest state in which each wrong rule is
// wrong. --exhaustive: the second table with torn bodies and siblings too; some minutes.
#include <string_view>

#include <fmt/format.h>

#include "quorum/enumeration.hpp"

namespace {

using namespace dmremap::quorum;

std::string percent(std::uint64_t part, std::uint64_t of) {
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(of));
}

std::string wrong(const Tally& tally) {
  return tally.wrong == 0 ? "none" : fmt::format("**{}**", tally.wrong);
}

// Before a commit is acknowledged: one for the bodies, if they are apart from the seals, and one a
// wave until a quorum is durable.
unsigned flushes(const System& system) {
  dmremap::metadata::CopySet durable;
  unsigned count = system.columns > 1 ? 1 : 0;
  for (const auto& wave : system.waves) {
    if (system.last_waves_wait && system.contains_quorum(durable)) break;
    ++count;
    durable = durable | wave;
  }
  return count;
}

void print_crashes() {
  fmt::print(
      "| copies and quorum | flushes | states | read-write | refused as doubtful | fork | "
      "WRONG | may die for good | refused after a crash and "
      "|\n|---|---|---|---|---|---|---|---|---|\n");
  for (const System& system : systems()) {
    const Outcome out = enumerate_crashes(system, shipped_rule());
    const Endurance lasts = endurance(system, shipped_rule());
    const auto& [read_write, doubtful, fork, unused] = out.tally;
    fmt::print("| {} | {} | {} | {} | {} | {} | {} | any {}{} | {} slots |\n", system.name,
               flushes(system), out.tally.states(), percent(read_write, out.tally.states()),
               percent(doubtful, out.tally.states()), percent(fork, out.tally.states()),
               wrong(out.tally), lasts.any_copies, lasts.near_region ? ", or all near" : "",
               out.refused.damaged);
  }
}

void print_anything(bool torn_bodies) {
  fmt::print("\n| copies and quorum | states | read-write | WRONG |\n|---|---|---|---|\n");
  for (const System& system : systems()) {
    if (system.in_flight == InFlight::unreadable && system.columns > 1) continue;
    const Outcome out = enumerate_anything(system, shipped_rule(), torn_bodies);
    fmt::print("| {} | {} | {} | {} |\n", system.name, out.tally.states(),
               percent(out.tally.read_write, out.tally.states()), wrong(out.tally));
  }
}

void print_wrong_rules() {
  fmt::print(
      "\n| rule | slots damaged | the smallest state in which it hides an acknowledged commit |\n"
      "|---|---|---|\n");
  for (const Rule& rule : wrong_rules()) {
    const Outcome crashes = enumerate_crashes(chosen(), rule);
    const Outcome anything = enumerate_anything(chosen(), rule, false);
    const Smallest& smallest =
        crashes.wrong.damaged <= anything.wrong.damaged ? crashes.wrong : anything.wrong;
    fmt::print("| {} | {} | {} |\n", rule.name, smallest.damaged, smallest.state);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool exhaustive = argc > 1 && std::string_view(argv[1]) == "--exhaustive";
  print_crashes();
  print_anything(exhaustive);
  print_wrong_rules();
  return 0;
}
