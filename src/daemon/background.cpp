// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/background.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/log.hpp"
#include "control/protocol.hpp"

namespace dmremap::daemon {

namespace {

using nlohmann::json;

void redirect(const char* path, int flags, int target) {
  const FileDescriptor fd(::open(path, flags | O_CLOEXEC, 0600));
  // Without it the daemon merely keeps what it had.
  if (fd.valid()) ::dup2(fd.get(), target);
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

// Tells the waiting parent, once.
class Reporter final : public ServeObserver {
 public:
  Reporter(FileDescriptor pipe, const control::RuntimeDir& runtime)
      : pipe_(std::move(pipe)), runtime_(runtime) {}

  void named(const std::string& name) override {
    log_path_ = runtime_.log(name);
    log_is_new_ = ::access(log_path_.c_str(), F_OK) != 0;
    redirect(log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, STDERR_FILENO);
  }
  bool serving(const json& what) override {
    json answer = control::make_answer();
    answer["served"] = what;
    return tell(answer);
  }
  void failed(const Error& error) {
    const bool told_before = has_told();
    // A start that is refused leaves nothing behind.
    if (!told_before && log_is_new_) ::unlink(log_path_.c_str());
    tell(control::make_answer(error));
  }
  [[nodiscard]] bool has_told() const { return !pipe_.valid(); }

 private:
  bool tell(const json& answer) {
    if (!pipe_.valid()) return false;
    const bool told = write_all(pipe_.get(), control::to_line(answer));
    pipe_.reset();
    return told;
  }

  FileDescriptor pipe_;
  const control::RuntimeDir& runtime_;
  std::string log_path_;
  bool log_is_new_ = false;
};

// The child inherits the caller's open files; a daemon must not keep them open.
void close_all_but(int kept) {
  const auto edge = static_cast<unsigned>(kept);
  if (edge > 3) ::close_range(3, edge - 1, 0);
  ::close_range(edge + 1, ~0U, 0);
}

Result<void> run_child(FileDescriptor pipe, const ServeOptions& options,
                       const control::RuntimeDir& runtime) {
  ::setsid();
  close_all_but(pipe.get());
  ::signal(SIGPIPE, SIG_IGN);
  redirect("/dev/null", O_RDONLY, STDIN_FILENO);
  redirect("/dev/null", O_WRONLY, STDOUT_FILENO);
  redirect("/dev/null", O_WRONLY, STDERR_FILENO);
  if (::chdir("/") != 0) return {};  // it always can; then the caller's directory stays in use
  Reporter reporter(std::move(pipe), runtime);
  Result<void> ended;
  try {
    ended = serve(options, runtime, reporter);
  } catch (const std::exception& error) {
    ended = fail(ErrorCode::internal, error.what(), {}, "report this");
  }
  if (!ended) {
    if (reporter.has_told()) log(Severity::error, ended.error().message());
    reporter.failed(ended.error());
  }
  return ended;
}

Result<json> wait_for_child(FileDescriptor pipe, pid_t child) {
  std::string said;
  while (true) {
    std::array<char, 4096> chunk;
    const ssize_t got = ::read(pipe.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    said.append(chunk.data(), static_cast<std::size_t>(got));
  }
  if (said.empty()) {
    int status = 0;
    ::waitpid(child, &status, 0);
    const std::string how = WIFSIGNALED(status)
                                ? fmt::format("was killed by signal {}", WTERMSIG(status))
                                : fmt::format("ended with status {}", WEXITSTATUS(status));
    return fail(ErrorCode::internal, "the process that was to serve the set " + how, {},
                "see its log in the runtime directory");
  }
  auto answer = control::parse_answer(said);
  if (!answer) {
    // It ends by itself; when it has, nothing of it is left.
    ::waitpid(child, nullptr, 0);
    return tl::unexpected(answer.error());
  }
  return (*answer)["served"];
}

}  // namespace

Background serve_in_background(const ServeOptions& options, const control::RuntimeDir& runtime) {
  Background out;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    out.served = fail_errno(errno, "make a pipe", {});
    return out;
  }
  FileDescriptor from_child(ends[0]);
  FileDescriptor to_parent(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) {
    out.served = fail_errno(errno, "start a process", {});
    return out;
  }
  if (child == 0) {
    from_child.reset();
    out.is_child = true;
    out.ended = run_child(std::move(to_parent), options, runtime);
    return out;
  }
  to_parent.reset();
  out.served = wait_for_child(std::move(from_child), child);
  return out;
}

}  // namespace dmremap::daemon
