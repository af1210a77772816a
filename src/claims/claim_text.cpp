// SPDX-License-Identifier: GPL-2.0-or-later
#include "claims/claim_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "discovery/host_configuration.hpp"
#include "discovery/set_name.hpp"

namespace dmremap::claims {

namespace {

using format::Fact;
using format::FactKind;

struct FactKey {
  FactKind kind;
  std::string_view key;
};
// The words are part of the file's format.
constexpr std::array<FactKey, 19> kFactKeys{{{FactKind::naa, "naa"},
                                             {FactKind::eui, "eui"},
                                             {FactKind::nvme_uuid, "nvme-uuid"},
                                             {FactKind::nguid, "nguid"},
                                             {FactKind::nvme_legacy, "nvme-legacy"},
                                             {FactKind::serial, "serial"},
                                             {FactKind::bridge_id, "bridge-id"},
                                             {FactKind::bridge_serial, "bridge-serial"},
                                             {FactKind::shared_name, "shared-name"},
                                             {FactKind::dm_uuid, "dm-uuid"},
                                             {FactKind::md_uuid, "md-uuid"},
                                             {FactKind::disk_below, "disk-below"},
                                             {FactKind::partition_uuid, "partition-uuid"},
                                             {FactKind::partition_start, "partition-start"},
                                             {FactKind::image, "image"},
                                             {FactKind::attachment, "attachment"},
                                             {FactKind::table_uuid, "table-uuid"},
                                             {FactKind::file_system_uuid, "file-system-uuid"},
                                             {FactKind::file_system_label, "file-system-label"}}};

// Paths and serial numbers are any bytes; what would break a line, and the backslash, as \xNN.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '\\') {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      out += text[at];
      continue;
    }
    const std::string_view digits = text.substr(at, 4);
    unsigned byte = 0;
    if (digits.size() != 4 || digits[1] != 'x') return std::nullopt;
    const auto [end, error] = std::from_chars(digits.data() + 2, digits.data() + 4, byte, 16);
    if (error != std::errc{} || end != digits.data() + 4) return std::nullopt;
    out += static_cast<char>(byte);
    at += 3;
  }
  return out;
}

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

bool is_link_of_udev(const std::string& path) {
  return path.starts_with("/dev/") && !path.ends_with('/') && path.find("//") == std::string::npos;
}

std::string device_text(const ClaimedDevice& device) {
  std::string out =
      fmt::format("path = {}\nsize-sectors = {}\nlogical-block-bytes = {}\n", escaped(device.path),
                  device.size.value, device.logical_block_bytes);
  for (const Fact& fact : device.facts) {
    const auto* const known = std::ranges::find(kFactKeys, fact.kind, &FactKey::kind);
    if (known != kFactKeys.end()) out += fmt::format("{} = {}\n", known->key, escaped(fact.value));
  }
  return out;
}

// Parses one file, line by line. Every member that takes a line returns what is wrong with it, or
// an empty text.
class Parser {
 public:
  Result<Claim> parse(std::string_view text, const std::string& path) {
    while (!text.empty()) {
      const std::size_t length = text.find('\n');
      const bool is_whole = length != std::string_view::npos;
      ++line_;
      std::string wrong = is_whole ? take(text.substr(0, length)) : "it is cut off";
      if (!wrong.empty()) return damaged(wrong, path);
      text.remove_prefix(length + 1);
    }
    if (!ended_) return damaged("it is cut off", path);
    if (auto wrong = check_whole(); !wrong.empty()) return damaged(wrong, path);
    return std::move(claim_);
  }

 private:
  enum class Part { set, main, spare };

  [[nodiscard]] tl::unexpected<Error> damaged(const std::string& wrong,
                                              const std::string& path) const {
    return fail(ErrorCode::claim_damaged, fmt::format("is damaged, line {}: {}", line_, wrong),
                path,
                "`dmremap start` with the set's devices writes it anew, `dmremap claims --forget` "
                "removes it");
  }

  std::string take(std::string_view line) {
    if (line.empty() || line.front() == '#') return {};
    if (ended_) return "something follows its end";
    if (line.front() == '[') return begin_part(line);
    const std::size_t sign = line.find(" = ");
    if (sign == std::string_view::npos) return "it is no setting";
    auto value = unescaped(line.substr(sign + 3));
    if (!value) return "a backslash begins no byte";
    return set(std::string(line.substr(0, sign)), std::move(*value));
  }

  std::string begin_part(std::string_view line) {
    seen_.clear();
    if (line == "[main]") {
      if (std::exchange(has_main_, true)) return "it names main twice";
      part_ = Part::main;
    } else if (line == "[spare]") {
      claim_.spares.emplace_back();
      part_ = Part::spare;
    } else if (line == "[end]") {
      ended_ = true;
    } else {
      return "it is no part of a claim";
    }
    return {};
  }

  std::string set(const std::string& key, std::string value) {
    if (part_ != Part::set) {
      const auto* const fact = std::ranges::find(kFactKeys, key, &FactKey::key);
      // A device may have several names of one kind.
      if (fact != kFactKeys.end()) {
        if (value.empty()) return key + " is empty";
        device().facts.push_back({fact->kind, std::move(value)});
        return {};
      }
    }
    if (!seen_.insert(key).second) return key + " is there twice";
    return part_ == Part::set ? set_of_set(key, std::move(value))
                              : set_of_device(key, std::move(value));
  }

  std::string set_of_set(const std::string& key, std::string value) {
    if (key == "claim-version") {
      has_version_ = number_of<int>(value) == kClaimVersion;
      return has_version_ ? "" : "it is of another version of dm-remap";
    }
    if (!has_version_) return "the version is missing";
    bool fine = true;
    if (key == "name") {
      fine = discovery::is_set_name(value);
      claim_.name = std::move(value);
    } else if (key == "set") {
      const auto uuid = parse_uuid(value);
      fine = uuid.has_value();
      claim_.set_uuid = uuid.value_or(Uuid{});
    } else if (key == "machine-id") {
      claim_.host.machine_id = std::move(value);
    } else if (key == "product-uuid") {
      claim_.host.product_uuid = std::move(value);
    } else if (key == "enabled" || key == "served") {
      fine = value == "yes" || value == "no";
      (key == "enabled" ? claim_.enabled : claim_.served) = value == "yes";
      ++switches_;
    } else if (key == "sectors-elsewhere") {
      const auto count = number_of<std::uint64_t>(value);
      fine = count.has_value();
      claim_.sectors_elsewhere = count.value_or(0);
      ++switches_;
    } else if (key == "wait-seconds") {
      const auto seconds = discovery::boot_wait_of(value);
      fine = seconds.has_value();
      claim_.wait_s = seconds.value_or(0);
    } else if (key == "wait-recorded") {
      fine = value == "yes" || value == "no";
      claim_.wait_is_recorded = value == "yes";
    } else if (key == "links") {
      std::istringstream words(value);
      claim_.links.assign(std::istream_iterator<std::string>(words), {});
      fine = std::ranges::all_of(claim_.links, is_link_of_udev);
    }
    return fine ? "" : key + " makes no sense";
  }

  std::string set_of_device(const std::string& key, std::string value) {
    bool fine = true;
    if (key == "uuid" && part_ == Part::spare) {
      const auto uuid = parse_uuid(value);
      fine = uuid.has_value();
      claim_.spares.back().uuid = uuid.value_or(Uuid{});
    } else if (key == "path") {
      device().path = std::move(value);
    } else if (key == "size-sectors") {
      const auto size = number_of<std::uint64_t>(value);
      fine = size.has_value();
      device().size = {size.value_or(0)};
    } else if (key == "logical-block-bytes") {
      const auto bytes = number_of<std::uint32_t>(value);
      fine = bytes.has_value();
      device().logical_block_bytes = bytes.value_or(0);
    }
    return fine ? "" : key + " makes no sense";
  }

  ClaimedDevice& device() {
    return part_ == Part::main ? claim_.main : claim_.spares.back().device;
  }

  // What is wrong with the claim as a whole.
  [[nodiscard]] std::string check_whole() const {
    constexpr int kSwitches = 3;
    if (claim_.name.empty() || claim_.set_uuid.is_nil()) return "the name or UUID is missing";
    if (switches_ != kSwitches) return "it does not say whether main may be used";
    if (!has_main_ || claim_.main.path.empty()) return "main is missing";
    if (claim_.spares.empty()) return "the spare is missing";
    for (const ClaimedSpare& spare : claim_.spares) {
      if (spare.uuid.is_nil() || spare.device.path.empty()) return "a spare is not named";
      if (names_same_device(claim_.main, spare.device)) return "main and spare are one device";
    }
    return {};
  }

  static bool names_same_device(const ClaimedDevice& a, const ClaimedDevice& b) {
    return !a.facts.empty() && a.facts == b.facts;
  }

  Claim claim_;
  Part part_ = Part::set;
  int line_ = 0;
  int switches_ = 0;
  bool has_version_ = false;
  bool has_main_ = false;
  bool ended_ = false;
  std::set<std::string> seen_;  // keys of this part
};

const char* yes_or_no(bool value) {
  return value ? "yes" : "no";
}

}  // namespace

std::string to_text(const Claim& claim) {
  std::string out = fmt::format(
      "# What this host keeps of a set of dm-remap, so that nobody mounts its bare main.\n"
      "# Written by dmremap; see dmremap-claims(8).\n"
      "claim-version = {}\nname = {}\nset = {}\nmachine-id = {}\nproduct-uuid = {}\n"
      "enabled = {}\nserved = {}\nsectors-elsewhere = {}\nwait-seconds = {}\nwait-recorded = {}\n",
      kClaimVersion, claim.name, to_string(claim.set_uuid), escaped(claim.host.machine_id),
      escaped(claim.host.product_uuid), yes_or_no(claim.enabled), yes_or_no(claim.served),
      claim.sectors_elsewhere, claim.wait_s, yes_or_no(claim.wait_is_recorded));
  // udev puts no blanks into its links.
  if (!claim.links.empty())
    out += escaped(fmt::format("links = {}", fmt::join(claim.links, " "))) + "\n";
  out += "\n[main]\n" + device_text(claim.main);
  for (const ClaimedSpare& spare : claim.spares) {
    out += fmt::format("\n[spare]\nuuid = {}\n", to_string(spare.uuid)) + device_text(spare.device);
  }
  return out + "\n[end]\n";
}

Result<Claim> parse_claim(std::string_view text, const std::string& path) {
  return Parser().parse(text, path);
}

}  // namespace dmremap::claims
