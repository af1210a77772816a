// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/copy_source.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "io/usage.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

std::string text_at(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::string where_of(const json& status, std::string_view kind) {
  for (const json& entry : status.value("exports", json::array())) {
    if (text_at(entry, "kind") == kind) return text_at(entry, "where");
  }
  return {};
}

tl::unexpected<Error> in_use(const std::string& where) {
  const auto uses = io::uses_of(where);
  return fail(
      ErrorCode::device_in_use,
      uses.empty() ? std::string("is in use") : fmt::format("is in use: {}", fmt::join(uses, ", ")),
      where, "unmount it, or start the set with --read-only: a copy of what changes is none");
}

}  // namespace

Result<CopySource> CopySource::open(const json& status) {
  const json conditions = status.value("conditions", json::array());
  const bool read_only = std::ranges::find(conditions, json("read-only")) != conditions.end();
  const std::string block = where_of(status, "block");
  const std::string where = block.empty() ? where_of(status, "fuse") : block;
  if (where.empty()) {
    return fail(ErrorCode::not_supported, "is served neither as a block device nor as a file",
                text_at(status, "name"), "start it with --export block or --export fuse");
  }
  CopySource out;
  if (!read_only && !block.empty()) {
    out.hold_ = FileDescriptor(::open(where.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
    if (!out.hold_.valid() && errno == EBUSY) return in_use(where);
    if (!out.hold_.valid()) return fail_errno(errno, "open", where, "try it as root");
    // What somebody wrote before is still on its way: it shall not count as written meanwhile.
    if (::fsync(out.hold_.get()) != 0) return fail_errno(errno, "write back its cache", where);
  }
  if (!read_only && block.empty() && !io::uses_of(where).empty()) return in_use(where);
  auto device = io::FileDevice::open(where, {io::Access::read_only, io::Holding::shared});
  if (!device) return tl::unexpected(device.error());
  out.device_ = std::move(*device);
  return out;
}

set::CopyStamp stamp_of(const json& status) {
  set::CopyStamp out;
  out.set_uuid = parse_uuid(text_at(status, "uuid")).value_or(Uuid{});
  out.term = status.value("term", std::uint64_t{0});
  out.writes = status.value("io", json::object()).value("writes", std::uint64_t{0});
  return out;
}

std::vector<std::string> parts_of(const json& status) {
  std::vector<std::string> out{text_at(status.value("main", json::object()), "path")};
  for (const json& spare : status.value("spares", json::array())) {
    out.push_back(text_at(spare, "path"));
  }
  for (const json& entry : status.value("exports", json::array())) {
    out.push_back(text_at(entry, "where"));
  }
  return out;
}

}  // namespace dmremap::cli
