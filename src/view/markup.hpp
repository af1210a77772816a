// SPDX-License-Identifier: GPL-2.0-or-later
// Texts that nobody vouches for (paths, labels of file systems, what a drive says) inside of HTML
// and SVG. Pure.
#pragma once

#include <string>
#include <string_view>

namespace dmremap::view {

// A text as HTML or XML, for the inside of an element or of an attribute in quotes. What is no
// UTF-8 becomes U+FFFD. Characters that show nothing or that change the direction of what surrounds
// them are spelled out: \x1b, \u202e.
[[nodiscard]] std::string escape(std::string_view text);

// The same for a terminal or a drawing, where nothing needs escaping. `ascii`: what is not ASCII
// becomes a question mark.
[[nodiscard]] std::string plain(std::string_view text, bool ascii = false);

}  // namespace dmremap::view
