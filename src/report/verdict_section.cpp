// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/size_text.hpp"
#include "report/advice.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"
#include "view/disk_caption.hpp"

namespace dmremap::report {

namespace {

// A sign for each verdict, of a shape of its own: a tick, an eye, a triangle, an octagon, and a
// question mark. `says` is the word in plain language.
struct VerdictStyle {
  std::string_view word;
  std::string_view sign;  // the inside of an <svg> of 48 by 48
  std::string_view says;
};
constexpr std::array<VerdictStyle, 5> kVerdicts{
    {{"unknown",
      "<circle cx=\"24\" cy=\"24\" r=\"21\"/><path d=\"M18 19a6 6 0 1 1 8.5 5.5c-2 1-2.5 2-2.5 "
      "4.5\"/><path d=\"M24 34.5v.5\"/>",
      "Too little is known about this disk."},
     {"good", "<circle cx=\"24\" cy=\"24\" r=\"21\"/><path d=\"M14 25l7 7 13-15\"/>",
      "Nothing speaks against this disk."},
     {"watch",
      "<path d=\"M3 24q10-14 21-14t21 14q-10 14-21 14t-21-14z\"/><circle cx=\"24\" cy=\"24\" "
      "r=\"7\"/>",
      "Keep an eye on this disk, and a backup."},
     {"replace-soon",
      "<path d=\"M24 4l21 38h-42z\"/><path d=\"M24 18v11\"/><path d=\"M24 35v.5\"/>",
      "This disk should be replaced soon."},
     {"replace-now",
      "<path d=\"M15 3h18l12 12v18l-12 12h-18l-12-12v-18z\"/><path d=\"M24 13v14\"/><path "
      "d=\"M24 34v.5\"/>",
      "Copy the data off this disk now."}}};

const VerdictStyle& style_of(const std::string& verdict) {
  const auto* found = std::ranges::find(kVerdicts, verdict, &VerdictStyle::word);
  return found == kVerdicts.end() ? kVerdicts.front() : *found;
}

std::string reasons_html(const control::HealthReport& health) {
  Table table("Why, the heaviest reason first. The score is 100 less the weights.",
              {{"Reason"}, {"Weight", true}});
  for (const control::HealthReasonReport& reason : health.reasons) {
    table.add_row({isolated(reason.text), std::to_string(reason.weight)});
  }
  return table.html();
}

// A risk of N to M of 100 is drawn as a bar of 100 places, besides being said.
std::string risk_html(const control::RiskReport& risk) {
  std::string out =
      fmt::format("<p class=\"risk\"><strong>Risk:</strong> {}.</p>\n", isolated(risk.text));
  if (risk.low_of_100 && risk.high_of_100) {
    const double low = static_cast<double>(std::min<std::uint64_t>(*risk.low_of_100, 100));
    const double high = static_cast<double>(std::min<std::uint64_t>(*risk.high_of_100, 100));
    out += fmt::format(
        "<svg class=\"risk-bar\" viewBox=\"0 0 400 26\" role=\"img\" aria-label=\"{:g} to {:g} of "
        "100\"><rect class=\"scale\" x=\"0\" y=\"2\" width=\"400\" height=\"8\" rx=\"4\"/><rect "
        "class=\"range\" x=\"{:g}\" y=\"2\" width=\"{:g}\" height=\"8\" rx=\"3\"/><text "
        "class=\"label\" x=\"0\" y=\"24\">0</text><text class=\"label\" x=\"200\" y=\"24\" "
        "text-anchor=\"middle\">50</text><text class=\"label\" x=\"400\" y=\"24\" "
        "text-anchor=\"end\">100 of 100 disks</text></svg>\n",
        low, high, low * 4, std::max((high - low) * 4, 3.0));
  }
  // Its text names the source already, as a rule.
  if (risk.text.find(risk.source) == std::string::npos) {
    out += fmt::format("<p class=\"source\">Source: {}</p>\n", isolated(risk.source));
  }
  return out;
}

std::string tile(const std::string& what, const std::string& number, const std::string& note,
                 bool bad = false) {
  return fmt::format("<div class=\"tile{}\"><dt>{}</dt><dd><strong>{}</strong> {}</dd></div>\n",
                     bad ? " bad" : "", what, number, note);
}

// A condition, with a sign that tells trouble from what is none: a disc, a square, a triangle.
std::string tag_html(const std::string& word) {
  const char* kind = word == "healthy" ? "fine" : word == "stopped" ? "idle" : "trouble";
  const char* sign = word == "healthy" ? "\u25cf" : word == "stopped" ? "\u25a0" : "\u25b2";
  return fmt::format("<li class=\"tag {}\"><span aria-hidden=\"true\">{}</span> {}</li>", kind,
                     sign, escape(word));
}

}  // namespace

std::string header_html(const ReportFacts& facts) {
  const std::string& path = facts.set.main.path;
  return fmt::format(
      "<header>\n<p class=\"kind\">dm-remap report</p>\n<h1>{}</h1>\n<p>{}{}</p>\n<p>as of "
      "{}</p>\n</header>\n",
      isolated(facts.set.name), path.empty() ? "" : isolated(path) + ", ",
      size_text({facts.set.size_sectors}), time_element(facts.made_at));
}

std::string verdict_html(const ReportFacts& facts) {
  const VerdictStyle& style = style_of(verdict_of(facts));
  const auto& health = facts.set.health;
  const bool scored = health && style.word != "unknown";
  std::string out = fmt::format(
      "<section id=\"verdict\" class=\"{0}\" aria-labelledby=\"verdict-title\">\n<div "
      "class=\"head\"><svg class=\"sign\" viewBox=\"0 0 48 48\" aria-hidden=\"true\">{1}</svg>"
      "<div><h2 id=\"verdict-title\"><span class=\"kind\">Verdict on the disk</span> "
      "<strong>{0}</strong></h2>\n<p>{2}{3}</p></div></div>\n",
      style.word, style.sign, style.says,
      scored ? fmt::format(" <span class=\"nowrap\">Score {} of 100.</span>", health->score)
             : std::string());
  if (!health) {
    return out +
           "<p>The set tells nothing of its disk's health: its metadata has no history, or it is "
           "served by an older version.</p>\n</section>\n";
  }
  out += reasons_html(*health) + risk_html(health->risk);
  out += fmt::format("<p class=\"source\">Observed for {:.1f} days of running.</p>\n</section>\n",
                     health->observed_days);
  return out;
}

std::string overview_html(const ReportFacts& facts) {
  const control::SetReport& set = facts.set;
  std::string tags;
  for (const std::string& word : set.conditions) {
    tags += tag_html(word);
  }
  if (set.doubtful) tags += tag_html("doubtful");
  std::string out =
      "<ul class=\"tags\" aria-label=\"State and conditions of the set\">" + tags + "</ul>\n";
  if (!set.reason.empty()) out += "<p>" + isolated(set.reason) + "</p>\n";
  out += "<dl class=\"tiles\">\n";
  out += tile("Lost", std::to_string(set.lost_sectors),
              fmt::format("sectors, {}", size_text({set.lost_sectors})), set.lost_sectors > 0);
  out += tile("Remapped", std::to_string(set.remapped_sectors),
              fmt::format("sectors, {}", size_text({set.remapped_sectors})));
  out += tile("Suspect", std::to_string(set.suspect_sectors), "sectors");
  const auto [room, free, retired] = set.spare_room();
  const double used =
      room == 0 ? 0 : static_cast<double>(room - std::min(free, room)) / static_cast<double>(room);
  out += tile("Spare used", fmt::format("{:.{}f} %", used * 100, used > 0 && used < 0.1 ? 1 : 0),
              "of " + size_text({room}), used >= 0.8);
  out += tile("Metadata", fmt::format("{} of {}", set.copies.good, set.copies.total), "copies good",
              set.copies.good < set.copies.total);
  if (set.scrub) {
    const double read = static_cast<double>(set.scrub->scanned_sectors.value) /
                        static_cast<double>(std::max<std::uint64_t>(set.size_sectors, 1));
    out += tile("Scan", fmt::format("{:.0f} %", std::min(read, 1.0) * 100),
                fmt::format("of this pass; {} complete", set.scrub->passes));
  }
  return section("state", "State of the set", out + "</dl>\n");
}

std::string advice_html(const ReportFacts& facts) {
  std::string out = "<ol class=\"advice\">\n";
  for (const Advice& advice : advise(facts)) {
    out += fmt::format("<li><p><span class=\"because\">{}</span> {}</p>", escape(advice.because),
                       escape(advice.text));
    for (const std::string& command : advice.commands) {
      out += "<pre><code>" + escape(command) + "</code></pre>";
    }
    out += "</li>\n";
  }
  return section("next", "What to do next", out + "</ol>\n");
}

}  // namespace dmremap::report
