// SPDX-License-Identifier: GPL-2.0-or-later
// Line-oriented text files as other programs write them: words, and `#` up to the end of a line is
// a comment.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace dmremap::lists {

struct TextLine {
  std::size_t number = 0;               // from 1
  std::vector<std::string_view> words;  // never empty; they point into the text
};

// Any bytes are lines; nothing is copied.
class TextLines {
 public:
  explicit TextLines(std::string_view text) : rest_(text) {}

  // The next line that holds more than blanks and comment.
  [[nodiscard]] std::optional<TextLine> next();

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

}  // namespace dmremap::lists
