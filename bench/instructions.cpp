// SPDX-License-Identifier: GPL-2.0-or-later
// bench_instructions REQUESTS: clean 4 KiB requests through the engine, as the NBD front end makes
// them, and plainly to the same
// file, each kind between two marks for callgrind. bench/instructions.py runs it and reads the
// counts; run without valgrind it prints nothing.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <vector>

#include <unistd.h>
#include <valgrind/callgrind.h>

#include "base/aligned_buffer.hpp"
#include "frontend/nbd/nbd_disk.hpp"
#include "rig.hpp"
#include "storage.hpp"

namespace dmremap::bench {

namespace {

constexpr SectorCount kMainSize{131'072};  // 64 MiB
constexpr SectorCount kBlock{8};

std::vector<Sector> places(std::size_t count) {
  std::vector<Sector> out;
  std::uint64_t state = 1;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
    out.push_back({(state >> 33U) % (kMainSize.value / kBlock.value) * kBlock.value});
  }
  return out;
}

// What `request` runs, instruction by instruction, under the name `kind`. Once before: what a first
// request sets up is not part of every request.
template <typename Request>
void count(const char* kind, const std::vector<Sector>& at, const Request& request) {
  for (const Sector sector : at) request(sector);
  CALLGRIND_ZERO_STATS;
  for (const Sector sector : at) request(sector);
  CALLGRIND_DUMP_STATS_AT(kind);
}

void need(bool ok) {
  if (!ok) std::abort();
}

// With one block in a hundred on the spare no region is clean, and every request has to look.
void count_among_remapped(const std::vector<Sector>& at, AlignedBuffer& buffer) {
  Image main("/dev/shm", kMainSize);
  Image spare("/dev/shm");
  RunningEngine engine(
      main.device(), spare.device(),
      spread_extents(kMainSize.value / kBlock.value / 100, kBlock, kMainSize, kFirstFree));
  count("engine read, 1 % remapped", at,
        [&](Sector s) { need(engine->read(s, buffer.span()).ok()); });
  count("engine write, 1 % remapped", at,
        [&](Sector s) { need(engine->write(s, buffer.span(), false).ok()); });
}

void run(std::size_t requests) {
  Image main("/dev/shm", kMainSize);
  Image spare("/dev/shm", SectorCount::from_bytes(32 * kMiB));
  RunningEngine engine(main.device(), spare.device());
  AlignedBuffer buffer(kBlock.bytes());
  const int fd = main.device().fd();
  const auto offset = [](Sector at) { return static_cast<off_t>(at.byte_offset()); };
  const auto size = static_cast<ssize_t>(buffer.size());
  const auto at = places(requests);
  count("plain read", at, [&](Sector s) {
    need(::pread(fd, buffer.span().data(), buffer.size(), offset(s)) == size);
  });
  count("engine read", at, [&](Sector s) { need(engine->read(s, buffer.span()).ok()); });
  const auto begin_and_finish = [&](remap::Request request) {
    auto direct = engine->begin(request);
    need(direct.has_value());
    const io::IoStatus status = remap::issue(*direct);
    need(engine->finish(std::move(*direct), status).has_value());
  };
  count("begun read", at, [&](Sector s) {
    begin_and_finish(
        {.kind = remap::Request::Kind::read, .range = {s, kBlock}, .out = buffer.span()});
  });
  count("begun write", at, [&](Sector s) {
    begin_and_finish(
        {.kind = remap::Request::Kind::write, .range = {s, kBlock}, .data = buffer.span()});
  });
  nbd::NbdDisk disk(*engine, false);
  count("nbd read", at, [&](Sector s) { need(disk.read(s.byte_offset(), buffer.span()) == 0); });
  count("plain write", at, [&](Sector s) {
    need(::pwrite(fd, buffer.span().data(), buffer.size(), offset(s)) == size);
  });
  count("engine write", at, [&](Sector s) { need(engine->write(s, buffer.span(), false).ok()); });
  count("nbd write", at,
        [&](Sector s) { need(disk.write(s.byte_offset(), buffer.span(), false) == 0); });
  count_among_remapped(at, buffer);
}

}  // namespace

}  // namespace dmremap::bench

int main(int argc, char** argv) {
  try {
    dmremap::bench::run(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1'000);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_instructions: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
