// SPDX-License-Identifier: GPL-2.0-or-later
// The verbs. Each adds itself to the command line, with its part of the manual. If it is the one
// that was given, it sets `chosen` to the function that does it.
#pragma once

#include <functional>

#include "manual/command_line.hpp"

namespace dmremap::cli {

// Does a verb and returns the exit code.
using VerbAction = std::function<int()>;

// The part of the manual about the program as a whole.
[[nodiscard]] manual::Prose about();

void add_create(manual::Verb app, VerbAction& chosen);
void add_start(manual::Verb app, VerbAction& chosen);
void add_stop(manual::Verb app, VerbAction& chosen);
void add_list(manual::Verb app, VerbAction& chosen);
void add_status(manual::Verb app, VerbAction& chosen);
void add_events(manual::Verb app, VerbAction& chosen);
void add_monitor(manual::Verb app, VerbAction& chosen);
void add_metrics(manual::Verb app, VerbAction& chosen);
void add_explain(manual::Verb app, VerbAction& chosen);
void add_table(manual::Verb app, VerbAction& chosen);
void add_map(manual::Verb app, VerbAction& chosen);
void add_files(manual::Verb app, VerbAction& chosen);
void add_report(manual::Verb app, VerbAction& chosen);
void add_examine(manual::Verb app, VerbAction& chosen);
void add_check(manual::Verb app, VerbAction& chosen);
void add_repair(manual::Verb app, VerbAction& chosen);
void add_resolve(manual::Verb app, VerbAction& chosen);
void add_remap(manual::Verb app, VerbAction& chosen);
void add_unremap(manual::Verb app, VerbAction& chosen);
void add_retry(manual::Verb app, VerbAction& chosen);
void add_scrub(manual::Verb app, VerbAction& chosen);
void add_bad(manual::Verb app, VerbAction& chosen);
void add_backfill(manual::Verb app, VerbAction& chosen);
void add_copy(manual::Verb app, VerbAction& chosen);
void add_spare(manual::Verb app, VerbAction& chosen);
void add_release(manual::Verb app, VerbAction& chosen);
void add_claims(manual::Verb app, VerbAction& chosen);
void add_enable(manual::Verb app, VerbAction& chosen);
void add_disable(manual::Verb app, VerbAction& chosen);
void add_discover(manual::Verb app, VerbAction& chosen);
void add_assemble(manual::Verb app, VerbAction& chosen);
// `program` outlives the verb; it has all verbs by the time at which this one is done.
void add_help(manual::Verb app, const manual::Program& program, VerbAction& chosen);

}  // namespace dmremap::cli
