// SPDX-License-Identifier: GPL-2.0-or-later
// The verbs. Each adds itself to the command line, with its part of the manual, and, if it is the
// one that was given, leaves what is to be done in `chosen`.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

#include "manual/manual.hpp"

namespace dmremap::cli {

// Returns the exit code.
using Chosen = std::function<int()>;

// What the manual says of the program as a whole.
[[nodiscard]] manual::Prose about();

void add_create(CLI::App& app, Chosen& chosen);
void add_start(CLI::App& app, Chosen& chosen);
void add_stop(CLI::App& app, Chosen& chosen);
void add_list(CLI::App& app, Chosen& chosen);
void add_status(CLI::App& app, Chosen& chosen);
void add_events(CLI::App& app, Chosen& chosen);
void add_explain(CLI::App& app, Chosen& chosen);
void add_table(CLI::App& app, Chosen& chosen);
void add_map(CLI::App& app, Chosen& chosen);
void add_files(CLI::App& app, Chosen& chosen);
void add_examine(CLI::App& app, Chosen& chosen);
void add_check(CLI::App& app, Chosen& chosen);
void add_repair(CLI::App& app, Chosen& chosen);
void add_resolve(CLI::App& app, Chosen& chosen);
void add_remap(CLI::App& app, Chosen& chosen);
void add_unremap(CLI::App& app, Chosen& chosen);
void add_bad(CLI::App& app, Chosen& chosen);
void add_backfill(CLI::App& app, Chosen& chosen);
void add_copy(CLI::App& app, Chosen& chosen);
void add_release(CLI::App& app, Chosen& chosen);
void add_discover(CLI::App& app, Chosen& chosen);
void add_assemble(CLI::App& app, Chosen& chosen);

}  // namespace dmremap::cli
