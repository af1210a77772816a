// SPDX-License-Identifier: GPL-2.0-or-later
// The directory in which running sets are found: sockets, logs, mount files, pid files.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::control {

class RuntimeDir {
 public:
  // The directories that the environment names. The runtime directory is that of
  // os::runtime_directory. Data that outlives a boot lies in $DMREMAP_STATE_DIR, else in a runtime
  // directory that the environment names, else in /var/lib/dm-remap for root, else in
  // $XDG_STATE_HOME/dm-remap (~/.local/state). What is decided for this host lies in
  // $DMREMAP_CONFIG_DIR, else in such a runtime directory, else in /etc/dm-remap for root; other
  // users have none. Makes nothing. Error usage if there is no runtime directory.
  static Result<RuntimeDir> from_environment();
  explicit RuntimeDir(std::string path) : path_(std::move(path)), state_(path_), config_(path_) {}
  RuntimeDir(std::string path, std::string state, std::string config)
      : path_(std::move(path)), state_(std::move(state)), config_(std::move(config)) {}

  // The same with data that outlives a boot in another directory.
  [[nodiscard]] RuntimeDir with_state_in(std::string directory) const {
    return RuntimeDir(path_, std::move(directory), config_);
  }

  // Makes the runtime directory, like os::make_runtime_directory.
  [[nodiscard]] Result<void> make() const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string socket(const std::string& name) const { return file(name, ".sock"); }
  [[nodiscard]] std::string log(const std::string& name) const { return file(name, ".log"); }
  [[nodiscard]] std::string mount_file(const std::string& name) const { return file(name, ".dev"); }
  [[nodiscard]] std::string pid_file(const std::string& name) const { return file(name, ".pid"); }
  [[nodiscard]] std::string memory_file(const std::string& name) const {
    return file(name, ".memory");
  }
  [[nodiscard]] std::string nbd_socket(const std::string& name) const { return file(name, ".nbd"); }
  // What the drive was set to before the set started (set/drive_timeouts.hpp).
  [[nodiscard]] std::string drive_timeouts_file(const std::string& name) const {
    return file(name, ".drive-timeouts");
  }
  // The file that keeps what a run knew if it is killed (discovery/run_memory.hpp).
  [[nodiscard]] std::string memory(const std::string& name) const { return file(name, ".memory"); }
  // The directory with the last known facts of each set. It outlives a boot, unless the environment
  // names the runtime directory and no other directory for it.
  [[nodiscard]] std::string hints() const { return state_ + "/known"; }
  // The directory with the claims of this host (claims/claim_store.hpp); empty: this user has none.
  [[nodiscard]] std::string claims() const {
    return config_.empty() ? std::string() : config_ + "/claims.d";
  }

  // A directory of sets that this user may not look into, this one or root's; empty: there is none.
  // Then names() and a look for a set by name say nothing of the sets in there.
  [[nodiscard]] std::string hidden_sets() const;

  // Names with a pid file, running or dead, sorted.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  [[nodiscard]] std::string file(const std::string& name, std::string_view suffix) const;
  std::string path_;
  std::string state_;
  std::string config_;
};

// Held by a daemon from before it touches a device until it ends; the kernel lets go of it when the
// process dies, however it dies. The pid inside is for messages.
class PidFile {
 public:
  // Error name_in_use, naming the pid, while another process holds it. Waits up to 10 s for one
  // that was killed and is not gone yet.
  static Result<PidFile> take(const std::string& path);
  PidFile(PidFile&&) = default;
  PidFile& operator=(PidFile&&) = default;
  ~PidFile();  // removes the file, then lets go

 private:
  PidFile(std::string path, FileDescriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  FileDescriptor fd_;
};

// The daemon that holds the pid file now; none: it is dead or never was. 0: it runs, but has not
// written its pid yet.
[[nodiscard]] std::optional<pid_t> holder_of(const std::string& pid_file);
// The pid of the daemon that left the pid file behind. It ended without a stop, because a stop
// removes the file. Empty if a running daemon holds the file, or if there is none; 0 if the daemon
// died before it wrote its pid.
[[nodiscard]] std::optional<pid_t> dead_holder_of(const std::string& pid_file);

}  // namespace dmremap::control
