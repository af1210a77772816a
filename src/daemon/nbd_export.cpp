// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/nbd_export.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.hpp"
#include "frontend/nbd/listening_socket.hpp"
#include "os/packet_socket.hpp"

namespace dmremap::daemon {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// For clients that have just closed their connection.
constexpr milliseconds kLeaveTimeout{1000};
// nbdkit says hello as soon as it has loaded the plugin, and ends as soon as no client keeps it. If
// it takes longer, it is killed.
constexpr milliseconds kHelloTimeout{30'000};
constexpr milliseconds kEndTimeout{5000};
// Between the end of an nbdkit and the start of the next, doubled each time; from the beginning
// after one that served for a while.
constexpr milliseconds kFirstDelay{100};
constexpr milliseconds kLongestDelay{10'000};
constexpr milliseconds kServedWell{2000};

// For poll(2): 0 if it has passed.
int until(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

}  // namespace

NbdExport::NbdExport(remap::Disk& disk, NbdSocket socket, const NbdExportOptions& options)
    : socket_(std::move(socket)),
      uri_(nbd::unix_uri(socket_.path())),
      disk_(disk, options.zeroes_fast, options.gate),
      relay_(disk_, clients_, options.read_only),
      ending_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Result<std::unique_ptr<NbdExport>> NbdExport::start(remap::Disk& disk, NbdSocket socket,
                                                    const NbdExportOptions& options) {
  std::unique_ptr<NbdExport> out(new NbdExport(disk, std::move(socket), options));
  if (!out->ending_.valid()) return fail_errno(errno, "make an event", {});
  out->thread_ = std::thread([&self = *out] { self.supervise(); });
  std::unique_lock<std::mutex> lock(out->mutex_);
  out->first_known_.wait(lock, [&] { return out->first_.has_value(); });
  const Result<void> first = *out->first_;
  lock.unlock();
  if (!first) return failure_of(first);
  return out;
}

NbdExport::~NbdExport() {
  end();
}

Result<void> NbdExport::close() {
  if (clients_.close(kLeaveTimeout)) return {};
  return fail(ErrorCode::device_in_use,
              fmt::format("is in use: connected to by {}", fmt::join(clients_.names(), ", ")), uri_,
              "end that use first");
}

void NbdExport::end() {
  if (!thread_.joinable()) return;
  // While this process still listens: nobody else can have made a socket of this name yet.
  socket_.remove();
  is_ending_.store(true);
  const std::uint64_t one = 1;
  // Written once: it cannot be full.
  [[maybe_unused]] const ssize_t written = ::write(ending_.get(), &one, sizeof one);
  thread_.join();
}

std::string NbdExport::trouble() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return trouble_;
}

void NbdExport::note_trouble(std::string trouble) {
  const std::lock_guard<std::mutex> lock(mutex_);
  trouble_ = std::move(trouble);
}

void NbdExport::note_serving() {
  const std::lock_guard<std::mutex> lock(mutex_);
  trouble_.clear();
  if (first_) {
    log(Severity::info, "nbdkit serves again");
    return;
  }
  first_.emplace();
  first_known_.notify_all();
}

bool NbdExport::fail_start(const std::string& how) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (first_) return false;
  first_ = fail(ErrorCode::io, "nbdkit does not serve: " + how, socket_.path(),
                "see that nbdkit works here, or use another --export");
  first_known_.notify_all();
  return true;
}

bool NbdExport::sleep_unless_ending(int milliseconds) const {
  pollfd wake{ending_.get(), POLLIN, 0};
  (void)::poll(&wake, 1, milliseconds);
  return !is_ending_.load();
}

void NbdExport::supervise() {
  milliseconds delay = kFirstDelay;
  while (!is_ending_.load()) {
    const auto begun = steady_clock::now();
    const std::string how = run_nbdkit();
    note_trouble(fmt::format("nbdkit {}, and is started again", how));
    // A write that was under way must not come after one that its client sends to the next nbdkit.
    relay_.settle();
    if (is_ending_.load() || fail_start(how)) break;
    if (steady_clock::now() - begun >= kServedWell) delay = kFirstDelay;
    log(Severity::error,
        fmt::format("nbdkit {}; the set goes on, and NBD clients can connect again when nbdkit has "
                    "been started again, in {} ms",
                    how, delay.count()));
    if (!sleep_unless_ending(static_cast<int>(delay.count()))) break;
    delay = std::min(2 * delay, kLongestDelay);
  }
}

std::string NbdExport::run_nbdkit() {
  relay_.expect_hello();
  auto sockets = os::make_packet_sockets();
  if (!sockets) return sockets.error().message();
  auto nbdkit = NbdkitProcess::start(socket_.fd(), sockets->theirs.get());
  sockets->theirs.reset();
  if (!nbdkit) return nbdkit.error().message();
  watch(*nbdkit, sockets->ours.get());
  std::string how = nbdkit->wait();
  if (relay_.has_greeted() || nbdkit->last_line().empty()) return how;
  return nbdkit->last_line();
}

// Answers the plugin until nbdkit has ended.
void NbdExport::watch(NbdkitProcess& nbdkit, int control) {
  const auto hello_deadline = steady_clock::now() + kHelloTimeout;
  steady_clock::time_point end_deadline;
  bool is_asked_to_end = false;
  std::array<pollfd, 4> fds{{{ending_.get(), POLLIN, 0},
                             {nbdkit.end_fd(), POLLIN, 0},
                             {nbdkit.output_fd(), POLLIN, 0},
                             {control, POLLIN, 0}}};
  auto& [ending, end, output, talk] = fds;
  while (true) {
    int timeout = -1;
    if (is_asked_to_end) {
      timeout = until(end_deadline);
    } else if (!relay_.has_greeted()) {
      timeout = until(hello_deadline);
    }
    if (timeout == 0) nbdkit.kill();
    if (::poll(fds.data(), fds.size(), timeout == 0 ? -1 : timeout) < 0) continue;
    if (ending.revents != 0) {
      ending.fd = -1;  // not looked at any more
      is_asked_to_end = true;
      end_deadline = steady_clock::now() + kEndTimeout;
      nbdkit.ask_to_end();
    }
    if (talk.revents != 0) {
      const bool had_greeted = relay_.has_greeted();
      if (!relay_.answer(control)) {
        // It has ended, or is of no use without this socket.
        talk.fd = -1;
        nbdkit.kill();
      } else if (!had_greeted && relay_.has_greeted()) {
        note_serving();
      }
    }
    if (output.revents != 0 && !nbdkit.log_output()) output.fd = -1;
    if (end.revents != 0) break;
  }
  (void)nbdkit.log_output();
}

}  // namespace dmremap::daemon
