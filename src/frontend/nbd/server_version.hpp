// SPDX-License-Identifier: GPL-2.0-or-later
// The version of the nbdkit that loaded the plugin. nbdkit has no call for it.
#pragma once

#include <compare>
#include <optional>
#include <string_view>

namespace dmremap::nbd {

struct ServerVersion {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned micro = 0;

  auto operator<=>(const ServerVersion&) const = default;
};

// Parses the output of `nbdkit --version`, such as "nbdkit 1.32.5 (nbdkit-1.32.5-1)". Empty if it
// is something else.
[[nodiscard]] std::optional<ServerVersion> parse_server_version(std::string_view text);

// Asks the program of this process with --version. Call it while the process has one thread.
[[nodiscard]] std::optional<ServerVersion> server_version();

// True if a connection may be served by several threads. Before 1.33.10 a thread that had lost the
// connection (a killed client, or one that hung up at an error) ended the whole server by an
// assertion about the state of the other threads, and with it the set for all clients. An unknown
// version counts as old.
[[nodiscard]] bool survives_lost_clients(const std::optional<ServerVersion>& version);

}  // namespace dmremap::nbd
