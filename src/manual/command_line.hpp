// SPDX-License-Identifier: GPL-2.0-or-later
// The command line of a program: its verbs, their arguments and options, and what the manual says
// of them. CLI11 does the parsing behind this header; it takes seconds to compile, and only
// src/manual/*.cpp should pay for it.
//
// Names of arguments, and of the values of options (`type_name`), say what completes them:
//   NAME                                            a set
//   DEVICE MAIN SPARE TARGET                        a block device or a file
//   IMAGE FILE PATH MOUNTFILE                       a file
//   MOUNTPOINT                                      where a set is mounted, or a directory
//   DIRECTORY                                       a directory
//   VERB                                            a verb of the program
//   fuse|block|auto, lower case                     one of these words
//   NAME|DEVICE                                     either
//   NEW, COUNT, anything else                       nothing
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "manual/prose.hpp"

namespace CLI {  // NOLINT(readability-identifier-naming): not ours
class App;
class Option;
}  // namespace CLI

namespace dmremap::manual {

// An argument or option of a verb. A handle: the program owns what it names.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  Option& required();
  Option& type_name(const std::string& name);
  // Takes one value each time it is given, and may be given several times.
  Option& repeated();
  // Must not be given together with `other`.
  Option& excludes(const Option& other);
  // `wrong` returns what is wrong with a value, or an empty text.
  Option& check(const std::function<std::string(const std::string&)>& wrong);
  // Replaces each value before anything else sees it. An error ends the parsing (Parsed::error).
  Option& replaced_by(const std::function<Result<std::string>(const std::string&)>& replacement);
  // One of these words.
  Option& one_of(const std::vector<std::string>& words);

 private:
  CLI::Option* option_;
};

// A program, or one of its verbs. A handle: the program owns what it names. Values are written
// where the references point while the program parses.
class Verb {
 public:
  explicit Verb(CLI::App& app) : app_(&app) {}

  [[nodiscard]] Verb add_verb(const std::string& name, const std::string& summary);
  // One of its verbs must be given.
  void require_verb();
  // Help lists these verbs together under a title. Groups come in the order in which their first
  // verbs were added; verbs of none come last.
  void group_verbs(const std::string& title, const std::vector<std::string>& names);

  // "NAME" is an argument, "--name" or "-n,--name" an option.
  Option add_option(const std::string& names, std::string& value, const std::string& text);
  Option add_option(const std::string& names, std::vector<std::string>& values,
                    const std::string& text);
  Option add_flag(const std::string& names, bool& value, const std::string& text);

  // Its prose: once, after it was added to its parent and before it parses. A verb without any
  // takes the form of its help from its parent.
  void describe(Prose prose);
  // Called while the program parses, if this verb was given.
  void when_given(const std::function<void()>& action);

 private:
  CLI::App* app_;
};

// What came of parsing.
struct Parsed {
  enum class Kind {
    complete,  // the verb's action was called
    answered,  // --help, --version, --describe: printed, and nothing more is to be done
    wrong,     // wrong usage; nothing was done
  };
  Kind kind = Kind::complete;
  int exit_code = 0;    // of `answered`
  std::string problem;  // of `wrong`; may have several lines
  std::string verbs;    // of `wrong`: those that were given before it, "bad import"; may be empty
  // Of `wrong`: what is to be said in place of `problem`; empty if that says all.
  std::optional<Error> error = {};
};

class Program {
 public:
  // `version` as --version prints it.
  Program(const std::string& name, const std::string& summary, const std::string& version);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // The program as a whole.
  [[nodiscard]] Verb top();
  // A flag that may stand before and after any verb. The help of the program lists it, and that of
  // the verbs does not. To be called once all verbs were added.
  void add_flag_everywhere(const std::string& names, bool& value, const std::string& text);
  // The help of a verb, {"bad", "import"}, or of the program. Error usage: there is no such verb.
  [[nodiscard]] Result<std::string> help_of(const std::vector<std::string>& verbs) const;
  [[nodiscard]] Parsed parse(int argc, const char* const* argv);

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace dmremap::manual
