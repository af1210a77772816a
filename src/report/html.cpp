// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/html.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

namespace dmremap::report {

namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

struct Decoded {
  std::uint32_t point = kReplacement;
  std::size_t bytes = 1;
};

// The character at the start of a text that is not empty. A byte that begins none is one
// replacement character (RFC 3629: neither overlong forms nor surrogates nor more than U+10FFFF).
Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || length > text.size()) return {};
  std::uint32_t point = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return {};
    point = (point << 6U) | (byte(i) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < kLeast[length] || surrogate || point > 0x10ffff) return {};
  return {point, length};
}

// Controls, marks and embeddings of direction, characters without width, line and paragraph
// separators, tags, and what is no character at all.
bool is_hidden(std::uint32_t point) {
  constexpr std::array<std::pair<std::uint32_t, std::uint32_t>, 14> kRanges{{{0x00, 0x1f},
                                                                             {0x7f, 0x9f},
                                                                             {0xad, 0xad},
                                                                             {0x61c, 0x61c},
                                                                             {0x180e, 0x180e},
                                                                             {0x200b, 0x200f},
                                                                             {0x2028, 0x202e},
                                                                             {0x2060, 0x206f},
                                                                             {0xfdd0, 0xfdef},
                                                                             {0xfeff, 0xfeff},
                                                                             {0xfff9, 0xfffb},
                                                                             {0xfffe, 0xffff},
                                                                             {0xe0000, 0xe0fff},
                                                                             {0xf0000, 0x10ffff}}};
  for (const auto& [first, last] : kRanges) {
    if (point >= first && point <= last) return true;
  }
  return false;
}

std::string spelled(std::uint32_t point) {
  if (point < 0x100) return fmt::format("\\x{:02x}", point);
  return point < 0x10000 ? fmt::format("\\u{:04x}", point) : fmt::format("\\U{:08x}", point);
}

std::string_view entity_of(std::uint32_t point) {
  switch (point) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    case kReplacement:
      return "\ufffd";
    default:
      return {};
  }
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Decoded next = decode(text);
    const std::string_view entity = entity_of(next.point);
    if (!entity.empty()) {
      out += entity;
    } else if (is_hidden(next.point)) {
      out += spelled(next.point);
    } else {
      out += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  return out;
}

std::string isolated(std::string_view text) {
  return "<bdi>" + escape(text) + "</bdi>";
}

std::string counted(std::uint64_t count, const std::string& thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

std::string time_element(const std::string& time) {
  constexpr std::string_view kForm = "2026-11-22T16:50:45Z";
  const bool is_time = time.size() == kForm.size() && time[10] == 'T' && time.back() == 'Z' &&
                       time.find_first_not_of("0123456789-:TZ") == std::string::npos;
  if (!is_time) return isolated(time);
  return fmt::format("<time datetime=\"{}\">{} <span class=\"clock\">{} UTC</span></time>", time,
                     time.substr(0, 10), time.substr(11, 8));
}

std::string section(const std::string& id, const std::string& title, const std::string& html) {
  return fmt::format(
      "<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">{1}</h2>\n{2}"
      "</section>\n",
      id, escape(title), html);
}

Table::Table(std::string caption, std::vector<Column> columns, std::string kind)
    : caption_(std::move(caption)), columns_(std::move(columns)), kind_(std::move(kind)) {}

void Table::add_row(const std::vector<std::string>& cells) {
  rows_ += "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const bool heads = i == 0;
    const bool number = i < columns_.size() && columns_[i].is_number;
    rows_ += fmt::format("<{0}{1}{2}>{3}</{0}>", heads ? "th" : "td", heads ? " scope=\"row\"" : "",
                         number ? " class=\"number\"" : "", cells[i]);
  }
  rows_ += "</tr>\n";
}

std::string Table::html() const {
  std::string heads;
  for (const Column& column : columns_) {
    heads += fmt::format("<th scope=\"col\"{}>{}</th>", column.is_number ? " class=\"number\"" : "",
                         escape(column.title));
  }
  return fmt::format(
      "<table{}>\n<caption>{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n"
      "</table>\n",
      kind_.empty() ? "" : " class=\"" + kind_ + "\"", escape(caption_), heads, rows_);
}

void FactTable::add(const std::string& what, const std::string& html) {
  rows_ += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", what, html);
}

std::string FactTable::html() const {
  return fmt::format(
      "<table class=\"facts\">\n<caption>{}</caption>\n<tbody>\n{}</tbody>\n</table>\n",
      escape(caption_), rows_);
}

}  // namespace dmremap::report
