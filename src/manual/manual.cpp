// SPDX-License-Identifier: GPL-2.0-or-later
#include "manual/manual.hpp"

#include <map>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "manual/words.hpp"

namespace dmremap::manual {

namespace {

using nlohmann::json;

// The prose sits in what CLI11 asks for the help, so that it lives as long as the verb does.
class Help final : public CLI::FormatterBase {
 public:
  explicit Help(Prose prose) : prose_(std::move(prose)) {}
  [[nodiscard]] const Prose& prose() const { return prose_; }

  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode /*mode*/) const override;

 private:
  Prose prose_;
};

// None: it was not described.
const Prose* prose_of(const CLI::App& app);

// Where the text of a row begins: of an option or argument, and of a verb.
constexpr std::size_t kOptionColumn = 24;
constexpr std::size_t kVerbColumn = 12;

std::string row(const std::string& left, const std::string& right, std::size_t column) {
  const std::string text = filled(right, column, kHelpColumns);
  if (left.size() + 4 <= column) return fmt::format("  {:<{}}{}\n", left, column - 2, text);
  return fmt::format("  {}\n{:{}}{}\n", left, "", column, text);
}

// The verbs below the titles of their groups, those of none last.
std::string verbs_of(const CLI::App& app) {
  static const std::string none = CLI::App().get_group();
  std::vector<std::string> groups;
  std::map<std::string, std::string> rows;
  for (const CLI::App* verb : visible_verbs(app)) {
    const std::string& group = verb->get_group();
    if (rows.count(group) == 0 && group != none) groups.push_back(group);
    rows[group] += row(verb->get_name(), verb->get_description(), kVerbColumn);
  }
  std::string out;
  for (const std::string& group : groups) out += "\n" + group + "\n" + rows[group];
  if (rows.count(none) == 0) return out;
  return out + (groups.empty() ? "\nVerbs:\n" : "\nOther verbs:\n") + rows[none];
}

std::string rows_of(const CLI::App& app) {
  std::string arguments;
  std::string options;
  for (const CLI::Option* option : visible_options(app)) {
    const std::string text =
        option->get_description() + (is_required_option(*option) ? " (required)" : "");
    (option->nonpositional() ? options : arguments) +=
        row(heading_of(*option), text, kOptionColumn);
  }
  std::string out = verbs_of(app);
  if (!arguments.empty()) out += "\nArguments:\n" + arguments;
  if (!options.empty()) out += "\nOptions:\n" + options;
  return out;
}

std::string Help::make_help(const CLI::App* app, std::string name,
                            CLI::AppFormatMode /*mode*/) const {
  static const Prose none;
  const Prose* found = prose_of(*app);
  const Prose& prose = found != nullptr ? *found : none;
  std::string out =
      fmt::format("{}\n\nUsage: {}\n", filled(app->get_description(), 0, kHelpColumns),
                  filled(name + usage_of(*app), 7, kHelpColumns));
  if (!prose.description.empty()) {
    out += "\n" + refilled(trimmed(prose.description), kHelpColumns) + "\n";
  }
  out += rows_of(*app);
  if (!prose.json.empty()) out += "\nJSON:\n  " + filled(prose.json, 2, kHelpColumns) + "\n";
  if (!prose.exits.empty()) out += "\nExit status:\n";
  for (const Exit& exit : with_wrong_usage(prose.exits)) {
    out += fmt::format("  {}  {}\n", exit.code, filled(exit.when, 5, kHelpColumns));
  }
  if (!prose.examples.empty()) out += "\nExamples:\n";
  for (const Example& example : prose.examples) {
    out += fmt::format("  {}\n      {}\n", example.command, filled(example.what, 6, kHelpColumns));
  }
  return out;
}

json option_json(const CLI::Option& option) {
  json names = json::array();
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return {{"names", names},
          {"value", value_of(option)},
          {"completes", completes(option)},
          {"heading", heading_of(option)},
          {"required", option.get_required()},
          {"many", takes_many(option)},
          {"text", option.get_description()}};
}

void add_prose(json& out, const Prose& prose) {
  out["description"] = trimmed(prose.description);
  out["json"] = trimmed(prose.json);
  out["see_also"] = prose.see_also;
  for (const Example& example : prose.examples) {
    out["examples"].push_back({{"command", example.command}, {"what", example.what}});
  }
  for (const Exit& exit : with_wrong_usage(prose.exits)) {
    out["exits"].push_back({{"code", exit.code}, {"when", exit.when}});
  }
  for (const Section& section : prose.sections) {
    out["sections"].push_back({{"title", section.title}, {"text", trimmed(section.text)}});
  }
}

const Prose* prose_of(const CLI::App& app) {
  const auto formatter = app.get_formatter();
  // A verb that was not described has its parent's.
  const CLI::App* parent = app.get_parent();
  if (parent != nullptr && parent->get_formatter() == formatter) return nullptr;
  const auto* help = dynamic_cast<const Help*>(formatter.get());
  return help != nullptr ? &help->prose() : nullptr;
}

json to_json(const CLI::App& app) {
  json out{{"name", app.get_name()},
           {"summary", app.get_description()},
           {"usage", usage_of(app)},
           {"group", app.get_group()},
           {"described", prose_of(app) != nullptr}};
  for (const char* list : {"arguments", "options", "verbs", "examples", "exits", "sections"}) {
    out[list] = json::array();
  }
  for (const CLI::Option* option : visible_options(app)) {
    out[option->nonpositional() ? "options" : "arguments"].push_back(option_json(*option));
  }
  for (const CLI::App* verb : visible_verbs(app)) out["verbs"].push_back(to_json(*verb));
  if (const Prose* prose = prose_of(app)) add_prose(out, *prose);
  return out;
}

}  // namespace

std::string help_text(const CLI::App& app, const std::string& name) {
  return app.get_formatter()->make_help(&app, name, CLI::AppFormatMode::Normal);
}

void describe(CLI::App& app, Prose prose) {
  app.formatter(std::make_shared<Help>(std::move(prose)));
}

std::string description_of(const CLI::App& app) {
  json out = to_json(app);
  out["version"] = app.version();
  return out.dump(2);
}

}  // namespace dmremap::manual
