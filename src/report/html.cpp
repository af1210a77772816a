// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/html.hpp"

#include <utility>

#include <fmt/format.h>

namespace dmremap::report {

std::string isolated(std::string_view text) {
  return "<bdi>" + escape(text) + "</bdi>";
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
