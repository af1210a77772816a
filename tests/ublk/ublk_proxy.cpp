// SPDX-License-Identifier: GPL-2.0-or-later
// A ublk disk that sends each read and write straight to a block device, in the ring of its queue.
//
//   ublk_proxy DEVICE [--queues N] [--late-at SECTOR] [--recover ID] [--buffers KIB]
//              [--inline 1] [--rounds N]
//
// Prints the disk's path once it is there, and serves until SIGTERM stops it. Flushes are answered
// by another thread. With --late-at, a request for that sector fails with ETIMEDOUT after half a
// second while the device still works on it. With --inline, all is done and answered by the thread
// of the queue before begin() returns. With --rounds, it leaves the disk and takes it over itself,
// so often, before it waits for SIGTERM.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "os/process.hpp"
#include "ublk/server.hpp"

namespace {

using namespace dmremap;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPatience{500};
// For the queue to take an answer; by then the kernel may have used the tag again.
constexpr milliseconds kCommitPatience{1'500};

class Proxy final : public ublk::Handler {
 public:
  Proxy(int device, std::optional<Sector> late_at, bool answers_inline)
      : device_(device), late_at_(late_at), answers_inline_(answers_inline) {
    flusher_ = std::thread([this] { flush_until_the_end(); });
    if (late_at_) timer_ = std::thread([this] { fail_the_late(); });
  }
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;
  ~Proxy() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    flusher_.join();
    if (timer_.joinable()) timer_.join();
  }

  ublk::Step begin(ublk::Request& request) override {
    if (answers_inline_) {
      request.answer(do_now(request));
      return ublk::Step::later();
    }
    switch (request.operation()) {
      case ublk::Operation::read:
      case ublk::Operation::write:
        return ublk::Step::direct(
            device_, request.range().first.byte_offset(), request.fua(),
            late_at_ && request.range().contains(*late_at_) ? remember(request) : nullptr);
      case ublk::Operation::flush: {
        const std::lock_guard lock(mutex_);
        flushes_.push_back(&request);
        changed_.notify_all();
        return ublk::Step::later();
      }
      default:
        return ublk::Step::answer(EOPNOTSUPP);
    }
  }

  ublk::Step direct_done(ublk::Request* request, void* cookie, int error) override {
    if (cookie == nullptr) return ublk::Step::answer(error);
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(flights_.begin(), flights_.end(),
                                    [cookie](const Flight& it) { return &it == cookie; });
    const bool answered = found->answered;
    const auto took = steady_clock::now() - found->begun;
    const bool long_ago = answered && took > kPatience + kCommitPatience;
    flights_.erase(found);
    if (long_ago && request != nullptr) {
      fmt::print(stderr, "a request came back that was answered long ago\n");
      std::abort();
    }
    return answered ? ublk::Step::later() : ublk::Step::answer(error);
  }

 private:
  struct Flight {
    ublk::Request* request = nullptr;
    steady_clock::time_point begun;
    bool answered = false;
    ublk::BufferPool::Lease lease{};
  };

  [[nodiscard]] int do_now(const ublk::Request& request) const {
    const std::span<std::byte> data = request.data();
    const auto at = static_cast<off_t>(request.range().first.byte_offset());
    switch (request.operation()) {
      case ublk::Operation::read:
        return ::pread(device_, data.data(), data.size(), at) < 0 ? errno : 0;
      case ublk::Operation::write:
        return ::pwrite(device_, data.data(), data.size(), at) < 0 ? errno : 0;
      case ublk::Operation::flush:
        return ::fdatasync(device_) < 0 ? errno : 0;
      default:
        return EOPNOTSUPP;
    }
  }

  void* remember(ublk::Request& request) {
    const std::lock_guard lock(mutex_);
    return &flights_.emplace_back(Flight{.request = &request, .begun = steady_clock::now()});
  }

  void flush_until_the_end() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ending_ || !flushes_.empty(); });
      if (flushes_.empty()) return;
      ublk::Request* const request = flushes_.front();
      flushes_.pop_front();
      lock.unlock();
      request->answer(::fdatasync(device_) == 0 ? 0 : errno);
      lock.lock();
    }
  }

  void fail_the_late() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, milliseconds(20), [this] { return ending_; })) {
      const auto late = steady_clock::now() - kPatience;
      for (Flight& flight : flights_) {
        if (flight.answered || flight.begun > late) continue;
        flight.answered = true;
        flight.lease = flight.request->answer_early(ETIMEDOUT);
      }
    }
  }

  const int device_;
  const std::optional<Sector> late_at_;
  const bool answers_inline_;
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::deque<ublk::Request*> flushes_;
  std::list<Flight> flights_;
  bool ending_ = false;
  std::thread flusher_;
  std::thread timer_;
};

struct Options {
  std::string device;
  unsigned queues = 0;
  std::optional<Sector> late_at;
  bool answers_inline = false;
  unsigned rounds = 0;
  std::optional<std::uint32_t> recover;
  std::size_t buffers = std::size_t{8} << 20;
};

std::optional<Options> parse(int argc, char** argv) {
  Options out;
  if (argc < 2) return std::nullopt;
  out.device = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const auto value = static_cast<unsigned>(std::stoul(argv[i + 1]));
    if (name == "--queues") {
      out.queues = value;
    } else if (name == "--late-at") {
      out.late_at = Sector{value};
    } else if (name == "--inline") {
      out.answers_inline = value != 0;
    } else if (name == "--rounds") {
      out.rounds = value;
    } else if (name == "--recover") {
      out.recover = value;
    } else if (name == "--buffers") {
      out.buffers = std::size_t{value} * 1024;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

Result<std::unique_ptr<ublk::Server>> serve(Proxy& proxy, const Options& given, int device) {
  if (given.recover) {
    return ublk::Server::recover(proxy, *given.recover, given.buffers, milliseconds(30'000));
  }
  std::uint64_t bytes = 0;
  if (::ioctl(device, BLKGETSIZE64, &bytes) != 0) return fail_errno(errno, "size", given.device);
  ublk::Server::Options options;
  options.disk.size = SectorCount::from_bytes(bytes);
  options.disk.volatile_cache = true;
  options.disk.fua = true;
  options.queues = given.queues;
  options.buffer_bytes = given.buffers;
  return ublk::Server::create(proxy, options);
}

// Long enough for some requests.
constexpr milliseconds kRound{20};

Result<void> leave_and_return(Proxy& proxy, std::unique_ptr<ublk::Server>& server, Options given) {
  given.recover = server->id();
  for (unsigned round = 1; round <= given.rounds; ++round) {
    std::this_thread::sleep_for(kRound);
    server.reset();
    auto again = serve(proxy, given, -1);
    if (!again) return failure_of(again);
    server = std::move(*again);
    fmt::print("round {}\n", round);
    std::fflush(stdout);
  }
  return {};
}

int run(const Options& given) {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const FileDescriptor asked(::signalfd(-1, &signals, SFD_CLOEXEC));
  // As a set does that serves its own memory's disk: what is locked is then what an idle one costs.
  for (const std::string& missing : os::protect_io_process()) fmt::print(stderr, "{}\n", missing);
  const FileDescriptor device(::open(given.device.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
  if (!device.valid()) {
    std::perror(given.device.c_str());
    return 1;
  }
  Proxy proxy(device.get(), given.late_at, given.answers_inline);
  auto server = serve(proxy, given, device.get());
  if (!server) {
    fmt::print(stderr, "ublk_proxy: {}\n", server.error().message());
    return 1;
  }
  fmt::print("{}\n", (*server)->path());
  std::fflush(stdout);
  if (auto returned = leave_and_return(proxy, *server, given); !returned) {
    fmt::print(stderr, "ublk_proxy: {}\n", returned.error().message());
    return 1;
  }
  while (true) {
    pollfd waited[2] = {{.fd = asked.get(), .events = POLLIN, .revents = 0},
                        {.fd = (*server)->ended(), .events = POLLIN, .revents = 0}};
    if (::poll(waited, 2, -1) < 0) continue;
    if ((waited[1].revents & POLLIN) != 0) return 2;  // somebody else has stopped it
    signalfd_siginfo info{};
    [[maybe_unused]] const ssize_t got = ::read(asked.get(), &info, sizeof info);
    const auto stopped = (*server)->stop();
    if (stopped) return 0;
    fmt::print("refused: {}\n", stopped.error().message());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto given = parse(argc, argv);
  if (!given) {
    fmt::print(stderr,
               "usage: ublk_proxy DEVICE [--queues N] [--late-at SECTOR] [--recover ID] [--buffers "
               "KIB]\n");
    return 2;
  }
  return run(*given);
}
