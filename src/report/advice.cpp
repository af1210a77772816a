// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/advice.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "base/size_text.hpp"
#include "view/disk_caption.hpp"

namespace dmremap::report {

namespace {

// The set and its devices as they are typed.
struct Names {
  std::string set;
  std::string main;
  std::string spare;
  std::string size;

  [[nodiscard]] std::string command(const std::string& verb, const std::string& rest = {}) const {
    return "dmremap " + verb + " " + set + (rest.empty() ? "" : " " + rest);
  }
};

Names names_of(const ReportFacts& facts) {
  const control::SetReport& set = facts.set;
  return {shell_word(set.name, "NAME"), shell_word(set.main.path, "MAIN"),
          shell_word(set.spares.empty() ? std::string() : set.spares.front().path, "SPARE"),
          size_text({set.size_sectors})};
}

// Copying needs a set that runs and that nobody else uses.
std::vector<std::string> copy_commands(const Names& names, bool running) {
  std::vector<std::string> out;
  if (!running) out.push_back(names.command("start"));
  out.push_back(names.command("copy", "TARGET"));
  return out;
}

// What is said of a spare that became larger while the set runs (set/device_watch.cpp).
constexpr std::string_view kSpareGrew = "the spare grew";

std::vector<std::string> with_growth(std::vector<std::string> commands, const Names& names) {
  commands.push_back(names.command("spare grow"));
  return commands;
}

std::vector<std::string> with_way_back(std::vector<std::string> commands, const Names& names) {
  commands.push_back(names.command("unremap", "--all"));
  return commands;
}

void add_verdict(std::vector<Advice>& out, const ReportFacts& facts, const Names& names) {
  const std::string verdict = verdict_of(facts);
  if (verdict == "replace-now") {
    out.push_back({verdict,
                   fmt::format("Copy the data to a healthy disk now: TARGET is a disk of at least "
                               "{}, or a file. Unmount the set's device first; an interrupted "
                               "copy goes on with the same command.",
                               names.size),
                   copy_commands(names, facts.running)});
  } else if (verdict == "replace-soon") {
    out.push_back({verdict,
                   fmt::format("Get another disk of at least {}, and copy when it is there. Until "
                               "then keep a backup: this disk may get worse at any time.",
                               names.size),
                   copy_commands(names, facts.running)});
  } else if (verdict == "watch") {
    out.push_back({verdict,
                   "Keep a backup, and look again in a week. Have the whole disk read now, so that "
                   "trouble is found while it can still be fixed.",
                   {names.command("scrub", "start --now"), names.command("status")}});
  } else if (verdict == "unknown") {
    out.push_back({verdict,
                   "Too little is known to judge the disk. Let the set run, and have the whole "
                   "disk read once.",
                   {names.command("scrub", "start --now")}});
  }
}

void add_data(std::vector<Advice>& out, const ReportFacts& facts, const Names& names) {
  if (facts.set.lost_sectors == 0) return;
  out.push_back({"data-lost",
                 "Some sectors cannot be read, and read as errors until something writes them. "
                 "Find the files on them and restore those from a backup; or fill the sectors from "
                 "an image of the disk.",
                 {names.command("files"), names.command("backfill", "IMAGE")}});
}

void add_condition(std::vector<Advice>& out, const std::string& word, const ReportFacts& facts,
                   const Names& names) {
  const auto add = [&](std::string text, std::vector<std::string> commands = {}) {
    out.push_back({word, std::move(text), std::move(commands)});
  };
  if (word == "tripped" || word == "main-missing") {
    add("The disk does not answer as it should, and nothing is asked of it. Look at its cable, "
        "port and power. A set that runs goes on by itself when the disk is back.",
        {"dmremap discover", names.command("events")});
  } else if (word == "main-read-only") {
    add("The disk takes no writes; what is written goes to the spare while there is room. Copy the "
        "data to a healthy disk.",
        copy_commands(names, facts.running));
  } else if (word == "spare-full") {
    add("What goes bad from now on is lost. Copy the data to a healthy disk. A spare that can be "
        "made larger takes more. If main takes writes again, bring back what was remapped.",
        with_way_back(with_growth(copy_commands(names, facts.running), names), names));
  } else if (word == "table-full") {
    add("What goes bad from now on is lost. Copy the data to a healthy disk. If main takes writes "
        "again, bring back what was remapped.",
        with_way_back(copy_commands(names, facts.running), names));
  } else if (word == "spare-low") {
    add("There is little room left for sectors that go bad. Get another disk, and copy. A spare "
        "that can be made larger takes more. If main takes writes again, bring back what was "
        "remapped.",
        with_way_back(with_growth(copy_commands(names, facts.running), names), names));
  } else if (word == "table-low") {
    add("There is little room left for sectors that go bad. Get another disk, and copy. If main "
        "takes writes again, bring back what was remapped.",
        with_way_back(copy_commands(names, facts.running), names));
  } else if (word == "spare-away" || word == "spare-refuses") {
    add("A sector that goes bad now cannot be saved. Look at the spare's cable, port and power; it "
        "is taken back by itself, under another name too.",
        {names.command("events")});
  } else if (word == "read-only") {
    add("The set takes no writes. Its events say why.", {names.command("events")});
  } else if (word == "device-resized" && facts.set.reason.find(kSpareGrew) != std::string::npos) {
    add("The spare became larger since the set was started. Take over its new room.",
        {names.command("spare grow")});
  } else if (word == "device-resized") {
    add("A device has another size than when the set was started. Look whether it is the right "
        "one.",
        {names.command("events"), "dmremap examine " + names.spare + " " + names.main});
  } else if (word == "died") {
    add("The process that served the set ended without a stop. Nothing acknowledged is lost: start "
        "it again.",
        {names.command("start"), names.command("events")});
  } else if (word == "stopped") {
    add("The set is not served now: nothing is read, and nothing found.", {names.command("start")});
  } else if (word == "degraded" && facts.set.copies.good < facts.set.copies.total) {
    add("Some copies of the metadata are damaged. A start mends them; of a stopped set, this does.",
        {"dmremap repair " + names.spare});
  }
}

// True if another step says all that the condition's own would: the disk is to be copied anyway, or
// the set is to be started.
bool is_said_before(const std::string& word, bool urgent, const ReportFacts& facts) {
  if (word == "stopped") return urgent || facts.set.has_condition("died");
  return urgent && word == "main-read-only";
}

// A command that a step has given stands in none of the later ones.
void drop_repeated(std::vector<Advice>& steps) {
  std::set<std::string> given;
  for (Advice& step : steps) {
    std::erase_if(step.commands,
                  [&](const std::string& command) { return !given.insert(command).second; });
  }
}

}  // namespace

std::string verdict_of(const ReportFacts& facts) {
  return facts.set.health ? facts.set.health->verdict : "unknown";
}

std::string shell_word(const std::string& text, const std::string& placeholder) {
  constexpr const char* kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:+,@%=-";
  const auto is_control = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  };
  if (text.empty() || std::ranges::any_of(text, is_control)) return placeholder;
  if (text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::vector<Advice> advise(const ReportFacts& facts) {
  std::vector<Advice> out;
  const Names names = names_of(facts);
  const std::string verdict = verdict_of(facts);
  const bool urgent = verdict == "replace-now" || verdict == "replace-soon";
  if (urgent) add_verdict(out, facts, names);
  if (facts.set.doubtful) {
    out.push_back({"doubtful",
                   "What is served may be older than what was last written. See which commits "
                   "there are before you write anything.",
                   {"dmremap examine " + names.spare}});
  }
  for (const std::string& word : facts.set.conditions) {
    if (!is_said_before(word, urgent, facts)) add_condition(out, word, facts, names);
  }
  add_data(out, facts, names);
  if (!urgent) add_verdict(out, facts, names);
  if (out.empty()) {
    out.push_back({verdict, "Nothing is to be done. Keep a backup, as of any disk.", {}});
  }
  drop_repeated(out);
  return out;
}

}  // namespace dmremap::report
