// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/attention.hpp"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/common/output.hpp"
#include "manual/words.hpp"
#include "report/advice.hpp"

namespace dmremap::cli {

namespace {

bool has(const KnownSet& set, const std::string& condition) {
  return std::ranges::find(set.conditions, condition) != set.conditions.end();
}

std::string with_commands(const report::Advice& step) {
  if (step.commands.empty()) return step.text;
  return fmt::format("{} `{}`", step.text, fmt::join(step.commands, "`, `"));
}

// What a condition asks for, or a disk that is to be replaced. A verdict that asks for less stands
// in the status of the set.
bool is_urgent(const KnownSet& set, const report::Advice& step) {
  return step.because == "doubtful" || step.because == "replace-now" ||
         step.because == "replace-soon" || has(set, step.because);
}

// What the reason says after a colon of a process that is gone: the commands. Reasons of several
// conditions are joined by semicolons (set/status.cpp).
std::string commands_after_death(const std::string& reason) {
  const std::size_t gone = reason.find(" is gone");
  if (gone == std::string::npos) return {};
  const std::string part = reason.substr(gone, reason.find("; ", gone) - gone);
  const std::size_t colon = part.rfind(": ");
  return colon == std::string::npos ? std::string() : part.substr(colon + 2);
}

}  // namespace

std::vector<std::string> actions_for(const KnownSet& set) {
  if (!set.needs_attention) return {};
  if (set.conditions.empty()) {
    return {
        fmt::format("See whether its process waits for a disk, and what its log says. "
                    "`dmremap -v status {}`",
                    set.name)};
  }
  // What is still mounted over a dead process, and how to take it away, is in the reason.
  if (has(set, "died")) {
    const std::string commands = commands_after_death(set.reason);
    return {commands.empty() ? fmt::format("Start it again. `dmremap start {}`", set.name)
                             : fmt::format("Nothing acknowledged is lost: {}.", commands)};
  }
  if (!set.report) {
    return {"Connect the spare, and see what is found. `dmremap discover`"};
  }
  report::ReportFacts facts;
  facts.set = *set.report;
  facts.running = set.is_running();
  // It need not be started to be well.
  std::erase(facts.set.conditions, "stopped");
  std::vector<std::string> out;
  for (const report::Advice& step : report::advise(facts)) {
    if (is_urgent(set, step)) out.push_back(with_commands(step));
  }
  return out;
}

std::string attention_text(const KnownSet& set) {
  const auto line = [](const std::string& label, const std::string& text) {
    return fmt::format("{:>6}: {}\n", label, manual::filled(text, 8, manual::kHelpColumns));
  };
  std::string out = line("set", printable(set.name));
  out += line("state", set.conditions.empty() ? std::string("it does not answer")
                                              : fmt::format("{}", fmt::join(set.conditions, ", ")));
  if (!set.reason.empty()) out += line("status", printable(set.reason));
  const auto actions = actions_for(set);
  for (const std::string& action : actions) {
    out += line(&action == &actions.front() ? "action" : "and", printable(action));
  }
  return out;
}

}  // namespace dmremap::cli
