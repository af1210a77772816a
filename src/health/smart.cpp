// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/smart.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/parse.hpp"

namespace dmremap::health {

namespace {

using nlohmann::json;

// Answers have some tens of kilobytes.
constexpr std::size_t kOutputBytesMost = 4U << 20U;
constexpr std::size_t kTextBytesMost = 64;
// More cannot be a count of sectors; a drive packs several numbers into one.
constexpr std::uint64_t kCountMost = 0xffffffff;

constexpr unsigned kExitUsage = 1U << 0U;
constexpr unsigned kExitOpen = 1U << 1U;

// The member, or null if `from` is no object or has none.
const json& member(const json& from, const char* key) {
  static const json absent;
  if (!from.is_object()) return absent;
  const auto found = from.find(key);
  return found == from.end() ? absent : *found;
}

template <typename... Keys>
const json& member(const json& from, const char* key, Keys... rest) {
  return member(member(from, key), rest...);
}

std::optional<std::uint64_t> number(const json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  return value.get<std::uint64_t>();
}

std::optional<bool> boolean(const json& value) {
  if (!value.is_boolean()) return std::nullopt;
  return value.get<bool>();
}

// A short printable text, without blanks around it.
std::string text(const json& value) {
  if (!value.is_string()) return {};
  std::string out;
  for (const char c : value.get_ref<const std::string&>()) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out.push_back(c);
  }
  const std::size_t first = out.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return out.substr(first, std::min(out.find_last_not_of(' ') + 1 - first, kTextBytesMost));
}

class Reader {
 public:
  explicit Reader(SmartReading& out) : out_(out) {}

  void identity(const json& answer) {
    out_.model = text(member(answer, "model_name"));
    if (out_.model.empty()) out_.model = text(member(answer, "scsi_model_name"));
    out_.serial = text(member(answer, "serial_number"));
    out_.capacity_bytes = number(member(answer, "user_capacity", "bytes"));
    if (!out_.capacity_bytes) out_.capacity_bytes = number(member(answer, "nvme_total_capacity"));
    const auto naa = number(member(answer, "wwn", "naa"));
    const auto oui = number(member(answer, "wwn", "oui"));
    const auto id = number(member(answer, "wwn", "id"));
    if (naa && oui && id && *naa < 16 && *oui < 1U << 24U && *id < std::uint64_t{1} << 36U) {
      out_.wwn = fmt::format("{:x}{:06x}{:09x}", *naa, *oui, *id);
    }
    if (const auto rate = number(member(answer, "rotation_rate"))) out_.rotational = *rate != 0;
    if (text(member(answer, "device", "protocol")) == "NVMe") out_.rotational = false;
  }

  void ata(const json& answer) {
    const json& table = member(answer, "ata_smart_attributes", "table");
    if (table.is_array()) {
      for (const json& row : table) attribute(row);
    }
    out_.read_recovery = recovery(member(answer, "ata_sct_erc", "read"));
    out_.write_recovery = recovery(member(answer, "ata_sct_erc", "write"));
  }

  void scsi(const json& answer) {
    set(out_.reallocated, number(member(answer, "scsi_grown_defect_list")), "grown defects");
    std::optional<std::uint64_t> errors;
    for (const char* operation : {"read", "write", "verify"}) {
      const auto some =
          number(member(answer, "scsi_error_counter_log", operation, "total_uncorrected_errors"));
      if (some && *some <= kCountMost) errors = errors.value_or(0) + *some;
    }
    set(out_.reported, errors, "uncorrected errors");
    set(out_.pending, number(member(answer, "scsi_pending_defects", "count")), "pending defects");
  }

  void nvme(const json& answer) {
    const json& log = member(answer, "nvme_smart_health_information_log");
    set(out_.critical_warning, number(member(log, "critical_warning")), "critical warning", 0xff);
    set(out_.media_errors, number(member(log, "media_errors")), "media errors");
    set(out_.available_spare, number(member(log, "available_spare")), "available spare", 100);
    set(out_.available_spare_threshold, number(member(log, "available_spare_threshold")),
        "threshold of the spare", 100);
    // 255 stands for all that is more.
    set(out_.percentage_used, number(member(log, "percentage_used")), "percentage used", 255);
  }

  void defects(const json& answer) {
    const std::uint64_t block_sectors = std::max<std::uint64_t>(
        1, number(member(answer, "logical_block_size")).value_or(512) / kSectorBytes);
    const std::uint64_t end = std::min(
        kAddressLimitSectors, out_.capacity_bytes.value_or(~std::uint64_t{0}) / kSectorBytes);
    std::vector<std::uint64_t> sectors;
    for (const char* log :
         {"ata_pending_defects_log", "scsi_pending_defects", "scsi_background_scan"}) {
      const json& entries = member(answer, log);
      collect(entries, sectors, block_sectors, end);                   // result_0, result_1 ...
      collect(member(entries, "table"), sectors, block_sectors, end);  // a list
    }
    std::ranges::sort(sectors);
    sectors.erase(std::unique(sectors.begin(), sectors.end()), sectors.end());
    if (sectors.size() > kDefectsMost) {
      sectors.resize(kDefectsMost);
      note(fmt::format("more than {} defects are logged; the first are taken", kDefectsMost));
    }
    for (const std::uint64_t sector : sectors) {
      const SectorCount count{std::min(block_sectors, end - sector)};
      if (!out_.defects.empty() && out_.defects.back().end().value == sector) {
        out_.defects.back().count = out_.defects.back().count + count;
      } else {
        out_.defects.push_back({{sector}, count});
      }
    }
  }

 private:
  void note(std::string what) {
    constexpr std::size_t kNotesMost = 16;
    if (out_.notes.size() < kNotesMost) out_.notes.push_back(std::move(what));
  }

  void set(std::optional<std::uint64_t>& field, std::optional<std::uint64_t> value,
           std::string_view name, std::uint64_t most = kCountMost) {
    if (!value) return;
    if (*value > most) {
      note(fmt::format("{}: {} is no such value; left out", name, *value));
    } else if (!field) {
      field = value;
    }
  }

  void attribute(const json& row) {
    const auto id = number(member(row, "id"));
    std::optional<std::uint64_t>* field = nullptr;
    if (id == 5U) field = &out_.reallocated;
    if (id == 187U) field = &out_.reported;
    if (id == 197U) field = &out_.pending;
    if (id == 198U) field = &out_.offline;
    if (field == nullptr) return;
    auto value = number(member(row, "raw", "value"));
    // "12 (3 0)": the raw value holds all three numbers, and the first is the count.
    const json& shown = member(row, "raw", "string");
    if (shown.is_string()) {
      const auto& digits = shown.get_ref<const std::string&>();
      std::uint64_t first = 0;
      const auto [rest, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), first);
      if (error == std::errc() && std::string_view(rest).starts_with(" (")) value = first;
    }
    set(*field, value, fmt::format("attribute {}", *id));
  }

  static std::optional<ErrorRecovery> recovery(const json& from) {
    const auto enabled = boolean(member(from, "enabled"));
    if (!enabled) return std::nullopt;
    const auto time = number(member(from, "deciseconds"));
    if (!*enabled) return ErrorRecovery{};
    if (!time || *time > 0xffff) return std::nullopt;
    return ErrorRecovery{true, static_cast<std::uint32_t>(*time)};
  }

  // Every member or element that has an address.
  void collect(const json& entries, std::vector<std::uint64_t>& sectors,
               std::uint64_t block_sectors, std::uint64_t end) {
    if (!entries.is_structured()) return;
    for (const json& entry : entries) {
      const auto lba = number(member(entry, "lba"));
      if (!lba) continue;
      if (*lba < end / block_sectors) {
        sectors.push_back(*lba * block_sectors);
      } else {
        note(fmt::format("a defect at {} lies beyond the disk; left out", *lba));
      }
    }
  }

  SmartReading& out_;
};

SmartReading nothing(SmartState state, std::string reason) {
  SmartReading out;
  out.state = state;
  out.reason = std::move(reason);
  return out;
}

// What smartctl itself had to say, in one line.
std::string message_of(const json& answer) {
  const json& messages = member(answer, "smartctl", "messages");
  std::string out;
  if (!messages.is_array()) return out;
  for (const json& one : messages) {
    const std::string line = text(member(one, "string"));
    if (line.empty() || out.size() > 200) continue;
    out += (out.empty() ? "" : "; ") + line;
  }
  return out;
}

bool has_values(const SmartReading& it) {
  return it.reallocated || it.reported || it.pending || it.offline || it.critical_warning ||
         it.media_errors || it.available_spare || it.percentage_used || it.passed;
}

}  // namespace

std::string_view name_of(SmartState state) {
  switch (state) {
    case SmartState::read:
      return "read";
    case SmartState::asleep:
      return "asleep";
    case SmartState::no_answer:
      return "no-answer";
    case SmartState::unreadable:
      return "unreadable";
    case SmartState::unsupported:
      return "unsupported";
  }
  return "?";
}

SmartReading read_smart(std::string_view output, unsigned exit_status) {
  if (output.size() > kOutputBytesMost) {
    return nothing(SmartState::unreadable,
                   fmt::format("smartctl printed {} bytes, which is no answer", output.size()));
  }
  const json answer = json::parse(output, nullptr, false);
  if (answer.is_discarded()) {
    return output.find_first_not_of(" \t\r\n") == std::string_view::npos
               ? nothing(SmartState::no_answer,
                         fmt::format("smartctl printed nothing (exit status {})", exit_status))
               : nothing(SmartState::unreadable,
                         "smartctl printed no JSON; version 7.0 or later is needed");
  }
  if (!member(answer, "smartctl").is_object()) {
    return nothing(SmartState::unreadable, "the JSON is not smartctl's");
  }
  const std::string message = message_of(answer);
  if ((exit_status & (kExitUsage | kExitOpen)) != 0) {
    // Debian's smartctl ends with 2 for both; only its message tells sleep from failure.
    const bool sleeps = message.find("STANDBY") != std::string::npos ||
                        message.find("SLEEP") != std::string::npos ||
                        message.find("low-power") != std::string::npos;
    return sleeps ? nothing(SmartState::asleep, "the disk sleeps and was not woken")
                  : nothing(SmartState::no_answer,
                            message.empty() ? fmt::format("smartctl could not ask the disk (exit "
                                                          "status {})",
                                                          exit_status)
                                            : "smartctl: " + message);
  }
  SmartReading out;
  out.state = SmartState::read;
  Reader reader(out);
  reader.identity(answer);
  out.passed = boolean(member(answer, "smart_status", "passed"));
  reader.ata(answer);
  reader.scsi(answer);
  reader.nvme(answer);
  reader.defects(answer);
  if (!has_values(out)) {
    out.state = SmartState::unsupported;
    out.reason = message.empty() ? "the disk shows none of the values that are read"
                                 : "smartctl: " + message;
  }
  return out;
}

}  // namespace dmremap::health
