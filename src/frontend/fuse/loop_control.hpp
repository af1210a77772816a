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

// Whether the loop device is attached to the file that `backing` was taken of. Its name alone does
// not tell: the kernel calls a file "/" whose mount was taken out of the tree (umount -l). `name`
// is asked only where the file does not answer any more. Asks the file's server: it must be
// running.
[[nodiscard]] bool is_view_of(const std::string& node, const std::string& name,
                              const struct stat& backing);

// A loop device that was free a moment ago, its node in /dev (made where nothing else does).
// not_supported, permission, io.
[[nodiscard]] Result<std::string> next_free_loop();

// Opens the device so that nobody else can mount or hold it. device_in_use, naming who, if somebody
// has it mounted, held or open; those that only look at it in passing, as udev does, are waited
// for.
[[nodiscard]] Result<FileDescriptor> hold_unused(const std::string& node, bool read_only);

// Ends the attachment and waits until it is over. `held` is from hold_unused. device_in_use if it
// did not end in time; the device is as before then.
[[nodiscard]] Result<void> clear_loop(const std::string& node, FileDescriptor held,
                                      std::chrono::milliseconds patience);

// Points `link` at `node`, replacing what is there in one step; makes the link's directory.
[[nodiscard]] Result<void> place_link(const std::string& link, const std::string& node);
// Removes it if it is a link to `node`.
void remove_link(const std::string& link, const std::string& node);

}  // namespace dmremap::fuse
