// SPDX-License-Identifier: GPL-2.0-or-later
#include "lists/text_lines.hpp"

#include <algorithm>

namespace dmremap::lists {

namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r";
  std::vector<std::string_view> out;
  while (true) {
    const std::size_t begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return out;
    line.remove_prefix(begin);
    const std::size_t length = std::min(line.find_first_of(kBlanks), line.size());
    out.push_back(line.substr(0, length));
    line.remove_prefix(length);
  }
}

}  // namespace

std::optional<TextLine> TextLines::next() {
  while (!rest_.empty()) {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++number_;
    auto words = words_of(line.substr(0, line.find('#')));
    if (!words.empty()) return TextLine{number_, std::move(words)};
  }
  return std::nullopt;
}

}  // namespace dmremap::lists
