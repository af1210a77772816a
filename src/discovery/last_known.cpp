// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/last_known.hpp"

#include <vector>

#include <fmt/format.h>

#include "discovery/hardware.hpp"

namespace dmremap::discovery {

namespace {

// The facts by which a person knows a disk.
std::string description_of(const std::string& model, const std::string& serial, SectorCount size,
                           const std::string& fs_uuid) {
  std::vector<std::string> out;
  if (!model.empty()) out.push_back(model);
  if (!serial.empty()) out.push_back("serial number " + serial);
  if (size.value > 0) out.push_back(fmt::format("{} sectors", size.value));
  if (!fs_uuid.empty()) out.push_back("file system UUID " + fs_uuid);
  return out.empty() ? std::string() : fmt::format(" ({})", fmt::join(out, ", "));
}

std::string set_on(const metadata::Survey& survey) {
  return fmt::format("the spare of the set {} ({})",
                     survey.content ? survey.content->identity.name : std::string("?"),
                     to_string(*survey.set_uuid));
}

std::string what_is_there(const CandidateFacts& now) {
  if (now.unopened) {
    return now.unopened->code == ErrorCode::no_such_device
               ? "is not there now"
               : "cannot be looked at now: " + now.unopened->what;
  }
  if (now.has_set()) return "is now " + set_on(**now.survey);
  const bool is_block_device = now.instance && now.instance->storage.is_block_device();
  if (!is_block_device) return fmt::format("is now a file of {} sectors", now.size.value);
  const Hardware hardware = hardware_of(now.instance->storage.device);
  return "is now another device" +
         description_of(hardware.model, hardware.serial, now.size, std::string());
}

}  // namespace

std::string last_known_in_words(const std::string& path, const format::Fingerprint& device,
                                const CandidateFacts* now) {
  if (path.empty()) return {};
  std::string out =
      fmt::format("was last seen at {}{}", path,
                  description_of(device.model, device.serial, device.size, device.fs_uuid));
  if (now != nullptr) out += ", which " + what_is_there(*now);
  return out;
}

}  // namespace dmremap::discovery
