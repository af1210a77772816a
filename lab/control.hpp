// SPDX-License-Identifier: GPL-2.0-or-later
// How the other commands reach the process that serves a mount file: a Unix socket, mode 0600, in
// the runtime directory, found from the absolute path of the mount file.
//
// One request a connection, one line of JSON each way:
//   {"version":1,"op":"fault",...}  ->  {"result":{...}} or {"error":{code,what,where,hint}}
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>
#include <sys/types.h>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "os/line_socket.hpp"

namespace dmremap::lab {

inline constexpr int kProtocolVersion = 1;

// Where a lab keeps what belongs to one mount file. `prefix` + ".sock", ".log".
struct RuntimeFiles {
  std::string directory;  // os::runtime_directory
  std::string stem;       // lab-HASH, of the absolute path of the mount file

  [[nodiscard]] std::string socket() const { return directory + "/" + stem + ".sock"; }
  [[nodiscard]] std::string log() const { return directory + "/" + stem + ".log"; }

  // `mountfile` is absolute. Makes nothing. Error usage: there is no place for runtime files.
  static Result<RuntimeFiles> of(const std::string& mountfile);
};

// The serving end. Belongs to one thread.
class ControlSocket {
 public:
  using Answer = std::function<Result<nlohmann::json>(const nlohmann::json& request)>;

  // Takes the place of a socket whose lab has died. The caller holds the mount file, so that no
  // other lab can be behind it.
  static Result<ControlSocket> listen(const RuntimeFiles& files);

  ControlSocket(ControlSocket&&) = default;
  ControlSocket& operator=(ControlSocket&&) = delete;
  ~ControlSocket();  // removes the socket

  [[nodiscard]] int descriptor() const { return fd_.get(); }
  // Takes one connection and answers it. A client that says nothing is dropped after a few seconds.
  void serve_one(const Answer& answer);

 private:
  ControlSocket(std::string path, FileDescriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  FileDescriptor fd_;
};

// The asking end.
class ControlClient {
 public:
  // Error not_running: no lab serves this mount file.
  static Result<ControlClient> connect(const RuntimeFiles& files, const std::string& mountfile);

  // The `result` of the answer, or its error. Once for each connection.
  [[nodiscard]] Result<nlohmann::json> ask(nlohmann::json request);
  // Waits until the serving process has ended. Error timeout.
  [[nodiscard]] Result<void> wait_for_end(std::chrono::milliseconds limit) const;

 private:
  ControlClient(std::string mountfile, os::LineSocket lines, FileDescriptor process)
      : mountfile_(std::move(mountfile)), lines_(std::move(lines)), process_(std::move(process)) {}
  std::string mountfile_;
  os::LineSocket lines_;
  FileDescriptor process_;  // a pidfd
};

}  // namespace dmremap::lab
