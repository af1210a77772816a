// SPDX-License-Identifier: GPL-2.0-or-later
#include "manual/words.hpp"

#include <algorithm>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace dmremap::manual {

std::vector<const CLI::Option*> visible_options(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return !option->get_group().empty(); });
}

std::vector<const CLI::App*> visible_verbs(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* verb) { return !verb->get_group().empty(); });
}

std::string value_of(const CLI::Option& option) {
  if (!option.nonpositional()) return option.get_name(true, false);
  if (option.get_items_expected_max() == 0) return {};
  // CLI11 adds what its own checks say.
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

std::string completes(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const bool named = option.nonpositional() || type == "TEXT";  // CLI11's own, for any string
  return named ? value_of(option) : type;
}

bool takes_many(const CLI::Option& option) {
  return option.get_expected_max() == CLI::detail::expected_max_vector_size;
}

bool is_required_option(const CLI::Option& option) {
  return option.nonpositional() && option.get_required();
}

std::string heading_of(const CLI::Option& option) {
  const std::string value = value_of(option);
  if (!option.nonpositional()) return value + (takes_many(option) ? "..." : "");
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return fmt::format("{}{}{}", fmt::join(names, ", "), value.empty() ? "" : " ", value);
}

std::string usage_of(const CLI::App& app) {
  std::string options = " [OPTION...]";
  std::string arguments;
  for (const CLI::Option* option : visible_options(app)) {
    if (is_required_option(*option)) {
      options += " " + heading_of(*option);
    } else if (!option->nonpositional()) {
      const std::string heading = heading_of(*option);
      arguments += option->get_required() ? " " + heading : " [" + heading + "]";
    }
  }
  return options + arguments + (visible_verbs(app).empty() ? "" : " VERB ...");
}

std::vector<Exit> with_wrong_usage(std::vector<Exit> exits) {
  if (exits.empty()) return exits;
  exits.push_back({2, "wrong usage; nothing was done"});
  std::ranges::sort(exits, {}, &Exit::code);
  return exits;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of('\n');
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \n") - first + 1);
}

namespace {

// What stands between backquotes is one: it is typed off.
std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> out;
  bool open = false;
  for (std::string word; stream >> word;) {
    const bool turns = std::ranges::count(word, '`') % 2 != 0;
    if (open) {
      out.back() += " " + word;
    } else {
      out.push_back(word);
    }
    open = open != turns;
  }
  return out;
}

}  // namespace

std::string filled(const std::string& text, std::size_t indent, std::size_t columns) {
  std::string out;
  std::size_t column = indent;
  for (const std::string& word : words_of(text)) {
    if (out.empty()) {
      out = word;
    } else if (column + 1 + word.size() <= columns) {
      out += " " + word;
      ++column;
    } else {
      out += "\n" + std::string(indent, ' ') + word;
      column = indent;
    }
    column += word.size();
  }
  return out;
}

namespace {

bool is_indented(const std::string& line) {
  return line.starts_with("  ");
}

std::string refilled_paragraph(const std::vector<std::string>& lines, std::size_t columns) {
  const std::vector<std::string> rest(lines.begin() + 1, lines.end());
  std::string all = fmt::format("{}", fmt::join(lines, "\n"));
  if (is_indented(lines.front())) return all;
  if (rest.empty() || !std::ranges::all_of(rest, is_indented)) return filled(all, 0, columns);
  return lines.front() + "\n  " + filled(fmt::format("{}", fmt::join(rest, " ")), 2, columns);
}

}  // namespace

std::string refilled(const std::string& text, std::size_t columns) {
  std::istringstream stream(text);
  std::vector<std::string> paragraph;
  std::string out;
  const auto end_paragraph = [&] {
    if (paragraph.empty()) return;
    out += (out.empty() ? "" : "\n\n") + refilled_paragraph(paragraph, columns);
    paragraph.clear();
  };
  for (std::string line; std::getline(stream, line);) {
    if (line.empty()) {
      end_paragraph();
    } else {
      paragraph.push_back(line);
    }
  }
  end_paragraph();
  return out;
}

}  // namespace dmremap::manual
