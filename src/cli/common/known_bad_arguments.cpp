// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/known_bad_arguments.hpp"

#include <utility>

#include <fmt/format.h>

namespace dmremap::cli {

namespace {

Result<std::int64_t> parse_offset(const std::string& text) {
  const bool negative = text.starts_with('-');
  const auto sectors = parse_sector(std::string_view(text).substr(negative ? 1 : 0));
  if (!sectors || sectors->value >= kAddressLimitSectors) {
    return fail(
        ErrorCode::usage, "not an offset in sectors", text,
        "give a number of sectors of 512 bytes, such as 2048 or -2048, or bytes with a unit, such "
        "as 1MiB");
  }
  const auto value = static_cast<std::int64_t>(sectors->value);
  return negative ? -value : value;
}

Result<transfer::KnownBadForm> parse_form(const KnownBadArguments& arguments) {
  transfer::KnownBadForm out;
  if (!arguments.format.empty()) {
    const auto format = transfer::known_bad_format(arguments.format);
    if (!format) return failure_of(format);
    out.format = *format;
  }
  if (!arguments.block_size.empty()) {
    const auto bytes = parse_size(arguments.block_size);
    if (!bytes) return failure_of(bytes);
    if (auto fine = lists::check_badblocks_size(*bytes); !fine) return failure_of(fine);
    out.block_bytes = *bytes;
  }
  out.device = arguments.device;
  if (!out.device.empty() &&
      out.format.value_or(transfer::KnownBadFormat::kernel) != transfer::KnownBadFormat::kernel) {
    return fail(ErrorCode::usage, "only a kernel log names disks", arguments.device,
                "leave out the name of the disk, or the format");
  }
  return out;
}

}  // namespace

void add_list_options(manual::Verb verb, KnownBadArguments& arguments, const std::string& prefix) {
  verb.add_option(prefix + "device", arguments.device,
                  "of a kernel log: whose errors, by the name that main had then")
      .type_name("DISK");
  const manual::Option offset =
      verb.add_option(prefix + "offset", arguments.offset,
                      "the list is of a partition that begins at this sector of main; negative: of "
                      "the whole disk, and main begins there")
          .type_name("SECTOR");
  verb.add_option(prefix + "partition", arguments.partition,
                  "the list is of this partition of main; or, if it is main, of its whole disk")
      .type_name("DEVICE")
      .excludes(offset);
  verb.add_flag(prefix + "round", arguments.round,
                "round ranges out to physical blocks of main: fewer entries in the table");
}

Error with_round_hint(Error error, const KnownBadArguments& arguments, const std::string& prefix) {
  if (error.code != ErrorCode::metadata_full || arguments.round) return error;
  error.hint = fmt::format("{}round makes fewer entries, of whole physical blocks{}{}", prefix,
                           error.hint.empty() ? "" : "; ", error.hint);
  return error;
}

Result<transfer::KnownBadSource> parse(const KnownBadArguments& arguments) {
  transfer::KnownBadSource out;
  auto form = parse_form(arguments);
  if (!form) return failure_of(form);
  out.form = std::move(*form);
  if (!arguments.offset.empty()) {
    const auto offset = parse_offset(arguments.offset);
    if (!offset) return failure_of(offset);
    out.place.offset = *offset;
  }
  out.place.partition = arguments.partition;
  out.round = arguments.round;
  return out;
}

}  // namespace dmremap::cli
