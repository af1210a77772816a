// SPDX-License-Identifier: GPL-2.0-or-later
// A loop device over the file OURS is detached while somebody looks at it, and in the moment in
// which it is free it is attached to the file THEIRS: the detaching is over, and what is attached
// now is left alone. Root.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include "base/file_descriptor.hpp"
#include "frontend/fuse/loop_device.hpp"

namespace {

using dmremap::FileDescriptor;

std::string attribute(const std::string& node, const std::string& name) {
  const auto disk = std::filesystem::path(node).filename().string();
  std::ifstream file("/sys/block/" + disk + "/loop/" + name);
  std::string value;
  std::getline(file, value);
  return value;
}

// Opens the device, closes it once the kernel is to detach it at the last close, and takes it. A
// process of its own would be waited for.
class Onlooker {
 public:
  Onlooker(const std::string& node, const char* theirs)
      : looks_(::open(node.c_str(), O_RDONLY | O_CLOEXEC)),
        thread_([this, node, theirs] { take(node, theirs); }) {}

  ~Onlooker() { join(); }

  Onlooker(const Onlooker&) = delete;
  Onlooker& operator=(const Onlooker&) = delete;

  void join() {
    ends_ = true;
    if (thread_.joinable()) thread_.join();
  }

  // Holds it open: without a user the kernel would detach it.
  [[nodiscard]] bool has_taken() const { return taken_.valid(); }

 private:
  void take(const std::string& node, const char* theirs) {
    while (attribute(node, "autoclear") != "1" && !ends_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    looks_.reset();
    const FileDescriptor file(::open(theirs, O_RDWR | O_CLOEXEC));
    loop_config config{};
    config.fd = static_cast<__u32>(file.get());
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    while (!taken_.valid() && !ends_) {
      FileDescriptor device(::open(node.c_str(), O_RDWR | O_CLOEXEC));
      if (device.valid() && ::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) {
        taken_ = std::move(device);
      }
    }
  }

  std::atomic<bool> ends_ = false;
  FileDescriptor looks_;
  FileDescriptor taken_;
  std::thread thread_;
};

enum class Outcome { well, failed, taken_by_a_third };

Outcome failed(const std::string& what) {
  fmt::print(stderr, "loop_taken_over: {}\n", what);
  return Outcome::failed;
}

Outcome take_over(const char* ours, const char* theirs) {
  auto device = dmremap::fuse::LoopDevice::attach({.backing_path = ours, .stable_link = {}});
  if (!device) return failed(device.error().message());
  const std::string node = (*device)->node();
  Onlooker onlooker(node, theirs);
  const auto detached = (*device)->detach();
  onlooker.join();
  if (!detached) return failed("detaching: " + detached.error().message());
  if (!onlooker.has_taken()) return Outcome::taken_by_a_third;
  if (attribute(node, "autoclear") != "1") return failed("the other's settings were changed");
  return Outcome::well;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: loop_taken_over OURS THEIRS\n");
    return 2;
  }
  // Other tests take free loop devices too.
  constexpr int kTries = 20;
  for (int tries = 0; tries < kTries; ++tries) {
    const Outcome outcome = take_over(argv[1], argv[2]);
    if (outcome != Outcome::taken_by_a_third) return outcome == Outcome::well ? 0 : 1;
  }
  fmt::print(stderr, "loop_taken_over: others were always faster\n");
  return 1;
}
