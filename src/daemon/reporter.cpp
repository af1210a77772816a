// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/reporter.hpp"

#include <array>
#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "control/protocol.hpp"

namespace dmremap::daemon {

using nlohmann::json;

namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

}  // namespace

void Reporter::named(const std::string& name) {
  log_path_ = runtime_.log(name);
  log_is_new_ = log_to_runtime_dir(runtime_, name);
}

bool Reporter::serving(const json& what) {
  json answer = control::make_answer();
  answer["served"] = what;
  const bool told = tell(answer);
  pipe_.reset();
  return told;
}

void Reporter::failed(const Error& error) {
  if (has_told()) return;
  if (log_is_new_) ::unlink(log_path_.c_str());
  tell(control::make_answer(error));
}

bool Reporter::tell(const json& answer) {
  return pipe_.valid() && write_all(pipe_.get(), control::to_line(answer));
}

bool log_to_runtime_dir(const control::RuntimeDir& runtime, const std::string& name) {
  const std::string path = runtime.log(name);
  const bool is_new = ::access(path.c_str(), F_OK) != 0;
  redirect(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, STDERR_FILENO);
  return is_new;
}

void redirect(const char* path, int flags, int target) {
  const FileDescriptor fd(::open(path, flags | O_CLOEXEC, 0600));
  if (fd.valid()) ::dup2(fd.get(), target);
}

std::string read_report(const FileDescriptor& pipe) {
  std::string said;
  while (true) {
    std::array<char, 4096> chunk;
    const ssize_t got = ::read(pipe.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return said;
    said.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

std::string end_of_process(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? fmt::format("was killed by signal {}", WTERMSIG(status))
                             : fmt::format("ended with status {}", WEXITSTATUS(status));
}

}  // namespace dmremap::daemon
