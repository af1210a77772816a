// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/html.hpp"

#include <gtest/gtest.h>

namespace dmremap::report {
namespace {

TEST(Escape, MarkupIsText) {
  EXPECT_EQ(escape("<b a=\"1\" c='2'>&amp;"), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;");
}

TEST(Escape, PlainTextOfAnyScriptStays) {
  for (const char* text :
       {"backup", "Gr\u00f6\u00dfe", "\u05d0\u05d1", "\u65e5\u672c", "\U0001f4be"}) {
    EXPECT_EQ(escape(text), text);
  }
}

TEST(Escape, WhatIsNotSeenIsSpelledOut) {
  EXPECT_EQ(escape(std::string("a\0b\n\x1b[0m\x7f", 9)), "a\\x00b\\x0a\\x1b[0m\\x7f");
  EXPECT_EQ(escape("\u0085\u00ad"), "\\x85\\xad");
  // Each direction ends within the text, as the linter wants it; the order does not matter here.
  EXPECT_EQ(escape("\u200b\u202e\u202c\u2066\u2069\ufeff\u061c"),
            "\\u200b\\u202e\\u202c\\u2066\\u2069\\ufeff\\u061c");
  EXPECT_EQ(escape("\U000e0041"), "\\U000e0041");
}

TEST(Escape, WhatIsNoUtf8BecomesAReplacement) {
  EXPECT_EQ(escape("a\xff"
                   "b"),
            "a\ufffd"
            "b");
  EXPECT_EQ(escape("\xc3"), "\ufffd");
  EXPECT_EQ(escape("\xe2\x82"), "\ufffd\ufffd");
  // Overlong, so that a checker that looks for "<" alone would miss it; a surrogate; too large.
  EXPECT_EQ(escape("\xc0\xbc"), "\ufffd\ufffd");
  EXPECT_EQ(escape("\xe0\x80\xbc"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(escape("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(escape("\xf4\x90\x80\x80"), "\ufffd\ufffd\ufffd\ufffd");
}

TEST(Escape, NoByteSequenceLeavesMarkupOrControls) {
  // Every pair of bytes, before a byte that would be markup.
  for (unsigned i = 0; i < 65536; ++i) {
    const std::string text{static_cast<char>(i >> 8U), static_cast<char>(i & 0xffU), '<'};
    const std::string out = escape(text);
    EXPECT_EQ(out.find_first_of("<>\"'"), std::string::npos) << i;
    for (const char c : out) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << i;
    EXPECT_TRUE(out.ends_with("&lt;")) << i;
  }
}

TEST(Table, HasACaptionAndHeadings) {
  Table table("What <it> is", {{"Name"}, {"Count", true}});
  EXPECT_TRUE(table.empty());
  table.add_row({"a", "1"});
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(table.html(),
            "<table>\n<caption>What &lt;it&gt; is</caption>\n<thead><tr><th scope=\"col\">Name</th>"
            "<th scope=\"col\" class=\"number\">Count</th></tr></thead>\n<tbody>\n<tr>"
            "<th scope=\"row\">a</th><td class=\"number\">1</td></tr>\n</tbody>\n</table>\n");
}

TEST(TimeElement, OnlyATimeIsOne) {
  EXPECT_EQ(time_element("2026-11-22T16:50:45Z"),
            "<time datetime=\"2026-11-22T16:50:45Z\">2026-11-22 <span class=\"clock\">16:50:45 "
            "UTC</span></time>");
  EXPECT_EQ(time_element("yesterday"), "<bdi>yesterday</bdi>");
  EXPECT_EQ(time_element("2026-11-22T16:50:\"5Z"), "<bdi>2026-11-22T16:50:&quot;5Z</bdi>");
}

}  // namespace
}  // namespace dmremap::report
