// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/page.hpp"

#include <set>
#include <stack>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "report/example_facts.hpp"

namespace dmremap::report {
namespace {

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t out = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++out;
  return out;
}

// The page without its style sheet.
std::string body_of(const std::string& page) {
  return page.substr(page.find("<body>"));
}

struct Tag {
  std::string kind;  // "?" if it is none of the form that this page has
  std::vector<std::string> attributes;
  bool closes = false;
  bool is_empty = false;
};

// The tag at an angle bracket: <kind name="value" ...>, <kind .../> or </kind>.
Tag tag_at(const std::string& html, std::size_t at) {
  constexpr const char* kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
  const auto word = [&] {
    const std::size_t end = html.find_first_not_of(kLetters, at);
    std::string out = html.substr(at, end - at);
    at = end;
    return out;
  };
  Tag out;
  out.closes = html.at(++at) == '/';
  if (out.closes) ++at;
  out.kind = word();
  while (html.at(at) == ' ') {
    ++at;
    out.attributes.push_back(word());
    const std::size_t end = html.find('"', at + 2);
    if (html.substr(at, 2) != "=\"" || end == std::string::npos) return {"?", {}, false, false};
    EXPECT_EQ(html.substr(at, end - at).find_first_of("<>"), std::string::npos);
    at = end + 1;
  }
  out.is_empty = html.at(at) == '/';
  if (html.at(out.is_empty ? at + 1 : at) != '>') return {"?", {}, false, false};
  return out;
}

class EachPage : public testing::TestWithParam<std::string> {
 protected:
  ReportFacts facts = examples::by_name(GetParam());
  std::string page = make_page(facts);
};
INSTANTIATE_TEST_SUITE_P(Examples, EachPage, testing::ValuesIn(examples::names()),
                         [](const auto& one) { return one.param; });

TEST_P(EachPage, EveryElementIsOfAKnownKindAndClosed) {
  const std::set<std::string> kinds{
      "body",   "header", "main", "footer", "section", "h1",         "h2",      "p",
      "ul",     "ol",     "li",   "dl",     "dt",      "dd",         "div",     "span",
      "strong", "code",   "pre",  "bdi",    "time",    "table",      "caption", "thead",
      "tbody",  "tr",     "th",   "td",     "figure",  "figcaption", "details", "summary",
      "svg",    "path",   "rect", "circle", "text",    "html"};
  const std::set<std::string> attributes{"id",
                                         "class",
                                         "aria-labelledby",
                                         "aria-label",
                                         "aria-hidden",
                                         "role",
                                         "scope",
                                         "datetime",
                                         "viewBox",
                                         "preserveAspectRatio",
                                         "d",
                                         "x",
                                         "y",
                                         "cx",
                                         "cy",
                                         "r",
                                         "rx",
                                         "width",
                                         "height",
                                         "fill",
                                         "stroke",
                                         "stroke-width",
                                         "stroke-dasharray",
                                         "text-anchor",
                                         "font-size"};
  const std::string body = body_of(page);
  std::stack<std::string> open;
  std::size_t tags = 0;
  for (auto at = body.find('<'); at != std::string::npos; at = body.find('<', at + 1), ++tags) {
    const Tag tag = tag_at(body, at);
    EXPECT_TRUE(kinds.contains(tag.kind)) << tag.kind;
    for (const std::string& name : tag.attributes) {
      EXPECT_TRUE(attributes.contains(name)) << tag.kind << " " << name;
    }
    if (tag.kind == "html") continue;  // it begins before the body
    if (tag.closes) {
      ASSERT_FALSE(open.empty());
      ASSERT_EQ(open.top(), tag.kind);
      open.pop();
    } else if (!tag.is_empty) {
      open.push(tag.kind);
    }
  }
  EXPECT_TRUE(open.empty());
  EXPECT_GT(tags, 100U);
}

TEST_P(EachPage, NothingRunsAndNothingIsFetched) {
  EXPECT_EQ(count_of(page, "<script"), 0U);
  EXPECT_EQ(count_of(page, "http"), 1U);  // of http-equiv
  EXPECT_EQ(count_of(page, "url("), 0U);
  EXPECT_EQ(count_of(page, "@import"), 0U);
  EXPECT_EQ(count_of(page, "default-src 'none'"), 1U);
}

TEST_P(EachPage, NoControlCharacterIsLeft) {
  for (const char c : page) {
    const auto byte = static_cast<unsigned char>(c);
    ASSERT_TRUE(byte >= 0x20 || c == '\n') << unsigned{byte};
  }
  EXPECT_EQ(page.find(std::string("\u202e\u202c").substr(0, 3)), std::string::npos);
}

TEST_P(EachPage, IsNotTooLarge) {
  EXPECT_LT(page.size(), 1U << 20U);
}

TEST_P(EachPage, TheVerdictStandsFirst) {
  const std::string body = body_of(page);
  EXPECT_LT(body.find("Verdict on the disk"), body.find("State of the set"));
  EXPECT_LT(body.find("State of the set"), body.find("What to do next"));
  EXPECT_LT(body.find("What to do next"), body.find("id=\"map\""));
}

TEST(Page, SaysTheVerdictWithItsReasonsAndTheRisk) {
  const std::string page = make_page(examples::watched());
  for (const char* text :
       {"<strong>watch</strong>", "Score 63 of 100",
        "blocks lost or remapped: 40, on 3 of the last 30 days",
        "20 to 39 of 100 such disks fail within a year (Backblaze 2014, reported errors 12 to 20)",
        "spare full in 118 to 940 days at this growth (90 %)",
        "<title>backup: watch - dm-remap report</title>",
        "Made <time datetime=\"2026-11-29T21:00:00Z\">", "by dmremap 5.0.0 on <bdi>store</bdi>"}) {
    EXPECT_EQ(count_of(page, text) > 0, true) << text;
  }
}

TEST(Page, SaysWhichDiskItIs) {
  const std::string page = make_page(examples::watched());
  for (const char* text : {"<bdi>WDC WD20EARX-00PASB0</bdi>", "<bdi>WD-WCAZAJ827116</bdi>",
                           "<bdi>2048+3907026944, 1.8 TiB, ext4 &quot;backup&quot;</bdi>"}) {
    EXPECT_EQ(count_of(page, text), 1U) << text;
  }
}

TEST(Page, TheLastFiftyEventsAreTold) {
  ReportFacts facts = examples::good();
  facts.events.clear();
  for (std::uint64_t i = 1; i <= 60; ++i) {
    facts.events.push_back(
        {i, "2026-11-22T16:50:45Z", "info", "start", {}, {}, "event " + std::to_string(i)});
  }
  const std::string page = make_page(facts);
  EXPECT_EQ(count_of(page, "<bdi>event "), 50U);
  EXPECT_EQ(count_of(page, "<bdi>event 10<"), 0U);
  EXPECT_LT(page.find("<bdi>event 60<"), page.find("<bdi>event 11<"));
}

TEST(Page, WithoutHealthAndHistoryItSaysSo) {
  const std::string page = make_page(examples::unknown());
  EXPECT_EQ(count_of(page, "There is no history to draw"), 2U);
  EXPECT_EQ(count_of(page, "class=\"chart\""), 0U);
  EXPECT_EQ(count_of(page, "<strong>unknown</strong>"), 1U);
  EXPECT_EQ(count_of(page, "Score"), 0U);
}

TEST(Page, NothingThatHappenedIsASentenceAndNoChart) {
  const std::string page = make_page(examples::good());
  EXPECT_EQ(count_of(page, "None in 221 days."), 3U);
}

TEST(Page, LatencyAcrossTheDiskIsDrawnWithItsNumbers) {
  const std::string page = make_page(examples::watched());
  EXPECT_EQ(count_of(page, "<path class=\"typical\" d=\"M50.0"), 1U);
  EXPECT_EQ(count_of(page, "Latency across the disk, 90 of 96 parts read"), 1U);
  EXPECT_EQ(count_of(page, "6 parts are not read yet, and shaded."), 1U);
  EXPECT_EQ(count_of(page, ">not read yet</td>"), 2 * 6U);
  EXPECT_EQ(count_of(page, "The numbers, part by part"), 1U);
  // Where the slowest read was: part 88 of 96 of 1863 GiB.
  EXPECT_EQ(count_of(page, "<strong>1.8 s</strong> at 1708 GiB</span>"), 1U);
}

TEST(Page, WithoutEnoughOfAScanItSaysSo) {
  ReportFacts facts = examples::good();
  for (auto& part : facts.history->latency) part.typical_us = part.slowest_us = std::nullopt;
  std::string page = make_page(facts);
  EXPECT_EQ(count_of(page, "Not measured yet: the scan has not read enough of any of the 96 parts"),
            1U);
  EXPECT_EQ(count_of(page, "class=\"typical\""), 0U);
  facts.history->latency.clear();
  page = make_page(facts);
  EXPECT_EQ(count_of(page, "Not known: the metadata has no room for it"), 1U);
  EXPECT_EQ(count_of(page, "class=\"typical\""), 0U);
}

TEST(Page, EmptyFactsMakeAPage) {
  EXPECT_TRUE(make_page({}).ends_with("</html>\n"));
}

}  // namespace
}  // namespace dmremap::report
