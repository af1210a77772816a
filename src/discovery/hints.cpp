// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/hints.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace dmremap::discovery {

namespace fs = std::filesystem;

namespace {

using nlohmann::json;

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

json facts_json(const std::vector<format::Fact>& facts) {
  json out = json::array();
  for (const format::Fact& fact : facts) {
    out.push_back({{"kind", static_cast<unsigned>(fact.kind)},
                   {"name", format::name_of(fact.kind)},  // for people
                   {"value", fact.value}});
  }
  return out;
}

RecordedMain main_in(const json& object) {
  RecordedMain out;
  out.fingerprint.size = {number_in(object, "main_size_sectors")};
  out.fingerprint.logical_block_bytes =
      static_cast<std::uint32_t>(number_in(object, "main_logical_block_bytes"));
  out.fingerprint.fs_uuid = text_in(object, "main_file_system_uuid");
  const auto facts = object.find("main_facts");
  if (facts == object.end() || !facts->is_array()) return out;
  for (const json& fact : *facts) {
    const auto kind = static_cast<format::FactKind>(number_in(fact, "kind"));
    if (auto value = text_in(fact, "value"); !value.empty()) {
      out.facts.push_back({kind, std::move(value)});
    }
  }
  return out;
}

}  // namespace

std::optional<Hint> Hints::find(const std::string& name) const {
  if (!is_set_name(name)) return std::nullopt;
  std::ifstream file(fs::path(directory_) / name);
  const auto parsed = nlohmann::json::parse(file, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("main") || !parsed.contains("spare") ||
      !parsed["main"].is_string() || !parsed["spare"].is_string()) {
    return std::nullopt;
  }
  Hint out{parsed["main"], parsed["spare"], text_in(parsed, "mount")};
  out.set_uuid = parse_uuid(text_in(parsed, "uuid"));
  if (out.set_uuid) out.main = main_in(parsed);
  out.spare.size = {number_in(parsed, "spare_size_sectors")};
  out.spare.model = text_in(parsed, "spare_model");
  out.spare.serial = text_in(parsed, "spare_serial");
  return out;
}

std::string Hints::name_of(const std::string& name_or_uuid) const {
  const auto uuid = parse_uuid(name_or_uuid);
  if (!uuid || find(name_or_uuid)) return name_or_uuid;
  for (const std::string& name : names()) {
    if (const auto hint = find(name); hint && hint->set_uuid == uuid) return name;
  }
  return name_or_uuid;
}

void Hints::remember(const std::string& name, const Hint& hint) const {
  std::error_code ignored;
  fs::create_directories(directory_, ignored);
  // Hints hold serial numbers and paths, which other users need not see.
  fs::permissions(directory_, fs::perms::owner_all, ignored);
  const fs::path target = fs::path(directory_) / name;
  // No set's name begins with a dot, so what a crash leaves here is not taken for a hint.
  const fs::path draft = fs::path(directory_) / ("." + name + "." + std::to_string(::getpid()));
  json out{{"main", hint.main_path}, {"spare", hint.spare_path}, {"mount", hint.mount_path}};
  if (hint.set_uuid) {
    out["uuid"] = to_string(*hint.set_uuid);
    out["main_size_sectors"] = hint.main.fingerprint.size.value;
    out["main_logical_block_bytes"] = hint.main.fingerprint.logical_block_bytes;
    out["main_file_system_uuid"] = hint.main.fingerprint.fs_uuid;
    out["main_facts"] = facts_json(hint.main.facts);
  }
  if (hint.spare.size.value > 0) {
    out["spare_size_sectors"] = hint.spare.size.value;
    out["spare_model"] = hint.spare.model;
    out["spare_serial"] = hint.spare.serial;
  }
  {
    std::ofstream file(draft, std::ios::trunc);
    file << out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    if (!file.flush()) {
      fs::remove(draft, ignored);
      return;
    }
  }
  fs::rename(draft, target, ignored);
  if (ignored) fs::remove(draft, ignored);
}

void Hints::forget(const std::string& name) const {
  std::error_code ignored;
  if (is_set_name(name)) fs::remove(fs::path(directory_) / name, ignored);
}

std::vector<std::string> Hints::names() const {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    std::string name = entry.path().filename();
    if (is_set_name(name)) found.push_back(std::move(name));
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace dmremap::discovery
