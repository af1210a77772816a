// SPDX-License-Identifier: GPL-2.0-or-later
#include "record.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "discovery/fingerprint.hpp"
#include "discovery/hardware_names.hpp"

namespace dmremap::identity {

namespace {

using discovery::DeviceFacts;
using discovery::DiskNames;
using format::Fact;
using format::FactKind;

constexpr std::uint64_t kUsualSectors = 1'000'000;

// One device as a line of a row describes it: what the kernel and udev show of it, and what lies on
// it.
struct Described {
  std::map<std::string, std::string> kernel;
  std::map<std::string, std::string> udev;
  bool through_usb = false;
  bool several_paths = false;
  std::string disk;
  std::string beneath;
  std::vector<std::string> flags;
  std::vector<Fact> facts;
  format::Fingerprint fingerprint;
};

const std::map<std::string, FactKind>& other_facts() {
  static const std::map<std::string, FactKind> kinds{{"part", FactKind::partition_uuid},
                                                     {"start", FactKind::partition_start},
                                                     {"image", FactKind::image},
                                                     {"below", FactKind::disk_below},
                                                     {"attachment", FactKind::attachment},
                                                     {"table", FactKind::table_uuid},
                                                     {"label", FactKind::file_system_label},
                                                     {"port", FactKind::port},
                                                     {"path", FactKind::path},
                                                     {"accepted-size", FactKind::accepted_size}};
  return kinds;
}

const std::map<std::string, std::string>& kernel_attributes() {
  static const std::map<std::string, std::string> names{
      {"wwid", "wwid"},  {"uuid", "uuid"},     {"nguid", "nguid"},
      {"eui", "eui"},    {"serial", "serial"}, {"page80", "device/page-80"},
      {"dm", "dm/uuid"}, {"md", "md/uuid"}};
  return names;
}

void take_contents(Described& device, const std::string& value) {
  device.fingerprint.fs_uuid = value == "none" || value == "unreadable" ? "" : value;
  device.fingerprint.fs_type = value == "unreadable" ? discovery::kUnreadableFileSystem : "ext4";
}

void take_word(Described& device, const std::string& word) {
  const auto at = word.find('=');
  if (at == std::string::npos) {
    if (word == "usb") device.through_usb = true;
    if (word == "several-paths") device.several_paths = true;
    device.flags.push_back(word);
    return;
  }
  const std::string key = word.substr(0, at);
  const std::string value = word.substr(at + 1);
  if (const auto known = kernel_attributes().find(key); known != kernel_attributes().end()) {
    device.kernel[known->second] = value;
  } else if (key.starts_with("ID_")) {
    device.udev[key] = value;
  } else if (const auto kind = other_facts().find(key); kind != other_facts().end()) {
    device.facts.push_back({kind->second, value});
  } else if (key == "size") {
    device.fingerprint.size = {std::stoull(value)};
  } else if (key == "block") {
    device.fingerprint.logical_block_bytes = static_cast<std::uint32_t>(std::stoul(value));
  } else if (key == "fs") {
    take_contents(device, value);
  } else if (key == "disk") {
    device.disk = value;
  } else if (key == "on") {
    device.beneath = value;
  } else {
    throw std::runtime_error("what is " + word);
  }
}

Described describe(std::istringstream& words) {
  Described out;
  out.fingerprint.size = {kUsualSectors};
  out.fingerprint.logical_block_bytes = 512;
  out.fingerprint.fs_uuid = "F1";
  out.fingerprint.fs_type = "ext4";
  for (std::string word; words >> word;) take_word(out, word);
  return out;
}

bool has_flag(const Described& device, const std::string& flag) {
  return std::ranges::find(device.flags, flag) != device.flags.end();
}

// The names as the gathering code makes them of what the kernel and udev show.
std::vector<Fact> names_of(const Described& device) {
  const auto in = [](const std::map<std::string, std::string>& texts) {
    return [&texts](const char* name) {
      const auto found = texts.find(name);
      return found == texts.end() ? std::string() : found->second;
    };
  };
  auto names = discovery::names_of_kernel(in(device.kernel), device.through_usb);
  discovery::add_names_of_udev(names, in(device.udev), device.through_usb);
  return names;
}

DeviceFacts facts_of(const Described& device, const std::string& path) {
  DeviceFacts out;
  out.path = path;
  out.fingerprint = device.fingerprint;
  out.facts = names_of(device);
  out.facts.insert(out.facts.end(), device.facts.begin(), device.facts.end());
  const auto has = [&](FactKind kind) {
    return std::ranges::any_of(out.facts, [kind](const Fact& fact) { return fact.kind == kind; });
  };
  // What is said of no disk lies on the one and only.
  if ((has(FactKind::dm_uuid) || has(FactKind::md_uuid)) && !has(FactKind::disk_below)) {
    out.facts.push_back({FactKind::disk_below, "1:5000c50000000001"});
  }
  if (has(FactKind::path)) {
    out.path = std::ranges::find(device.facts, FactKind::path, &Fact::kind)->value;
  } else {
    out.facts.push_back({FactKind::path, path});
  }
  std::ranges::stable_sort(out.facts, {}, &Fact::kind);
  return out;
}

// Reads the lines of one file into rows.
class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  std::vector<Record> read() {
    std::ifstream in(file_);
    for (std::string text; std::getline(in, text);) {
      ++line_;
      std::istringstream words(text);
      std::string what;
      if (!(words >> what) || what.front() == '#') continue;
      try {
        take(what, words);
      } catch (const std::exception& wrong) {
        throw std::runtime_error(file_ + ":" + std::to_string(line_) + ": " + wrong.what());
      }
    }
    return std::move(records_);
  }

 private:
  Record& row() {
    if (records_.empty()) throw std::runtime_error("no record yet");
    return records_.back();
  }

  void take(const std::string& what, std::istringstream& words) {
    if (what == "record") {
      records_.emplace_back();
      then_.clear();
      words >> row().id;
      row().file = std::filesystem::path(file_).stem();
    } else if (what == "source") {
      std::getline(words >> std::ws, row().source);
    } else if (what == "says") {
      std::string text;
      std::getline(words >> std::ws, text);
      row().says += (row().says.empty() ? "" : " ") + text;
    } else if (what == "then") {
      then_.push_back(disk(words));
    } else if (what == "was") {
      take_was(describe(words));
    } else if (what == "main" || what == "other") {
      take_device(what == "main", words);
    } else if (what == "spare") {
      take_spare(words);
    } else if (what == "host" || what == "here") {
      claims::HostId host;
      words >> host.machine_id >> host.product_uuid;
      (what == "host" ? row().host_then : row().host_now) = host;
    } else if (what == "=>") {
      take_expectation(words);
    } else {
      throw std::runtime_error("what is " + what);
    }
  }

  static DiskNames disk(std::istringstream& words) {
    DiskNames out;
    words >> out.name;
    const Described device = describe(words);
    out.facts = names_of(device);
    out.several_paths = device.several_paths;
    return out;
  }

  // What create recorded, with the disks beside it that `then` names.
  void take_was(const Described& device) {
    row().path_then = "/dev/sda";
    for (const Fact& fact : device.facts) {
      if (fact.kind == FactKind::path) row().path_then = fact.value;
    }
    const DeviceFacts seen = facts_of(device, row().path_then);
    format::Content content;
    content.identity.main = seen.fingerprint;
    content.identity.main.path_hint = row().path_then;
    content.health.clean = has_flag(device, "clean");
    const auto shared = discovery::shared_facts(then_);
    content.facts = discovery::merge_main_facts({}, seen, has_flag(device, "said-once"), shared);
    row().was = discovery::recorded_main(content);
  }

  void take_device(bool is_main, std::istringstream& words) {
    PresentDevice out;
    words >> out.name;
    out.is_main = is_main;
    const Described device = describe(words);
    out.facts = facts_of(device, "/dev/" + out.name);
    out.facts.beneath = {os::Storage{static_cast<dev_t>(row().present.size() + 1), 0}};
    for (const PresentDevice& other : row().present) {
      if (other.name == device.beneath) out.facts.beneath.push_back(other.facts.beneath.front());
    }
    out.disk = {device.disk.empty() ? out.name : device.disk, names_of(device),
                device.several_paths};
    row().present.push_back(std::move(out));
  }

  void take_spare(std::istringstream& words) {
    std::string name;
    unsigned set = 0;
    unsigned device = 0;
    std::string use;
    words >> name >> set >> device >> use;
    discovery::SpareFact out;
    out.path = "/dev/" + name;
    out.name = "data";
    out.set_uuid.bytes[0] = static_cast<std::byte>(set);
    out.spare_uuid.bytes[0] = static_cast<std::byte>(device);
    out.beneath = {os::Storage{static_cast<dev_t>(100 + row().spares.size()), 0}};
    row().spares.push_back(out);
    if (use == "ours") row().usable_spares.push_back(out.path);
  }

  void take_expectation(std::istringstream& words) {
    std::string expectation;
    words >> expectation >> row().code >> row().consent;
    if (expectation == "right") {
      row().expectation = Expectation::right;
    } else if (expectation == "wrong") {
      row().expectation = Expectation::wrong;
    } else if (expectation == "ask") {
      row().expectation = Expectation::ask;
    } else {
      throw std::runtime_error("what is " + expectation);
    }
  }

  std::string file_;
  std::size_t line_ = 0;
  std::vector<Record> records_;
  std::vector<DiskNames> then_;
};

Outcome failed(const Error& error) {
  return {{}, std::string(name_of(error.code)), error.what, error.hint};
}

discovery::SharedFacts shared_now(const Record& record) {
  std::vector<DiskNames> disks;
  for (const PresentDevice& device : record.present) {
    const bool known = std::ranges::any_of(
        disks, [&](const DiskNames& disk) { return disk.name == device.disk.name; });
    if (!known && !device.disk.facts.empty()) disks.push_back(device.disk);
  }
  return discovery::shared_facts(disks);
}

Outcome find_spare(const Record& record, const std::string& accept) {
  std::vector<discovery::SpareFact> facts = record.spares;
  if (!accept.empty()) {
    std::erase_if(facts, [&](const auto& fact) { return fact.path != accept; });
  }
  const auto chosen = discovery::choose_spare(facts, "data");
  if (!chosen) return failed(chosen.error());
  return {facts[*chosen].path, {}, {}, {}};
}

}  // namespace

std::vector<Record> read_records(const std::string& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::vector<Record> out;
  for (const auto& file : files) {
    for (Record& record : Reader(file).read()) out.push_back(std::move(record));
  }
  return out;
}

Outcome find_main(const Record& record, const std::string& accept) {
  if (!record.spares.empty()) return find_spare(record, accept);
  // A start by hand takes a claim over; by itself a set comes up only where it was claimed.
  if (record.host_then && record.host_now && accept.empty()) {
    claims::Claim claim;
    claim.host = *record.host_then;
    if (claims::is_of_another_host(claim, *record.host_now)) {
      return {{}, "other-host", "it was claimed on another host", "dmremap start"};
    }
  }
  discovery::CandidateMap seen;
  std::vector<discovery::MainPlace> places;
  for (const PresentDevice& device : record.present) {
    discovery::CandidateFacts facts;
    facts.path = device.facts.path;
    facts.beneath = device.facts.beneath;
    facts.disk_names = device.disk.facts;
    facts.size = device.facts.fingerprint.size;
    facts.identity = device.facts;
    seen.emplace(facts.path, facts);
    places.push_back({facts.path, facts.path == record.path_then || facts.path == accept});
  }
  discovery::WantedMain wanted{record.was, {}, accept};
  const auto candidates = discovery::main_candidates(places, seen, wanted, shared_now(record));
  const auto chosen = discovery::choose_main(candidates, "data");
  if (!chosen) return failed(chosen.error());
  const discovery::MainCandidate& main = candidates[*chosen];
  const discovery::MainConsent consent{main.accepted, !accept.empty()};
  if (const auto fine = discovery::check_main(main, consent); !fine) return failed(fine.error());
  return {main.device.path, {}, {}, {}};
}

std::string path_of_main(const Record& record) {
  if (!record.usable_spares.empty()) return record.usable_spares.front();
  const auto main = std::ranges::find(record.present, true, &PresentDevice::is_main);
  return main == record.present.end() ? std::string() : main->facts.path;
}

Record after_consent(const Record& record) {
  Record out = record;
  const auto device = std::ranges::find(record.present, true, &PresentDevice::is_main);
  format::Content content;
  content.identity.main = device->facts.fingerprint;
  // The size of a set is that of its making; what was accepted is recorded beside it.
  content.identity.main.size = record.was.fingerprint.size;
  content.identity.main.logical_block_bytes = record.was.fingerprint.logical_block_bytes;
  content.health.clean = true;
  content.facts = discovery::merge_main_facts(record.was, device->facts, true, shared_now(record));
  out.was = discovery::recorded_main(content);
  out.path_then = device->facts.path;
  return out;
}

}  // namespace dmremap::identity
