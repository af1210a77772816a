// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/background.hpp"

#include <csignal>
#include <exception>
#include <utility>

#include "base/file_descriptor.hpp"
#include "base/log.hpp"
#include "daemon/reporter.hpp"
#include "os/background.hpp"
#include "os/descriptor_io.hpp"
#include "os/spawn.hpp"

namespace dmremap::daemon {

namespace {

Result<void> run_child(os::Announcement announcement, const StartOptions& options,
                       const control::RuntimeDir& runtime) {
  // The child inherits the caller's open files; a daemon must not keep them open.
  os::close_all_but(announcement.fd());
  ::signal(SIGPIPE, SIG_IGN);
  // The log takes the place of stderr when the set's name is known.
  if (auto left = os::leave_terminal(FileDescriptor()); !left) return left;
  Reporter reporter(std::move(announcement), runtime);
  Result<void> ended;
  try {
    ended = run_daemon(options, runtime, reporter);
  } catch (const std::exception& error) {
    ended = fail(ErrorCode::internal, error.what(), {}, "report this");
  }
  if (!ended) {
    if (reporter.has_told()) log(Severity::error, ended.error().message());
    reporter.failed(ended.error());
  }
  return ended;
}

Result<control::StartReport> wait_for_child(const os::BackgroundFork& parent) {
  const std::string said = os::read_to_end(parent.announced.get());
  if (said.empty()) {
    const std::string end = os::end_in_words(os::wait_for(parent.child_pid));
    return fail(ErrorCode::internal, "the process that was to serve the set " + end, {},
                "see its log in the runtime directory");
  }
  auto served = report_in(said);
  // It ends by itself; when it has, nothing of it is left.
  if (!served) (void)os::wait_for(parent.child_pid);
  return served;
}

}  // namespace

BackgroundStart start_in_background(const StartOptions& options,
                                    const control::RuntimeDir& runtime) {
  BackgroundStart out;
  auto fork = os::fork_to_background();
  if (!fork) {
    out.served = failure_of(fork);
  } else if (fork->child) {
    out.is_child = true;
    out.ended = run_child(std::move(*fork->child), options, runtime);
  } else {
    out.served = wait_for_child(*fork);
  }
  return out;
}

}  // namespace dmremap::daemon
