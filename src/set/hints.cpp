// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/hints.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "format/content.hpp"

namespace dmremap::set {

namespace fs = std::filesystem;

bool is_set_name(std::string_view text) {
  const auto alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  };
  return !text.empty() && text.size() <= format::kMaxNameBytes && alphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

Result<void> check_set_name(std::string_view text) {
  if (is_set_name(text)) return {};
  return fail(ErrorCode::usage, "not a name for a set", std::string(text),
              "use up to 64 letters, digits, '_', '.' and '-', the first a letter or a digit");
}

std::optional<Hint> Hints::find(const std::string& name) const {
  if (!is_set_name(name)) return std::nullopt;
  std::ifstream file(fs::path(directory_) / name);
  const auto parsed = nlohmann::json::parse(file, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("main") || !parsed.contains("spare") ||
      !parsed["main"].is_string() || !parsed["spare"].is_string()) {
    return std::nullopt;
  }
  const auto mount = parsed.find("mount");
  return Hint{parsed["main"], parsed["spare"],
              mount != parsed.end() && mount->is_string() ? mount->get<std::string>() : ""};
}

void Hints::remember(const std::string& name, const Hint& hint) const {
  std::error_code ignored;
  fs::create_directories(directory_, ignored);
  const fs::path target = fs::path(directory_) / name;
  // A leading dot: never a set's name, so a crash here leaves nothing that is taken for a hint.
  const fs::path draft = fs::path(directory_) / ("." + name + "." + std::to_string(::getpid()));
  const nlohmann::json out{
      {"main", hint.main_path}, {"spare", hint.spare_path}, {"mount", hint.mount_path}};
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

}  // namespace dmremap::set
