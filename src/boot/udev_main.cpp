// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-udev NODE: what the claims of this host say of a block device, as udev's IMPORT{program}
// wants it. A program of its own, because it is run at every event of every disk, also in an
// initramfs: it must be small, and answer within milliseconds.
#include <cstdio>
#include <exception>
#include <string>

#include "boot/udev_answer.hpp"
#include "boot/udev_question.hpp"
#include "claims/claim_store.hpp"
#include "os/runtime_directory.hpp"

namespace {

int run(const std::string& node) {
  using namespace dmremap;
  const std::string named = os::environment("DMREMAP_CONFIG_DIR");
  const claims::ClaimStore store((named.empty() ? "/etc/dm-remap" : named) + "/claims.d");
  const auto all = store.all();
  for (const claims::ClaimFile& file : all) {
    if (!file.claim) std::fprintf(stderr, "%s\n", file.claim.error().message().c_str());
  }
  if (all.empty()) return 0;
  discovery::SharedFacts shared;
  const boot::UdevQuestion question = boot::question_of(node, all, shared);
  for (const auto& [key, value] : boot::answer(question, all, claims::this_host(), shared)) {
    std::printf("%s=%s\n", key.c_str(), value.c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: dmremap-udev NODE\n");
    return 2;
  }
  try {
    return run(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
