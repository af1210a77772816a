// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/background.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/log.hpp"
#include "control/protocol.hpp"
#include "daemon/reporter.hpp"

namespace dmremap::daemon {

namespace {

using nlohmann::json;

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

Result<json> wait_for_child(const FileDescriptor& pipe, pid_t child) {
  const std::string said = read_report(pipe);
  if (said.empty()) {
    return fail(ErrorCode::internal,
                "the process that was to serve the set " + end_of_process(child), {},
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
  out.served = wait_for_child(from_child, child);
  return out;
}

}  // namespace dmremap::daemon
