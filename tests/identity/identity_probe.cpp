// SPDX-License-Identifier: GPL-2.0-or-later
// Asks the code that gathers facts of real devices, and the rule, as `create` and `start` do.
//
//   identity_probe facts DEVICE                what is seen of it, a fact a line
//   identity_probe record FILE DEVICE          what create would record of it as main
//   identity_probe accept FILE DEVICE          what a start with --accept-main and a clean stop
//   would identity_probe ask FILE DEVICE...          which of these is taken for main, unaided
//
// `ask` prints "taken PATH", or "refused CODE" and why; the first DEVICE is where main was last
// seen.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "discovery/device_look.hpp"
#include "discovery/hardware_names.hpp"
#include "discovery/identity.hpp"
#include "discovery/main_candidates.hpp"
#include "os/path.hpp"

namespace dmremap::identity {
namespace {

using discovery::RecordedMain;
using format::Fact;
using format::FactKind;

int failed(const Error& error) {
  std::cout << "refused " << name_of(error.code) << "\n"
            << error.what << "\n"
            << error.hint << "\n";
  return 1;
}

// Reads one device through the same look as a search for main.
Result<discovery::DeviceFacts> facts_of(const std::string& path) {
  discovery::DeviceLook look;
  look.identify({path});
  const discovery::CandidateFacts& facts = look.facts().at(path);
  if (facts.unopened) return tl::unexpected(*facts.unopened);
  return *facts.identity;
}

void write(const std::string& file, const RecordedMain& main) {
  std::ofstream out(file);
  out << main.fingerprint.size.value << " " << main.fingerprint.logical_block_bytes << " "
      << main.no_identity << "\n"
      << main.fingerprint.fs_uuid << "\n"
      << main.fingerprint.path_hint << "\n";
  for (const Fact& fact : main.facts) {
    out << static_cast<unsigned>(fact.kind) << " " << fact.value << "\n";
  }
}

RecordedMain read(const std::string& file) {
  std::ifstream in(file);
  RecordedMain out;
  in >> out.fingerprint.size.value >> out.fingerprint.logical_block_bytes >> out.no_identity;
  in.ignore();
  // A clean stop is what `accept` and every record of a row stands for.
  out.stopped_cleanly = true;
  std::getline(in, out.fingerprint.fs_uuid);
  std::getline(in, out.fingerprint.path_hint);
  for (unsigned kind = 0; in >> kind >> std::ws;) {
    std::string value;
    std::getline(in, value);
    out.facts.push_back({static_cast<FactKind>(kind), value});
  }
  return out;
}

RecordedMain recorded(const RecordedMain& before, const discovery::DeviceFacts& seen,
                      bool accepted) {
  format::Content content;
  content.identity.main = seen.fingerprint;
  if (accepted) {
    content.identity.main.size = before.fingerprint.size;
    content.identity.main.logical_block_bytes = before.fingerprint.logical_block_bytes;
  }
  content.facts = discovery::merge_main_facts(before, seen, accepted,
                                              discovery::shared_facts(discovery::names_of_disks()));
  return discovery::recorded_main(content);
}

int ask(const RecordedMain& was, const std::vector<std::string>& paths) {
  discovery::DeviceLook look;
  look.measure(paths);
  std::vector<discovery::MainPlace> places;
  for (const std::string& path : paths) places.push_back({path, path == paths.front()});
  const discovery::WantedMain wanted{was, {}, {}};
  look.identify(discovery::mains_to_identify(places, look.facts(), wanted));
  const auto shared = discovery::shared_facts(discovery::names_of_disks());
  const auto candidates = discovery::main_candidates(places, look.facts(), wanted, shared);
  const auto chosen = discovery::choose_main(candidates, "data");
  if (!chosen) return failed(chosen.error());
  if (const auto fine = discovery::check_main(candidates[*chosen], {}); !fine) {
    return failed(fine.error());
  }
  std::cout << "taken " << candidates[*chosen].device.path << "\n";
  return 0;
}

int run(const std::vector<std::string>& words) {
  if (words.size() < 2) return 2;
  const std::string& verb = words[0];
  if (verb == "ask") {
    std::vector<std::string> paths;
    for (std::size_t i = 2; i < words.size(); ++i) paths.push_back(os::absolute(words[i]));
    return ask(read(words[1]), paths);
  }
  const auto seen = facts_of(os::absolute(words.back()));
  if (!seen) return failed(seen.error());
  if (verb == "facts") {
    for (const Fact& fact : seen->facts) {
      std::cout << format::name_of(fact.kind) << ": " << fact.value << "\n";
    }
  } else if (verb == "record") {
    write(words[1], recorded({}, *seen, false));
  } else if (verb == "accept") {
    write(words[1], recorded(read(words[1]), *seen, true));
  } else {
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace dmremap::identity

int main(int count, char** words) {
  return dmremap::identity::run(std::vector<std::string>(words + 1, words + count));
}
