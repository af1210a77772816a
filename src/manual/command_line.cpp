// SPDX-License-Identifier: GPL-2.0-or-later
#include "manual/command_line.hpp"

#include <cstdio>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "manual/manual.hpp"

namespace dmremap::manual {

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option& Option::repeated() {
  option_->expected(1)->take_all();
  return *this;
}

Option& Option::excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Option& Option::check(const std::function<std::string(const std::string&)>& wrong) {
  option_->check(wrong);
  return *this;
}

Option& Option::replaced_by(const std::function<std::string(const std::string&)>& replacement) {
  option_->transform([replacement](const std::string& value) { return replacement(value); });
  return *this;
}

Option& Option::one_of(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return *this;
}

Verb Verb::add_verb(const std::string& name, const std::string& summary) {
  return Verb(*app_->add_subcommand(name, summary));
}

void Verb::require_verb() {
  app_->require_subcommand(1);
}

Option Verb::add_option(const std::string& names, std::string& value, const std::string& text) {
  return Option(*app_->add_option(names, value, text));
}

Option Verb::add_option(const std::string& names, std::vector<std::string>& values,
                        const std::string& text) {
  return Option(*app_->add_option(names, values, text));
}

Option Verb::add_flag(const std::string& names, bool& value, const std::string& text) {
  return Option(*app_->add_flag(names, value, text));
}

void Verb::describe(Prose prose) {
  manual::describe(*app_, std::move(prose));
}

void Verb::when_given(const std::function<void()>& action) {
  app_->callback(action);
}

Program::Program(const std::string& name, const std::string& summary, const std::string& version)
    : app_(std::make_unique<CLI::App>(summary, name)) {
  app_->set_version_flag("--version", version);
}

Program::~Program() = default;

Verb Program::top() {
  return Verb(*app_);
}

Parsed Program::parse(int argc, const char* const* argv) {
  Parsed out;
  if (argc == 2 && std::string_view(argv[1]) == "--describe") {
    (void)std::puts(description_of(*app_).c_str());
    out.kind = Parsed::Kind::answered;
    return out;
  }
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      out.kind = Parsed::Kind::answered;
      out.exit_code = app_->exit(error);
      return out;
    }
    out.kind = Parsed::Kind::wrong;
    out.problem = error.what();
    for (const CLI::App* verb : app_->get_subcommands()) {
      out.verbs += (out.verbs.empty() ? "" : " ") + verb->get_name();
    }
  }
  return out;
}

}  // namespace dmremap::manual
