// SPDX-License-Identifier: GPL-2.0-or-later
// Serves memory as a disk through the FUSE front end and, with --loop, a loop device; takes orders
// from standard input, one a line, and answers each with one line of JSON. tests/fuse/ram_disk.py
// is the other side.
//
//   ram_server MOUNTFILE BYTES [--block BYTES] [--read-only] [--loop] [--link PATH] [--threads N]
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/parse.hpp"
#include "frontend/fuse/fuse_frontend.hpp"
#include "frontend/fuse/loop_device.hpp"
#include "os/process.hpp"
#include "tests/fuse/ram_disk.hpp"

namespace {

using dmremap::Error;
using dmremap::Result;
using dmremap::SectorCount;
using dmremap::SectorRange;
using dmremap::fuse::FuseFrontend;
using dmremap::fuse::LoopDevice;
using dmremap::fuse::RamDisk;
using nlohmann::json;

json as_json(const Error& error) {
  return {{"error",
           {{"code", name_of(error.code)},
            {"what", error.what},
            {"where", error.where},
            {"hint", error.hint}}}};
}

json as_json(const Result<void>& result) {
  return result ? json{{"ok", true}} : as_json(result.error());
}

class Server {
 public:
  Server(RamDisk& engine, std::unique_ptr<FuseFrontend> front, std::unique_ptr<LoopDevice> loop)
      : engine_(engine), front_(std::move(front)), loop_(std::move(loop)) {}

  // False when there is nothing more to serve.
  bool obey(const std::string& order) {
    std::istringstream words(order);
    std::string verb;
    std::string argument;
    words >> verb >> argument;
    if (verb == "read" || verb == "write" || verb == "lost" || verb == "slow") {
      answer(add_fault(verb, argument, words));
    } else if (verb == "flush-error") {
      engine_.change_faults([&](auto& faults) { faults.flush_error = std::stoi(argument); });
      answer({{"ok", true}});
    } else if (verb == "no-zeroing") {
      engine_.change_faults([](auto& faults) { faults.zeroing = false; });
      answer({{"ok", true}});
    } else if (verb == "clear") {
      engine_.change_faults([](auto& faults) { faults = {}; });
      answer({{"ok", true}});
    } else if (verb == "counts") {
      answer(counts());
    } else if (verb == "save") {
      std::vector<char> bytes(engine_.geometry().size.bytes());
      engine_.copy_out({0}, std::as_writable_bytes(std::span(bytes)));
      std::ofstream file(argument, std::ios::binary);
      file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      answer({{"ok", file.good()}});
    } else if (verb == "detach") {
      answer(loop_ ? as_json(loop_->detach()) : json{{"ok", true}});
    } else if (verb == "stop") {
      const auto stopped = front_->stop();
      answer(as_json(stopped));
      return !stopped.has_value();
    } else {
      answer({{"error", {{"what", "unknown order " + verb}}}});
    }
    return true;
  }

  void greet() const {
    json hello{{"path", front_->path()}};
    if (loop_) hello["node"] = loop_->node();
    if (loop_) hello["stable"] = loop_->stable();
    answer(hello);
  }

 private:
  static void answer(const json& what) { std::cout << what.dump() << std::endl; }

  json add_fault(const std::string& kind, const std::string& where, std::istringstream& words) {
    const auto range = dmremap::parse_range(where);
    if (!range) return as_json(range.error());
    engine_.change_faults([&](auto& faults) {
      if (kind == "read") faults.read.push_back(*range);
      if (kind == "write") faults.write.push_back(*range);
      if (kind == "lost") faults.lost.push_back(*range);
      if (kind == "slow") {
        int milliseconds = 0;
        words >> milliseconds;
        faults.delay = std::chrono::milliseconds(milliseconds);
        faults.slow.push_back(*range);
      }
    });
    return {{"ok", true}};
  }

  [[nodiscard]] json counts() const {
    const auto counts = engine_.counts();
    return {{"reads", counts.reads},          {"writes", counts.writes},
            {"flushes", counts.flushes},      {"fua_writes", engine_.fua_writes()},
            {"zeroings", engine_.zeroings()}, {"misaligned", engine_.misaligned()},
            {"busiest", engine_.busiest()},   {"open_handles", front_->open_handles()},
            {"ended", front_->ended()}};
  }

  RamDisk& engine_;
  std::unique_ptr<FuseFrontend> front_;
  std::unique_ptr<LoopDevice> loop_;
};

int complain(const Error& error) {
  std::cout << as_json(error).dump() << std::endl;
  return 1;
}

int run(int argc, char** argv) {
  CLI::App app{"memory as a disk"};
  dmremap::fuse::FuseOptions front;
  dmremap::fuse::LoopOptions loop;
  std::uint64_t size_bytes = 0;
  bool with_loop = false;
  app.add_option("mountfile", front.mount_path)->required();
  app.add_option("bytes", size_bytes)->required();
  app.add_option("--block", loop.logical_block_bytes);
  app.add_option("--link", loop.stable_link);
  app.add_option("--threads", front.threads);
  app.add_flag("--read-only", front.read_only);
  app.add_flag("--loop", with_loop);
  CLI11_PARSE(app, argc, argv);

  // Without what could not be had: these tests also run as an ordinary user.
  (void)dmremap::os::protect_io_process();
  RamDisk engine({.size = SectorCount::from_bytes(size_bytes),
                  .logical_block_bytes = loop.logical_block_bytes,
                  .physical_block_bytes = 4096});
  if (auto cleared = dmremap::fuse::clear_leftovers(front.mount_path, loop.stable_link); !cleared) {
    return complain(cleared.error());
  }
  auto frontend = FuseFrontend::start(engine, front);
  if (!frontend) return complain(frontend.error());
  std::unique_ptr<LoopDevice> device;
  if (with_loop) {
    loop.backing_path = (*frontend)->path();
    loop.read_only = front.read_only;
    auto attached = LoopDevice::attach(loop);
    if (!attached) return complain(attached.error());
    device = std::move(*attached);
  }
  Server server(engine, std::move(*frontend), std::move(device));
  server.greet();
  std::string order;
  while (std::getline(std::cin, order)) {
    if (!server.obey(order)) return 0;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ram_server: %s\n", error.what());
    return 1;
  }
}
