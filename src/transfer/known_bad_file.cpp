// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/known_bad_file.hpp"

#include <array>
#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/parse.hpp"
#include "io/replace_file.hpp"
#include "lists/mapfile.hpp"
#include "lists/text_lines.hpp"

namespace dmremap::transfer {

namespace {

using format::Extent;
using format::State;
using Status = lists::MapfileArea::Status;

constexpr std::string_view kProgram = "dm-remap";
constexpr std::size_t kLargestFile = std::size_t{256} * kMiB;

// Tells the format by the first line: one word is a badblocks list, two numbers are md's. A mapfile
// begins with a number and a status, a kernel log with anything.
KnownBadFormat format_of(std::string_view text) {
  const auto first = lists::TextLines(text).next();
  if (!first) return KnownBadFormat::badblocks;
  const auto& words = first->words;
  const bool number = parse_number(words[0]).has_value();
  if (words.size() == 2 && number && parse_number(words[1])) return KnownBadFormat::md;
  if (!number && lists::is_kernel_log(text)) return KnownBadFormat::kernel;
  return words.size() > 1 ? KnownBadFormat::ddrescue : KnownBadFormat::badblocks;
}

// The size that the areas cover. If ddrescue does not know the size of its device, it ends the map
// at the largest number, or with an untried area far beyond any device.
std::optional<SectorCount> covered_by(const std::vector<lists::MapfileArea>& areas) {
  if (areas.empty()) return std::nullopt;
  const std::uint64_t end = areas.back().first_byte + areas.back().bytes;
  if (end / kSectorBytes >= kAddressLimitSectors) return std::nullopt;
  return SectorCount{align_up(end, kSectorBytes) / kSectorBytes};
}

Result<KnownBadList> parse_ddrescue(std::string_view text, const std::string& name) {
  const auto areas = lists::parse_mapfile(text, name);
  if (!areas) return failure_of(areas);
  KnownBadList list;
  list.covered = covered_by(*areas);
  table::KnownBad& out = list.sectors;
  for (const lists::MapfileArea& area : *areas) {
    switch (area.status) {
      case Status::bad:
        out.lost.push_back(area.sectors());
        break;
      case Status::non_trimmed:
      case Status::non_scraped:
        out.suspect.push_back(area.sectors());
        break;
      case Status::untried:
      case Status::finished:
        break;
    }
  }
  return list;
}

Status status_of(State state) {
  switch (state) {
    case State::suspect:
      return Status::non_trimmed;
    case State::lost:
    case State::gone:
    case State::remapped:
      return Status::bad;
    case State::good:
    case State::retired:
      break;
  }
  return Status::untried;
}

std::string print_ddrescue(std::span<const Extent> extents, SectorCount size, bool complete) {
  const Status rest = complete ? Status::finished : Status::untried;
  std::vector<lists::MapfileArea> areas;
  Sector at;
  const auto put = [&](Sector end, Status status) {
    areas.push_back({at.byte_offset(), (end - at).bytes(), status});
    at = end;
  };
  for (const Extent& extent : extents) {
    put(extent.main().first, rest);
    const Status status = status_of(extent.state());
    // Suspect sectors can be read, so a complete mapfile counts them as finished.
    put(extent.main().end(), complete && status == Status::non_trimmed ? rest : status);
  }
  put(Sector{} + size, rest);
  return lists::print_mapfile(areas, kProgram);
}

bool is_rescue_of_others(std::string_view text) {
  if (text.starts_with(fmt::format("# Mapfile. Created by {}\n", kProgram))) return false;
  return format_of(text) == KnownBadFormat::ddrescue && lists::parse_mapfile(text, {});
}

Result<std::string> read_all(int fd, const std::string& path) {
  std::string out;
  std::vector<char> piece(64 * kKiB);
  while (true) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read it", path, errno == EISDIR ? "give a file" : "");
    if (got == 0) return out;
    out.append(piece.data(), static_cast<std::size_t>(got));
    if (out.size() > kLargestFile) {
      return fail(ErrorCode::usage, "is far too large for a list of bad sectors", path,
                  "give a list of bad sectors");
    }
  }
}

}  // namespace

std::string_view name_of(KnownBadFormat format) {
  return format == KnownBadFormat::ddrescue ? "ddrescue" : "badblocks";
}

Result<KnownBadFormat> known_bad_format(std::string_view name) {
  for (const auto format : {KnownBadFormat::ddrescue, KnownBadFormat::badblocks, KnownBadFormat::md,
                            KnownBadFormat::kernel}) {
    if (name == name_of(format)) return format;
  }
  return fail(ErrorCode::usage, "no such format of known-bad lists", std::string(name),
              "give ddrescue, badblocks, md or kernel");
}

Result<KnownBadList> parse_known_bad(std::string_view text, const std::string& name,
                                     const KnownBadForm& form) {
  KnownBadList out;
  out.format = form.format.value_or(form.device.empty() ? format_of(text) : KnownBadFormat::kernel);
  switch (out.format) {
    case KnownBadFormat::ddrescue:
      return parse_ddrescue(text, name);
    case KnownBadFormat::badblocks: {
      if (auto size = lists::check_badblocks_size(form.block_bytes); !size) {
        return failure_of(size);
      }
      auto lost = lists::parse_badblocks(text, name, form.block_bytes);
      if (!lost) return failure_of(lost);
      out.sectors.lost = std::move(*lost);
      out.block = SectorCount::from_bytes(form.block_bytes);
      return out;
    }
    case KnownBadFormat::md: {
      auto lost = lists::parse_md_bad_blocks(text, name);
      if (!lost) return failure_of(lost);
      out.sectors.lost = std::move(*lost);
      return out;
    }
    case KnownBadFormat::kernel: {
      auto errors = lists::parse_kernel_log(text, name, form.device);
      if (!errors) return failure_of(errors);
      out.sectors = {std::move(errors->lost), std::move(errors->suspect)};
      return out;
    }
  }
  return out;
}

Result<KnownBadList> read_known_bad(const std::string& path, const KnownBadForm& form) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, "open it", path, "give a list of bad sectors");
  const auto text = read_all(file.get(), path);
  if (!text) return failure_of(text);
  return parse_known_bad(*text, path, form);
}

Result<std::string> read_list(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, "open it", path, "give a ddrescue mapfile");
  return read_all(file.get(), path);
}

Result<std::vector<lists::MapfileArea>> read_mapfile(const std::string& path) {
  const auto text = read_list(path);
  if (!text) return failure_of(text);
  return lists::parse_mapfile(*text, path);
}

std::string print_known_bad(std::span<const Extent> extents, SectorCount size,
                            const KnownBadForm& form) {
  if (form.format.value_or(KnownBadFormat::ddrescue) == KnownBadFormat::ddrescue) {
    return print_ddrescue(extents, size, form.complete);
  }
  std::vector<SectorRange> bad;
  for (const Extent& extent : extents) {
    if (status_of(extent.state()) == Status::bad) bad.push_back(extent.main());
  }
  return lists::print_badblocks(bad, form.block_bytes);
}

Result<void> write_known_bad(const std::string& path, std::string_view text, bool force) {
  struct stat st {};
  if (!force && ::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode)) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return fail_errno(errno, "open it", path);
    const auto old = read_all(file.get(), path);
    if (old && is_rescue_of_others(*old)) {
      return fail(ErrorCode::file_exists, "holds the progress of a rescue", path,
                  "give another file, or overwrite it with --force");
    }
  }
  return io::write_file(path, text);
}

}  // namespace dmremap::transfer
