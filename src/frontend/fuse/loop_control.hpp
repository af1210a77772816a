// SPDX-License-Identifier: GPL-2.0-or-later
// The steps that attaching, detaching and clearing away loop devices are made of.
#pragma once

#include <chrono>
#include <string>

#include <sys/stat.h>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::fuse {

// The file behind a loop device ("/dev/loop3") as the kernel names it, without " (deleted)"; empty
// if it is free.
[[nodiscard]] std::string backing_file_of(const std::string& node);

// True if the loop device is attached to the file that `backing` was taken of. The name of its file
// does not tell: the kernel names a file "/" if its mount was taken out of the tree (umount -l).
// `name` is compared only if the file does not answer any more. Asks the server of the file, which
// must be running.
[[nodiscard]] bool is_view_of(const std::string& node, const std::string& name,
                              const struct stat& backing);

// A loop device that was free a moment ago. Makes its node in /dev if nothing else does. Errors:
// not_supported, permission, io.
[[nodiscard]] Result<std::string> next_free_loop();

// Opens the device so that no other program can mount or hold it. Error device_in_use, naming the
// users, if one has it mounted, held or open. Programs that open it for a moment only, as udev
// does, are waited for.
[[nodiscard]] Result<FileDescriptor> hold_unused(const std::string& node, bool read_only);

// Ends the attachment and waits until it is over. `held` is from hold_unused. device_in_use if a
// program opened it at the last moment and did not close it within ten seconds; the device is as
// before then. Other processes of dmremap that look at it, one after the other, are waited for a
// minute.
[[nodiscard]] Result<void> clear_loop(const std::string& node, FileDescriptor held);

}  // namespace dmremap::fuse
