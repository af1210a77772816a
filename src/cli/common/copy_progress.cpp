// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/copy_progress.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/common/output.hpp"

namespace dmremap::cli {

namespace {

constexpr std::chrono::milliseconds kEvery{500};

std::uint64_t settled(const transfer::CopyMap& map) {
  using Status = transfer::CopyMap::Status;
  return map.size().value - map.count(Status::untried).value - map.count(Status::non_scraped).value;
}

std::string time_text(std::uint64_t seconds) {
  if (seconds >= 3600) return fmt::format("{} h {:02} min", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
}

}  // namespace

CopyProgress::CopyProgress(const transfer::CopyMap& map)
    : terminal_(::isatty(STDERR_FILENO) == 1), before_(settled(map)) {}

void CopyProgress::show(const transfer::CopyMap& map) {
  const auto now = Clock::now();
  if (!terminal_ || now < next_) return;
  next_ = now + kEvery;
  const std::uint64_t size = std::max<std::uint64_t>(1, map.size().value);
  const std::uint64_t done = settled(map);
  const double seconds = std::max(0.001, std::chrono::duration<double>(now - begun_).count());
  const double rate = std::max(1.0, static_cast<double>(done - before_) / seconds);
  const std::string bar(20 * done / size, '#');
  const bool verifying = map.count(transfer::CopyMap::Status::non_scraped).value > 0;
  fmt::print(stderr, "\r[{:20}] {:3} %  {}{} of {}  {}/s  {} left \x1b[K", bar, 100 * done / size,
             verifying ? "verifying " : "", human_size(done), human_size(size),
             human_size(static_cast<std::uint64_t>(rate)),
             time_text(static_cast<std::uint64_t>(static_cast<double>(size - done) / rate)));
  std::fflush(stderr);
}

void CopyProgress::end() {
  if (!terminal_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

}  // namespace dmremap::cli
