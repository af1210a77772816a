// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/progress_line.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include "base/size_text.hpp"
#include "cli/common/output.hpp"

namespace dmremap::cli {

namespace {

constexpr std::chrono::milliseconds kEvery{500};

std::string time_text(std::uint64_t seconds) {
  if (seconds >= 3600) return fmt::format("{} h {:02} min", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
}

}  // namespace

ProgressLine::ProgressLine(std::uint64_t before)
    : terminal_(::isatty(STDERR_FILENO) == 1 && !is_quiet()), before_(before) {}

void ProgressLine::show(std::uint64_t done, std::uint64_t size, std::string_view doing) {
  const auto now = Clock::now();
  if (!terminal_ || now < next_) return;
  next_ = now + kEvery;
  size = std::max<std::uint64_t>(1, size);
  done = std::min(done, size);
  const double seconds = std::max(0.001, std::chrono::duration<double>(now - begun_).count());
  const double rate = static_cast<double>(done - std::min(done, before_)) / seconds;
  const std::string left =
      rate < 1 ? "?"
               : time_text(static_cast<std::uint64_t>(static_cast<double>(size - done) / rate));
  const std::string bar(20 * done / size, '#');
  fmt::print(stderr, "\r[{:20}] {:3} %  {}{}{} of {}  {}/s  {} left \x1b[K", bar, 100 * done / size,
             doing, doing.empty() ? "" : " ", size_text({done}), size_text({size}),
             size_text({static_cast<std::uint64_t>(rate)}), left);
  std::fflush(stderr);
}

void ProgressLine::end() {
  if (!terminal_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

}  // namespace dmremap::cli
