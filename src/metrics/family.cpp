// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/family.hpp"

#include <fmt/format.h>

#include "metrics/exposition.hpp"

namespace dmremap::metrics {

std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

void Family::add(std::initializer_list<Label> labels, std::uint64_t value) {
  add_line(labels, std::to_string(value));
}

void Family::add(std::initializer_list<Label> labels, double value) {
  add_line(labels, fmt::format("{}", value));
}

void Family::add_line(std::initializer_list<Label> labels, const std::string& value) {
  std::string inner;
  for (const auto& [name, text] : labels) {
    inner += fmt::format("{}{}=\"{}\"", inner.empty() ? "" : ",", name, escaped(text));
  }
  samples_ += fmt::format("{}{} {}\n", name_, inner.empty() ? "" : "{" + inner + "}", value);
}

std::string Family::text() const {
  if (samples_.empty()) return {};
  return fmt::format("# HELP {} {}\n# TYPE {} {}\n{}", name_, help_, name_,
                     type_ == Type::counter ? "counter" : "gauge", samples_);
}

}  // namespace dmremap::metrics
