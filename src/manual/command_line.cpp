// SPDX-License-Identifier: GPL-2.0-or-later
#include "manual/command_line.hpp"

#include <cstdio>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "manual/manual.hpp"
#include "manual/suggestion.hpp"
#include "manual/words.hpp"

namespace dmremap::manual {

namespace {

// Carries the error of a replacement through CLI11, which ends its parsing by exceptions.
class ReplacementError : public CLI::ParseError {
 public:
  explicit ReplacementError(dmremap::Error error)
      : CLI::ParseError("ReplacementError", error.message(), CLI::ExitCodes::ValidationError),
        error_(std::move(error)) {}
  [[nodiscard]] const dmremap::Error& error() const { return error_; }

 private:
  dmremap::Error error_;
};

const CLI::App* verb_called(const CLI::App& app, const std::string& name) {
  for (const CLI::App* verb : visible_verbs(app)) {
    if (verb->get_name() == name) return verb;
  }
  return nullptr;
}

// Says that `app` has no verb of this name, and which one may be meant. `path`: the verbs before.
Error no_verb(const CLI::App& app, const std::string& path, const std::string& name) {
  std::vector<std::string> known;
  for (const CLI::App* verb : visible_verbs(app)) known.push_back(verb->get_name());
  const auto meant = nearest(name, known);
  const CLI::App* top = &app;
  while (top->get_parent() != nullptr) top = top->get_parent();
  return {ErrorCode::usage, "no verb " + name, path.empty() ? "command line" : path,
          meant ? "did you mean " + *meant + "?"
                : "see `" + top->get_name() + (path.empty() ? "" : " " + path) + " --help`"};
}

// The first word of a command line that should be a verb and is none. Options before it are taken
// for flags: a program has no others in front of its verbs.
std::optional<Error> unknown_verb(const CLI::App& top, int argc, const char* const* argv) {
  const CLI::App* app = &top;
  std::string path;
  for (int i = 1; i < argc && !visible_verbs(*app).empty(); ++i) {
    const std::string word = argv[i];
    if (word.starts_with('-')) continue;
    const CLI::App* verb = verb_called(*app, word);
    if (verb == nullptr) return no_verb(*app, path, word);
    path += (path.empty() ? "" : " ") + word;
    app = verb;
  }
  return std::nullopt;
}

void add_hidden_flag(CLI::App& app, const std::string& names, bool& value,
                     const std::string& text) {
  for (CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    verb->add_flag(names, value, text)->group("");
    add_hidden_flag(*verb, names, value, text);
  }
}

}  // namespace

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

Option& Option::replaced_by(
    const std::function<Result<std::string>(const std::string&)>& replacement) {
  option_->transform([replacement](const std::string& value) {
    auto replaced = replacement(value);
    if (!replaced) throw ReplacementError(replaced.error());
    return *std::move(replaced);
  });
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

void Verb::group_verbs(const std::string& title, const std::vector<std::string>& names) {
  for (const std::string& name : names) app_->get_subcommand(name)->group(title);
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
  app_->set_version_flag("-V,--version", version);
}

Program::~Program() = default;

Verb Program::top() {
  return Verb(*app_);
}

void Program::add_flag_everywhere(const std::string& names, bool& value, const std::string& text) {
  app_->add_flag(names, value, text);
  add_hidden_flag(*app_, names, value, text);
}

Result<std::string> Program::help_of(const std::vector<std::string>& verbs) const {
  const CLI::App* app = app_.get();
  std::string path;
  for (const std::string& name : verbs) {
    const CLI::App* verb = verb_called(*app, name);
    if (verb == nullptr) return tl::unexpected(no_verb(*app, path, name));
    path += (path.empty() ? "" : " ") + name;
    app = verb;
  }
  return help_text(*app, app_->get_name() + (path.empty() ? "" : " " + path));
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
    if (const auto* replacement = dynamic_cast<const ReplacementError*>(&error)) {
      out.error = replacement->error();
    } else {
      out.error = unknown_verb(*app_, argc, argv);
    }
    for (const CLI::App* verb : app_->get_subcommands()) {
      out.verbs += (out.verbs.empty() ? "" : " ") + verb->get_name();
    }
  }
  return out;
}

}  // namespace dmremap::manual
