// SPDX-License-Identifier: GPL-2.0-or-later
// Finds the sockets on which this process listens for clients. The server that loaded the plugin
// opened them and does not say which they are.
#pragma once

#include <string>
#include <vector>

namespace dmremap::nbd {

// One socket, and how clients name it.
struct ListeningSocket {
  std::string uri;          // nbd+unix:///?socket=PATH or nbd://ADDRESS:PORT
  std::string socket_path;  // empty if it is no Unix socket with a name
  int fd = -1;
};

// The listening sockets among the open files of this process, oldest first.
[[nodiscard]] std::vector<ListeningSocket> listening_sockets();

// The NBD URI of a Unix socket (github.com/NetworkBlockDevice/nbd, doc/uri.md).
[[nodiscard]] std::string unix_uri(const std::string& socket_path);

}  // namespace dmremap::nbd
