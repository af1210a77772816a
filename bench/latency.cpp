// SPDX-License-Identifier: GPL-2.0-or-later
// bench_latency DEVICE ...: sends requests and prints how long each took, in nanoseconds. For
// bench/scrub.py, which starts very many of these at once: fio uses a tenth of a second of
// processor time before its first request, and then others wait for that.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/aligned_buffer.hpp"
#include "base/file_descriptor.hpp"
#include "sim/dice.hpp"

namespace dmremap::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string device;
  bool write = false;
  bool random = false;
  std::uint64_t block = 4096;
  unsigned depth = 1;
  std::uint64_t requests = 1;
  std::uint64_t burst = 0;  // of requests, with a pause before each; 0: no pause
  unsigned pause_ms = 0;
  std::uint64_t size = 0;  // of what is used
  std::uint64_t seed = 1;
};

[[noreturn]] void give_up(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// One run. The kernel's asynchronous I/O: a queue of up to `depth` requests, in this order.
class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        fd_(::open(options.device.c_str(),
                   (options.write ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC)),
        dice_(options.seed),
        buffer_(options.block * options.depth),
        begun_(options.depth),
        controls_(options.depth) {
    if (!fd_.valid()) give_up("open " + options.device);
    if (::syscall(SYS_io_setup, options.depth, &context_) != 0) give_up("io_setup");
  }
  ~Run() { ::syscall(SYS_io_destroy, context_); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  std::vector<std::uint64_t> latencies() {
    while (sent_ < options_.requests) {
      if (options_.burst != 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(options_.pause_ms));
      }
      const std::uint64_t left = options_.requests - sent_;
      send_burst(options_.burst == 0 ? left : std::min(left, options_.burst));
    }
    return std::move(latencies_);
  }

 private:
  void send_burst(std::uint64_t count) {
    const std::uint64_t until = sent_ + count;
    for (unsigned slot = 0; slot < options_.depth && sent_ < until; ++slot) send(slot);
    while (in_flight_ > 0) {
      io_event event{};
      if (::syscall(SYS_io_getevents, context_, 1, 1, &event, nullptr) != 1) {
        if (errno == EINTR) continue;
        give_up("io_getevents");
      }
      const auto now = Clock::now();
      const auto slot = static_cast<unsigned>(event.data);
      if (event.res != static_cast<std::int64_t>(options_.block)) {
        errno = event.res < 0 ? static_cast<int>(-event.res) : EIO;
        give_up("a request");
      }
      latencies_.push_back(static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(now - begun_[slot]).count()));
      --in_flight_;
      if (sent_ < until) send(slot);
    }
  }

  void send(unsigned slot) {
    const std::uint64_t places = options_.size / options_.block;
    const std::uint64_t place = options_.random ? dice_.below(places) : sent_ % places;
    iocb& control = controls_[slot];
    control = {};
    control.aio_data = slot;
    control.aio_lio_opcode = options_.write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
    control.aio_fildes = static_cast<std::uint32_t>(fd_.get());
    control.aio_buf =
        reinterpret_cast<std::uint64_t>(buffer_.span().data()) + slot * options_.block;
    control.aio_nbytes = options_.block;
    control.aio_offset = static_cast<std::int64_t>(place * options_.block);
    iocb* one = &control;
    begun_[slot] = Clock::now();
    if (::syscall(SYS_io_submit, context_, 1, &one) != 1) give_up("io_submit");
    ++sent_;
    ++in_flight_;
  }

  const Options options_;
  const FileDescriptor fd_;
  sim::Dice dice_;
  AlignedBuffer buffer_;
  std::vector<Clock::time_point> begun_;  // by slot, as the next
  std::vector<iocb> controls_;
  aio_context_t context_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t in_flight_ = 0;
  std::vector<std::uint64_t> latencies_;
};

int run(int argc, char** argv) {
  CLI::App app("Sends requests and prints how long each took, in ns");
  Options options;
  app.add_option("DEVICE", options.device, "a block device or a file")->required();
  app.add_flag("--write", options.write, "instead of reads");
  app.add_flag("--random", options.random, "random places, instead of one after the other");
  app.add_option("--block", options.block, "bytes of a request");
  app.add_option("--depth", options.depth, "requests at once")->check(CLI::Range(1U, 1024U));
  app.add_option("--requests", options.requests, "how many, all together");
  app.add_option("--burst", options.burst, "a pause, then so many");
  app.add_option("--pause-ms", options.pause_ms, "how long");
  app.add_option("--size", options.size, "bytes of the device that are used")->required();
  app.add_option("--seed", options.seed, "of the random places");
  CLI11_PARSE(app, argc, argv);
  if (options.block == 0 || options.block % 512 != 0 || options.size < options.block) {
    fmt::print(stderr, "bench_latency: a block is a multiple of 512 and fits --size\n");
    return EXIT_FAILURE;
  }
  std::string out;
  for (const std::uint64_t latency : Run(options).latencies()) out += fmt::format("{}\n", latency);
  fmt::print("{}", out);
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace dmremap::bench

int main(int argc, char** argv) {
  try {
    return dmremap::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_latency: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
