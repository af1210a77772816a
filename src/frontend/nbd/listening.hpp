// SPDX-License-Identifier: GPL-2.0-or-later
// Where this process listens for clients: the server that loaded us opened the sockets and tells
// nobody.
#pragma once

#include <string>
#include <vector>

namespace dmremap::nbd {

struct Listening {
  std::string uri;          // nbd+unix:///?socket=PATH or nbd://ADDRESS:PORT
  std::string socket_path;  // of a Unix socket with a name; else empty
};

// The listening sockets among the open files of this process, oldest first.
[[nodiscard]] std::vector<Listening> listening_sockets();

// The NBD URI of a Unix socket (github.com/NetworkBlockDevice/nbd, doc/uri.md).
[[nodiscard]] std::string unix_uri(const std::string& socket_path);

}  // namespace dmremap::nbd
