// SPDX-License-Identifier: GPL-2.0-or-later
// Unix sockets at paths of any length, and the check of the process at the other end.
#pragma once

#include <string>

#include <sys/types.h>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::os {

// Makes a listening, non-blocking socket with mode 0600. Replaces a socket that is there: the
// caller holds the pid file, so its owner is dead.
Result<FileDescriptor> listen_at(const std::string& path);

// Connects to a listening socket. Errors: not_running (no process listens there); timeout (the
// process accepts nobody, after 5 s).
Result<FileDescriptor> connect_to(const std::string& path);

// True if the process at the other end runs as this user or as root.
[[nodiscard]] bool is_peer_trusted(int socket);

}  // namespace dmremap::os
