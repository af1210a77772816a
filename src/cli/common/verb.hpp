// SPDX-License-Identifier: GPL-2.0-or-later
// The verbs. Each adds itself to the command line, with its part of the manual, and, if it is the
// one that was given, leaves what is to be done in `chosen`.
#pragma once

#include <functional>

#include "manual/command_line.hpp"

namespace dmremap::cli {

// Returns the exit code.
using Chosen = std::function<int()>;

// What the manual says of the program as a whole.
[[nodiscard]] manual::Prose about();

void add_create(manual::Verb app, Chosen& chosen);
void add_start(manual::Verb app, Chosen& chosen);
void add_stop(manual::Verb app, Chosen& chosen);
void add_list(manual::Verb app, Chosen& chosen);
void add_status(manual::Verb app, Chosen& chosen);
void add_events(manual::Verb app, Chosen& chosen);
void add_explain(manual::Verb app, Chosen& chosen);
void add_table(manual::Verb app, Chosen& chosen);
void add_map(manual::Verb app, Chosen& chosen);
void add_files(manual::Verb app, Chosen& chosen);
void add_examine(manual::Verb app, Chosen& chosen);
void add_check(manual::Verb app, Chosen& chosen);
void add_repair(manual::Verb app, Chosen& chosen);
void add_resolve(manual::Verb app, Chosen& chosen);
void add_remap(manual::Verb app, Chosen& chosen);
void add_unremap(manual::Verb app, Chosen& chosen);
void add_bad(manual::Verb app, Chosen& chosen);
void add_backfill(manual::Verb app, Chosen& chosen);
void add_copy(manual::Verb app, Chosen& chosen);
void add_release(manual::Verb app, Chosen& chosen);
void add_discover(manual::Verb app, Chosen& chosen);
void add_assemble(manual::Verb app, Chosen& chosen);

}  // namespace dmremap::cli
