// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"

namespace dmremap::cli {

namespace {

manual::Prose prose() {
  return {.description = R"(
Prints what `dmremap VERB --help` prints, or without VERB what `dmremap --help` does: the verbs in groups,
and words that all of them share.
)",
          .examples = {{"dmremap help", "which verbs there are"},
                       {"dmremap help status", "one of them"},
                       {"dmremap help bad import", "one below another"}},
          .exits = {{0, "it is printed"}},
          .see_also = {"dmremap(7)"}};
}

}  // namespace

void add_help(manual::Verb app, const manual::Program& program, VerbAction& chosen) {
  manual::Verb verb = app.add_verb("help", "The same as --help, of the program or of a verb");
  const auto verbs = std::make_shared<std::vector<std::string>>();
  verb.add_option("VERB", *verbs, "the verb");
  verb.describe(prose());
  verb.when_given([&chosen, &program, verbs] {
    chosen = [&program, verbs] {
      const auto text = program.help_of(*verbs);
      if (!text) return report(text.error(), false);
      fmt::print("{}", *text);
      return kDone;
    };
  });
}

}  // namespace dmremap::cli
