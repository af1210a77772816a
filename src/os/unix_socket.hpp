// SPDX-License-Identifier: GPL-2.0-or-later
// Unix sockets at paths of any length, and who is at the other end.
#pragma once

#include <string>

#include <sys/types.h>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::os {

// Mode 0600, listening, non-blocking. Replaces whatever socket is there: the caller holds the pid
// file, so it is a dead one's.
Result<FileDescriptor> listen_at(const std::string& path);

// Error not_running: nobody listens there.
Result<FileDescriptor> connect_to(const std::string& path);

// Whether the process at the other end is ours or root's.
[[nodiscard]] bool is_peer_trusted(int socket);

}  // namespace dmremap::os
