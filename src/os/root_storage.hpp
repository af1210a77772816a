// SPDX-License-Identifier: GPL-2.0-or-later
// What a process does that serves the device of the root file system: it starts before that file
// system is mounted, in an initramfs, and ends after everything else (systemd's "Storage Daemons
// for the Root File System", systemd.io/ROOT_STORAGE_DAEMONS).
#pragma once

#include <sys/types.h>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::os {

// True in an initramfs: /etc/initrd-release is there. The hook of initramfs-tools puts it there
// too.
[[nodiscard]] bool is_initramfs();

// Call first in main(), with its argument: the two functions below need it.
void remember_arguments(char** argv);
// Whoever ends all processes, when the root is switched and at the end of a shutdown, leaves this
// one alone: the first character of its command line, as others read it, becomes '@'.
void survive_shutdown();
// True if that process has said so.
[[nodiscard]] bool survives_shutdown(pid_t pid);

// Runs this program again, with the same arguments, from copies of it and of its libraries in
// memory, so that nothing of it is ever read from a file: the file may lie on the device that it
// serves. Returns only if that cannot be had: io, not_supported.
[[nodiscard]] Error run_from_memory();
// True in a process that does. Descriptors of the copies are closed by the first call.
[[nodiscard]] bool runs_from_memory();

// Follows a switch of the root file system. A process that was started in an initramfs keeps that
// one's root directory, where after the switch there is no /dev, /sys, /proc or /run any more.
class RootFollower {
 public:
  // Call it before the switch. Outside of an initramfs it does nothing.
  RootFollower();
  // Makes the root directory of process 1 that of this process, if the one it has is empty. Call it
  // now and then. True once it has done so.
  bool follow();

 private:
  FileDescriptor proc_;  // moved along by the switch
};

}  // namespace dmremap::os
